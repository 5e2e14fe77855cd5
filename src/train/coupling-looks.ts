/** Updates after which the field is looked at anew for λ, early on where it changes fast: 8, 16, 32, 64, and each 128. */
const first = 8;
const every = 128;

/** Whether λ is chosen anew after so many updates. It depends on nothing else, so that a run can be done again. */
export function isCouplingLook(step: number): boolean {
  if (step >= every) return step % every === 0;
  return step === 0 || (step >= first && Number.isInteger(Math.log2(step)));
}

/** How many updates there are until λ is chosen anew. */
export function updatesToCouplingLook(step: number): number {
  let next = step + 1;
  while (!isCouplingLook(next)) next++;
  return next - step;
}
