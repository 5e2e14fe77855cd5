import { castTensor, type FloatDType, isFloat, type Tensor } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import type { Value } from "../graph/graph.js";
import { type ModelAttribute, ModelError, type ModelGraph, shown } from "../graph/model.js";
import type { StoredArray } from "./stored.js";

/** Values that take the place of stored arrays, by what identifies those. */
export type Replacements = ReadonlyMap<StoredArray["place"], Value>;

/** What a name stands for: a value, or how to make it (or to say why there is none) when it is first asked for. */
type Binding = Value | (() => Value);

/** The names of one graph of a model, and through it those of the graphs around it. */
export class Scope {
  readonly #bindings = new Map<string, Binding>();
  readonly #outer: Scope | null;

  constructor(outer: Scope | null = null) {
    this.#outer = outer;
  }

  bind(name: string, binding: Binding): void {
    this.#bindings.set(name, binding);
  }

  /** Whether this graph itself binds a name. */
  has(name: string): boolean {
    return this.#bindings.has(name);
  }

  /** @throws {ModelError} if the name is unknown */
  get(name: string): Value {
    const binding = this.#bindings.get(name);
    if (binding === undefined) {
      if (this.#outer !== null) return this.#outer.get(name);
      throw new ModelError(`The model uses ${shown(name)} without computing it. Export it again.`);
    }
    if (typeof binding !== "function") return binding;
    const value = binding();
    this.#bindings.set(name, value);
    return value;
  }
}

/** Where a node is found: the opsets and attributes that hold there. */
export interface Place {
  readonly opsets: ReadonlyMap<string, number>;
  /** attributes of the call, inside a function */
  readonly attributes: ReadonlyMap<string, ModelAttribute | null>;
  readonly calls: number;
}

/** The iterations of a loop are not counted to their end: they would take too long. */
export class CountingStopped extends Error {}

/** What the bodies of control operators need of the replay that they are part of. */
export interface Replayer {
  readonly float: FloatDType | null;
  /** whether a body is gone through only to count iterations, and how many nodes may still be */
  readonly counting: { inside: boolean; left: number };
  graph(b: Builder, graph: ModelGraph, scope: Scope, place: Place): Value[];
}

/** A tensor with its float type replaced by the one wanted, if one is. */
export function asFloat(value: Tensor, float: FloatDType | null): Tensor {
  return float !== null && isFloat(value.dtype) ? castTensor(value, float) : value;
}
