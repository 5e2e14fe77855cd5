import { readFileSync } from "node:fs";
import { type Tensor, tensor } from "../../src/core/tensor.js";
import type { Tensors } from "../../src/fields/field.js";
import type { CellName } from "../../src/language/configuration.js";

// What PyTorch computes of cells and language models, as pytorch-language.py writes it.

export interface Stored {
  readonly shape: readonly number[];
  readonly data: readonly number[];
}

interface Differentiated {
  readonly parameters: Readonly<Record<string, Stored>>;
  readonly gradients: Readonly<Record<string, Stored>>;
}

export interface StoredCell extends Differentiated {
  readonly hidden: readonly number[];
  readonly z: Stored;
  readonly x: Stored;
  readonly weights: Stored;
  readonly output: Stored;
}

export interface StoredModel extends Differentiated {
  readonly tokens: readonly number[];
  readonly next: readonly number[];
  readonly logits: Stored;
  readonly loss: number;
}

export const stored = JSON.parse(readFileSync(new URL("pytorch-language.json", import.meta.url), "utf8")) as {
  readonly cells: Readonly<Record<CellName, StoredCell>>;
  readonly models: Readonly<Record<"transformer" | "revdeq", StoredModel>>;
};

/** The sizes of all of them. */
export const sizes = { width: 4, heads: 2, length: 4, batch: 2, vocabulary: 7 } as const;

export const asTensor = ({ shape, data }: Stored): Tensor => tensor("float64", shape, data);

export function asTensors(record: Readonly<Record<string, Stored>>): Tensors {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, asTensor(value)]));
}
