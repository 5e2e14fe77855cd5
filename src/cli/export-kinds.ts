/** What a run can be exported as. */
export const exportKinds = [
  ...(["field", "solve", "train-step", "tfjs", "tfjs-solve", "state-dict"] as const),
  // of language models
  ...(["model", "cell"] as const),
] as const;
export type ExportKind = (typeof exportKinds)[number];
