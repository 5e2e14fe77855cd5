import { numbers, sizeOf } from "../../core/tensor.js";
import { type Graph, type Node, normaliseAxis, type Value } from "../../graph/graph.js";
import { Frame, isSmall, shapeOf } from "./frame.js";
import { dropAxis } from "./movement.js";
import { firstCapacity } from "./open.js";
import { runsThrough } from "./specialise.js";
import { bytesOf, isContiguous, type View } from "./view.js";
import type { Code, Local, Push } from "./wasm/index.js";

// Each body becomes a function of the iteration. That is also what lets an engine put its optimised code in place
// while a long loop runs: it changes functions between calls, not in the middle of one.

/** Writes the nodes of a scope: what a body consists of. */
type WriteScope = (frame: Frame) => void;

/** How a Loop or a Scan repeats its body. */
interface Repetition {
  readonly body: Graph;
  /** values handed from one iteration to the next, before the first */
  readonly carried: readonly Value[];
  /** the inputs of the body that take them */
  readonly inputs: readonly Value[];
  /** tells the scope of the body what its inputs are, given the iteration */
  readonly enter: (inner: Frame, slots: readonly View[]) => void;
  /** the output of the body that says whether to go on */
  readonly proceed: Value | null;
  readonly next: readonly Value[];
  readonly scans: readonly { readonly value: Value; readonly row: (code: Code) => View }[];
  /** scans hold this many rows; `null` if the body cannot run more often */
  readonly capacity: number | null;
}

/** Writes the body as a function. Returns its index and where the carried values are. */
function emitBody(
  frame: Frame,
  node: Node,
  writeScope: WriteScope,
  repetition: Repetition,
): { index: number; slots: View[] } {
  const { unit } = frame;
  const { body, carried, inputs, next, scans } = repetition;
  for (const value of node.captures) frame.settle(value);
  const slots = carried.map((start) => {
    const slot = frame.allocate(start);
    frame.write(start, slot);
    return slot;
  });
  const { index, code } = unit.module.define(["i64"], ["i32"]);
  const inner = Frame.function(unit, code, body, frame);
  // the parameter is read to the end, whatever becomes of the values that share it
  inner.registers.retain(0);
  repetition.enter(inner, slots);
  writeScope(inner);

  // everything is read before anything is overwritten
  const proceed: Push = repetition.proceed === null ? () => code.i32(1) : inner.scalar(repetition.proceed);
  const isThere = next.map((value, k) => value === inputs[k] || isAt(inner.knownView(value), slots[k]!));
  const sources = next.map((value, k): View | null => {
    if (isThere[k]) return null;
    if (isSmall(value)) inner.lanesOf(value);
    const view = inner.knownLanes(value) === null ? inner.viewOf(value) : null;
    if (view === null || !slots.some((slot) => overlap(slot, view))) return view;
    const copy = inner.allocate(value);
    inner.copyStrided(view, copy);
    return copy;
  });
  for (const { value } of scans) if (isSmall(value)) inner.lanesOf(value);
  const writeScans = () => {
    for (const { value, row } of scans) inner.write(value, row(code));
  };
  if (scans.length > 0 && repetition.capacity !== null) {
    for (const { value } of scans) inner.viewOf(value);
    code.get(0).i64(repetition.capacity).op("i64.lt_u");
    code.if(writeScans);
  } else writeScans();
  next.forEach((value, k) => {
    const source = sources[k]!;
    if (source !== null) inner.copyStrided(source, slots[k]!);
    else if (!isThere[k]) inner.write(value, slots[k]!);
  });
  proceed();
  for (const { value } of body.outputs) inner.release(value);
  inner.end();
  return { index, slots };
}

/** Carried values in their slots, which the body may overwrite once nothing in it needs them. */
function inSlot(slot: View): View {
  return { ...slot, buffer: { ...slot.buffer!, uses: 1, stays: true } };
}

/** Whether a value has been computed where it is to end up. */
function isAt(view: View | null, slot: View): boolean {
  return view !== null && view.dynamic === null && view.address === slot.address && isContiguous(view);
}

function overlap(a: View, b: View): boolean {
  if (b.dynamic !== null) return true;
  const size = sizeOf(a.shape) * bytesOf(a.dtype);
  return b.address >= a.address && b.address < a.address + size;
}

export function emitLoop(frame: Frame, node: Node, writeScope: WriteScope): void {
  const { unit, code } = frame;
  const [trips = null, condition = null, ...carried] = node.inputs as (Value | null)[] as [
    (Value | null)?,
    (Value | null)?,
    ...Value[],
  ];
  const body = node.attributes.body as Graph;
  const [proceed, ...results] = body.outputs.map(({ value }) => value) as [Value, ...Value[]];
  const next = results.slice(0, carried.length);
  const goesOn = proceed.constant !== null && proceed.constant.data[0] === 1;
  const stacked = results.slice(carried.length);
  const rowBytes = stacked.reduce((sum, row) => sum + sizeOf(shapeOf(row)) * bytesOf(row.dtype), 0);
  const source = typeof body.trips === "string" ? body.trips : null;
  if (source !== null && !unit.capacities.has(source)) {
    const most = trips?.constant ? numbers(trips.constant)[0]! : Number.POSITIVE_INFINITY;
    unit.capacities.set(source, Math.max(1, Math.min(most, firstCapacity(rowBytes))));
  }
  const [capacity] = unit.roomOf([body.trips!]) as [number];
  const exact = trips?.constant != null && runsThrough(body, node.inputs);
  const scanned = node.outputs.slice(carried.length).map((output) => ({
    output,
    view: frame.allocate(output),
  }));

  const { index, slots } = emitBody(frame, node, writeScope, {
    body,
    carried,
    inputs: body.inputs.slice(2),
    enter(inner, views) {
      inner.setLanes(body.inputs[0]!, 1, [inner.registers.retain(0)]);
      if (inner.usesOf(body.inputs[1]!) > 0) {
        inner.code.i32(1);
        inner.setLanes(body.inputs[1]!, 1, [inner.registers.keep("bool", 1)]);
      }
      views.forEach((view, k) => {
        inner.setView(body.inputs[k + 2]!, inSlot(view));
      });
    },
    proceed: goesOn ? null : proceed,
    next,
    scans: scanned.map(({ view }, k) => ({
      value: results[carried.length + k]!,
      row: (inner) => rowOf(inner, view, 0, (push) => push()),
    })),
    capacity: exact ? null : capacity,
  });

  const i = code.local("i64");
  const limit = code.local("i64");
  const going = code.local("i32");
  if (trips === null) code.i64(2n ** 63n - 1n);
  else frame.scalar(trips)();
  code.set(limit).i64(0).set(i);
  if (condition === null) code.i32(1);
  else frame.scalar(condition)();
  code.set(going);
  code.while(
    () => code.get(i).get(limit).op("i64.lt_s").get(going).op("i32.and"),
    () => code.get(i).call(index).set(going).get(i).i64(1).op("i64.add").set(i),
  );
  if (scanned.length > 0 && !exact) {
    const address = unit.plan.reserve(4);
    const initial = source === null ? capacity : 0;
    unit.reports.push({ loop: unit.loops.get(body)!, source, rowBytes, address, initial });
    code
      .get(i)
      .i64(capacity)
      .op(source === null ? "i64.ne" : "i64.gt_u");
    code.if(() => keepLargest(code, i, address, source !== null));
    if (source !== null) {
      // never more than there is room for: what follows must not write past it, even if the run is for nothing
      code.i32(0).get(i).i64(capacity).get(i).i64(capacity).op("i64.lt_u").op("select").op("i32.wrap_i64");
      code.access("i32.store", unit.rowsAt(source));
    }
  }
  for (const local of [i, limit, going]) code.free(local);
  slots.forEach((slot, k) => {
    frame.setView(node.outputs[k]!, slot);
  });
  for (const { output, view } of scanned) frame.setView(output, view);
}

/** Stores a count in a word, or the larger of it and what is there. */
function keepLargest(code: Code, count: Local, address: number, largest: boolean): void {
  const store = () => code.i32(0).get(count).op("i32.wrap_i64").access("i32.store", address);
  if (!largest) store();
  else {
    code.get(count).i32(0).access("i32.load", address).op("i64.extend_i32_u").op("i64.gt_u");
    code.if(() => store());
  }
}

/** Element i of a view along an axis, where i is the parameter of the function (or what `index` makes of it). */
function rowOf(code: Code, view: View, axis: number, index: (push: Push) => void): View {
  index(() => code.get(0).op("i32.wrap_i64"));
  code.i32(view.strides[axis]! * bytesOf(view.dtype)).op("i32.mul");
  const dynamic: Local = code.keep("i32");
  return { ...dropAxis(view, axis), dynamic, buffer: null };
}

export function emitScan(frame: Frame, node: Node, writeScope: WriteScope): void {
  const { code, unit } = frame;
  const { attributes } = node;
  const body = attributes.body as Graph;
  const count = attributes.num_scan_inputs as number;
  const values = node.inputs as readonly Value[];
  const carried = values.slice(0, values.length - count);
  const walked = values.slice(values.length - count);
  const setting = (name: string, i: number) => (attributes[name] as readonly number[] | undefined)?.[i] ?? 0;
  const inputAxis = (i: number) =>
    normaliseAxis(setting("scan_input_axes", i), walked[i]!.shape.length, "Scan");
  const length = walked.length === 0 ? 0 : walked[0]!.shape[inputAxis(0)]!;
  for (const value of walked) frame.settle(value);
  const views = walked.map((value) => frame.viewOf(value));
  const scanned = node.outputs.slice(carried.length).map((output) => ({
    output,
    view: frame.allocate(output),
  }));
  const results = body.outputs.map(({ value }) => value);
  const counted = (inner: Code, reversed: boolean) => (push: Push) => {
    if (reversed) {
      unit.pushRows(inner, length);
      inner.i32(1).op("i32.sub");
    }
    push();
    if (reversed) inner.op("i32.sub");
  };

  const { index, slots } = emitBody(frame, node, writeScope, {
    body,
    carried,
    inputs: body.inputs.slice(0, carried.length),
    enter(inner, states) {
      states.forEach((view, k) => {
        inner.setView(body.inputs[k]!, inSlot(view));
      });
      views.forEach((view, k) => {
        const reversed = setting("scan_input_directions", k) === 1;
        const row = rowOf(inner.code, view, inputAxis(k), counted(inner.code, reversed));
        inner.setView(body.inputs[carried.length + k]!, row);
      });
    },
    proceed: null,
    next: results.slice(0, carried.length),
    scans: scanned.map(({ output, view }, k) => ({
      value: results[carried.length + k]!,
      row: (inner) =>
        rowOf(
          inner,
          view,
          normaliseAxis(setting("scan_output_axes", k), output.shape.length, "Scan"),
          counted(inner, setting("scan_output_directions", k) === 1),
        ),
    })),
    capacity: null,
  });

  const i = code.local("i64");
  code.i64(0).set(i);
  code.while(
    () => {
      code.get(i);
      unit.pushRows(code, length);
      code.op("i64.extend_i32_u").op("i64.lt_s");
    },
    () => code.get(i).call(index).op("drop").get(i).i64(1).op("i64.add").set(i),
  );
  code.free(i);
  slots.forEach((slot, k) => {
    frame.setView(node.outputs[k]!, slot);
  });
  for (const { output, view } of scanned) frame.setView(output, view);
}

export function emitIf(frame: Frame, node: Node, writeScope: WriteScope): void {
  const { code } = frame;
  for (const value of node.captures) if (value.constant === null) frame.viewOf(value);
  const targets = node.outputs.map((output) => frame.allocate(output));
  const write = (body: Graph) => () => {
    const branch = frame.branch(body);
    writeScope(branch);
    body.outputs.forEach(({ value }, i) => {
      branch.write(value, targets[i]!);
      branch.release(value);
    });
    branch.end();
  };
  frame.scalar(node.inputs[0]!)();
  code.if(write(node.attributes.then_branch as Graph), write(node.attributes.else_branch as Graph));
  node.outputs.forEach((output, i) => {
    frame.setView(output, targets[i]!);
  });
}
