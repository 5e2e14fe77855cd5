import { DTypeError, ShapeError } from "../core/tensor.js";
import type { Builder } from "../graph/builder.js";
import {
  type Dim,
  type Graph,
  GraphError,
  normaliseAxis,
  type Op,
  sameShape,
  showType,
  type Value,
} from "../graph/graph.js";
import { anything, attributeOf, int, int64, mayTake, takes, takesMany, truth } from "../graph/signature.js";
import { checkSingle, operand } from "./operand.js";
import { tell, toldByBranches, toldByIterations } from "./told.js";

/**
 * Loop. Inputs: trip count (int64, or none), condition (bool, or none), carried values. The body maps (iteration,
 * condition, carried …) to (condition, carried …, scans …); scans are stacked along a new leading axis.
 *
 * Its derivative, and those of Scan and If, are in autodiff: their subgraphs read values of the enclosing scopes.
 */
export const Loop: Op = {
  type: "Loop",
  inputs: [
    mayTake("M", int64),
    mayTake("cond", truth),
    takesMany("v_initial", anything, { least: 0, mixed: true }),
  ],
  outputs: Number.POSITIVE_INFINITY,
  attributes: { body: attributeOf("graph", { required: true }) },
  infer(inputs, attributes) {
    const body = attributes.body as Graph;
    const carried = inputs.slice(2);
    const results = body.outputs.slice(1);
    checkSingle("Loop", "the trip count", inputs[0]);
    checkSingle("Loop", "the condition", inputs[1]);
    const proceed = body.outputs[0]?.value;
    if (results.length < carried.length || proceed?.dtype !== "bool") {
      throw new GraphError(
        `Loop: the body must give a bool, whether to go on, and ${carried.length} carried values; it gives ` +
          `${body.outputs.map(({ value }) => showType(value)).join(", ") || "nothing"}.`,
      );
    }
    checkSingle("Loop", "the condition that the body gives", proceed);
    if (body.inputs.length !== carried.length + 2) {
      throw new GraphError(
        `Loop: the body takes ${body.inputs.length - 2} carried values, but ${carried.length} were given.`,
      );
    }
    const length: Dim = body.trips ?? "steps";
    return results.map(({ name, value }, i) => {
      if (i >= carried.length) return { dtype: value.dtype, shape: [length, ...value.shape] };
      const start = carried[i]!;
      if (start.dtype !== value.dtype) {
        throw new DTypeError(
          `Loop: "${name}" starts as ${showType(start)} and comes back as ${showType(value)}.`,
        );
      }
      if (!sameShape(start.shape, value.shape)) {
        throw new ShapeError(
          `Loop: "${name}" starts as ${showType(start)} and comes back as ${showType(value)}.`,
        );
      }
      return { dtype: value.dtype, shape: value.shape };
    });
  },
};

export interface LoopOptions {
  /** number of iterations */
  readonly trips: Value | number;
  /** values handed from one iteration to the next */
  readonly carried: readonly Value[];
  /**
   * the leading dimension of the scans, where it is known; where nothing is stacked, about how many iterations there are,
   * a dimension of the inputs or a quotient of two
   */
  readonly length?: Dim;
}

export interface LoopStep {
  readonly carried: readonly Value[];
  /** what this iteration adds to each scan output */
  readonly scans?: readonly Value[];
  /** a bool scalar: whether to go on */
  readonly proceed?: Value;
}

/**
 * Repeats `body` and returns the last carried values and the stacked scans. The body may read values of the
 * enclosing scopes freely.
 */
export function loop(
  b: Builder,
  { trips, carried, length }: LoopOptions,
  body: (b: Builder, iteration: Value, carried: Value[]) => LoopStep,
): { carried: Value[]; scans: Value[] } {
  const inner = b.child();
  const iteration = inner.input("iteration", "int64", []);
  inner.input("condition", "bool", []);
  const state = carried.map((value, i) => inner.input(`carried${i}`, value.dtype, value.shape));
  const step = body(inner, iteration, state);
  if (step.carried.length !== carried.length) {
    throw new GraphError(
      `Loop: ${carried.length} values were carried in, but ${step.carried.length} came back.`,
    );
  }
  const rising = toldByIterations(inner, (k, dtype) => inner.input(`told${k}`, dtype, []));
  const graph = inner.graph(
    Object.fromEntries([
      ["proceed", step.proceed ?? inner.scalar("bool", true)],
      ...step.carried.map((value, i) => [`next${i}`, value] as const),
      ...rising.map(({ next }, k) => [`nextTold${k}`, next] as const),
      ...(step.scans ?? []).map((value, i) => [`scan${i}`, value] as const),
    ]),
    "body",
  );
  const known = length === undefined ? graph : { ...graph, trips: length };
  const first = [...carried, ...rising.map((one) => one.first)];
  const outputs = b.emit(Loop, [operand(b, trips, "int64"), null, ...first], { body: known });
  rising.forEach(({ what }, k) => {
    tell(b, what, outputs[carried.length + k]!);
  });
  return { carried: outputs.slice(0, carried.length), scans: outputs.slice(first.length) };
}

/**
 * If. Input: a bool. The branches take no inputs; they read the enclosing scopes. Both yield the same types.
 */
export const If: Op = {
  type: "If",
  inputs: [takes("cond", truth)],
  outputs: Number.POSITIVE_INFINITY,
  attributes: {
    then_branch: attributeOf("graph", { required: true }),
    else_branch: attributeOf("graph", { required: true }),
  },
  infer([condition], attributes) {
    checkSingle("If", "the condition", condition);
    const [yes, no] = [attributes.then_branch as Graph, attributes.else_branch as Graph];
    if (yes.inputs.length + no.inputs.length > 0) {
      throw new GraphError("If: a branch takes inputs, but branches read the enclosing scopes instead.");
    }
    if (yes.outputs.length !== no.outputs.length) {
      throw new GraphError(
        `If: one branch yields ${yes.outputs.length} values and the other ${no.outputs.length}.`,
      );
    }
    return yes.outputs.map(({ value }, i) => {
      const other = no.outputs[i]!.value;
      if (value.dtype === other.dtype && sameShape(value.shape, other.shape)) return value;
      throw new ShapeError(
        `If: output ${i} is ${showType(value)} in one branch and ${showType(other)} in the other.`,
      );
    });
  },
};

/** The values of one branch or the other. Branches may read values of the enclosing scopes. */
export function ifElse(
  b: Builder,
  condition: Value,
  yes: (b: Builder) => readonly Value[],
  no: (b: Builder) => readonly Value[],
): Value[] {
  const scopes = [b.child(), b.child()] as const;
  const results = [yes(scopes[0]), no(scopes[1])] as const;
  const rising = toldByBranches(scopes);
  const branch = (name: string, which: 0 | 1) => {
    const values = [...results[which], ...rising.map(({ each }) => each[which]!)];
    return scopes[which].graph(Object.fromEntries(values.map((value, i) => [`${name}${i}`, value])), name);
  };
  const outputs = b.emit(If, [condition], { then_branch: branch("then", 0), else_branch: branch("else", 1) });
  const count = results[0].length;
  rising.forEach(({ what }, k) => {
    tell(b, what, outputs[count + k]!);
  });
  return outputs.slice(0, count);
}

/**
 * Scan. Inputs: carried values, then tensors to walk along an axis. The body maps (carried …, elements …) to
 * (carried …, scans …); scans are stacked along an axis.
 */
export const Scan: Op = {
  type: "Scan",
  since: 8,
  inputs: [takesMany("initial_state_and_scan_inputs", anything, { mixed: true })],
  outputs: Number.POSITIVE_INFINITY,
  attributes: {
    body: attributeOf("graph", { required: true }),
    num_scan_inputs: int(undefined, { required: true }),
    scan_input_axes: attributeOf("ints"),
    scan_input_directions: attributeOf("ints", { values: [0, 1] }),
    scan_output_axes: attributeOf("ints"),
    scan_output_directions: attributeOf("ints", { values: [0, 1] }),
  },
  infer(inputs, attributes) {
    const body = attributes.body as Graph;
    const walked = attributes.num_scan_inputs as number;
    if (walked < 1 || walked > inputs.length) {
      throw new GraphError(`Scan: num_scan_inputs is ${walked}, but must be 1 to ${inputs.length}.`);
    }
    const carried = inputs.slice(0, inputs.length - walked) as Value[];
    if (body.inputs.length !== inputs.length) {
      throw new GraphError(
        `Scan: the body takes ${body.inputs.length} values, but ${inputs.length} were given.`,
      );
    }
    if (body.outputs.length < carried.length) {
      throw new GraphError(
        `Scan: the body must give back ${carried.length} carried values, but gives ${body.outputs.length}.`,
      );
    }
    for (const [side, count] of [
      ["input", walked],
      ["output", body.outputs.length - carried.length],
    ] as const) {
      for (const name of [`scan_${side}_axes`, `scan_${side}_directions`]) {
        const list = attributes[name] as readonly number[] | undefined;
        if (list !== undefined && list.length !== count) {
          throw new GraphError(`Scan: ${name} has ${list.length} entries, but needs ${count}.`);
        }
      }
    }
    const axisOf = (name: string, i: number, rank: number) =>
      normaliseAxis((attributes[name] as readonly number[] | undefined)?.[i] ?? 0, rank, "Scan");
    const lengths = (inputs.slice(carried.length) as Value[]).map(
      (value, i) => value.shape[axisOf("scan_input_axes", i, value.shape.length)]!,
    );
    if (lengths.some((length) => length !== lengths[0])) {
      throw new ShapeError(`Scan walks along axes of different lengths: ${lengths.join(" and ")}.`);
    }
    return body.outputs.map(({ name, value }, i) => {
      const start = carried[i];
      if (start === undefined) {
        const axis = axisOf("scan_output_axes", i - carried.length, value.shape.length + 1);
        return { dtype: value.dtype, shape: value.shape.toSpliced(axis, 0, lengths[0]!) };
      }
      if (start.dtype === value.dtype && sameShape(start.shape, value.shape)) return value;
      throw new ShapeError(
        `Scan: "${name}" starts as ${showType(start)} and comes back as ${showType(value)}.`,
      );
    });
  },
};

export interface ScanOptions {
  /** values handed from one step to the next */
  readonly carried: readonly Value[];
  /** what the steps walk along, each by its leading axis */
  readonly inputs: readonly Value[];
  /** whether to walk from the last element to the first; scans stay in the order of the elements */
  readonly reverse?: boolean;
}

/** Walks along the leading axes of `inputs` and returns the last carried values and the stacked scans. */
export function scan(
  b: Builder,
  { carried, inputs, reverse = false }: ScanOptions,
  body: (b: Builder, carried: Value[], elements: Value[]) => Omit<LoopStep, "proceed">,
): { carried: Value[]; scans: Value[] } {
  const inner = b.child();
  const state = carried.map((value, i) => inner.input(`carried${i}`, value.dtype, value.shape));
  const elements = inputs.map((value, i) => inner.input(`element${i}`, value.dtype, value.shape.slice(1)));
  const step = body(inner, state, elements);
  if (step.carried.length !== carried.length) {
    throw new GraphError(
      `Scan: ${carried.length} values were carried in, but ${step.carried.length} came back.`,
    );
  }
  const scans = step.scans ?? [];
  const most: Value[] = [];
  const rising = toldByIterations(inner, (k, dtype) => {
    most.push(inner.input(`told${k}`, dtype, []));
    return most[k]!;
  });
  const graph = inner.graph(
    Object.fromEntries([
      ...step.carried.map((value, i) => [`next${i}`, value] as const),
      ...rising.map(({ next }, k) => [`nextTold${k}`, next] as const),
      ...scans.map((value, i) => [`scan${i}`, value] as const),
    ]),
    "body",
  );
  const first = [...carried, ...rising.map((one) => one.first)];
  const outputs = b.emit(Scan, [...first, ...inputs], {
    // what is walked along comes after all that is carried
    body: { ...graph, inputs: [...state, ...most, ...elements] },
    num_scan_inputs: inputs.length,
    ...(reverse && inputs.length > 0 ? { scan_input_directions: inputs.map(() => 1) } : {}),
    ...(reverse && scans.length > 0 ? { scan_output_directions: scans.map(() => 1) } : {}),
  });
  rising.forEach(({ what }, k) => {
    tell(b, what, outputs[carried.length + k]!);
  });
  return { carried: outputs.slice(0, carried.length), scans: outputs.slice(first.length) };
}
