/** Placeholder until the C program is here. */
export async function limitInC(_steps: number, _repeats: number): Promise<number | null> {
  return null;
}
