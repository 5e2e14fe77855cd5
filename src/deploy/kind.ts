/** What a file is, beside a vector field. */
export const portableKinds = {
  solve: "a whole solve: y0, t0, t1 and times ts in, the states at ts and at t1 out",
  "train-step":
    "a whole training step: what is trained, the optimiser's memory and data in, the next ones out",
  "train-steps": "many training steps in a loop: as the single one, with a learning rate and a loss for each",
  "train-start":
    "everything that the training step of the same run takes, as it was when the file was written",
  prediction: "a trained model: its inputs, [batch, …], to its outputs, by name",
  "fit-steps":
    "training steps of a task: what is trained, the optimiser's memory and samples in, the next ones out",
} as const;

export type PortableKind = keyof typeof portableKinds;

/** Where the metadata have what a file is. */
export const kindKey = "revort.kind";

/** What a file says it is; `null` if it says nothing of which there is a description. */
export function kindOf(metadata: Readonly<Record<string, string>>): PortableKind | null {
  const kind = metadata[kindKey];
  return kind !== undefined && Object.hasOwn(portableKinds, kind) ? (kind as PortableKind) : null;
}
