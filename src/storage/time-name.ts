/** What columns of times are called, before a unit. */
const usual = /^(t|time|times|date|datetime|timestamp)$/i;

const bare = (name: string) => name.replace(/\s*[([].*$/s, "").trim();

/** A column that is called as times are, where the one that is taken for them is not; `null` where there is none. */
export function otherTime(taken: string, others: readonly string[]): string | null {
  return usual.test(bare(taken)) ? null : (others.find((name) => usual.test(bare(name))) ?? null);
}

/** What is wrong with a first column without a name, as an index is written, beside one that is called as times are. */
export function unnamedBeside(time: string): string {
  return (
    `its first column has no name, as an index that was written with it has none, and ${time} is called as times are; ` +
    'leave the index out (in pandas: to_csv(…, index=False)), or name the first column "time" if it has the times'
  );
}
