import { sizeOf, stridesOf } from "../../core/tensor.js";
import type { Node, Value } from "../../graph/graph.js";
import { type ConvSetting, convSetting } from "../../ops/convolution-setting.js";
import { paddedSizes } from "../../ops/windows.js";
import { lanesOf, type Width } from "./cell.js";
import { pushBase } from "./cells.js";
import type { Frame } from "./frame.js";
import { repeat } from "./nest.js";
import { type Panel, panelRow } from "./panel.js";
import { bytesOf, isContiguous, type View } from "./view.js";
import type { Code, Local } from "./wasm/index.js";

// What all ways to compute a convolution have in common.

/** What one Conv is made of, in bytes and counts of elements. */
export interface ConvPlan {
  readonly setting: ConvSetting;
  readonly dtype: "float64" | "float32";
  readonly lanes: Width;
  readonly bytes: number;
  /** filters and channels of a group */
  readonly filters: number;
  readonly channels: number;
  /** what one filter multiplies, and how many windows there are */
  readonly inner: number;
  readonly count: number;
  /** bytes from place to place along the spatial axes of a padded image, and those of one of its channels */
  readonly strides: readonly number[];
  readonly channelBytes: number;
}

export function planOf(node: Node): ConvPlan {
  const [x, w] = node.inputs as [Value, Value];
  const setting = convSetting(x, w, node.attributes);
  const { windows, groups } = setting;
  const dtype = x.dtype as "float64" | "float32";
  const bytes = bytesOf(dtype);
  const padded = paddedSizes(windows);
  const channels = (setting.channels as number) / groups;
  return {
    ...{ setting, dtype, bytes, channels },
    lanes: lanesOf(dtype),
    filters: setting.filters / groups,
    inner: channels * sizeOf(windows.kernel),
    count: sizeOf(windows.output),
    strides: stridesOf(padded).map((stride) => stride * bytes),
    channelBytes: sizeOf(padded) * bytes,
  };
}

export function advance(code: Code, pointer: Local, bytes: number): void {
  code.get(pointer).i32(bytes).op("i32.add").set(pointer);
}

/** The elements of a value in a row, and what frees them if that took a copy. */
export function inRow(frame: Frame, value: Value): { readonly view: View; readonly free: () => void } {
  const known = frame.viewOf(value);
  if (isContiguous(known)) return { view: known, free() {} };
  const view = frame.allocate(value);
  frame.copyStrided(known, view);
  return { view, free: () => frame.unit.plan.release(view.buffer!) };
}

/** A pointer to where a view begins. */
export function pointerTo(code: Code, { address, dynamic }: View): Local {
  pushBase(code, dynamic);
  return code.i32(address).op("i32.add").keep("i32");
}

/** Where each window begins in a padded image, in bytes. */
export function windowStarts({ setting: { windows }, strides, count }: ConvPlan): number[] {
  const all: number[] = [];
  for (let p = 0; p < count; p++) {
    let [rest, start] = [p, 0];
    for (let axis = windows.output.length - 1; axis >= 0; axis--) {
      const size = windows.output[axis]!;
      start += (rest % size) * windows.strides[axis]! * strides[axis]!;
      rest = Math.floor(rest / size);
    }
    all.push(start);
  }
  return all;
}

/** So many elements along the last axis of a kernel are written out. */
const longestRow = 8;

/**
 * What the windows of a panel see: a row for each channel and each offset in the kernel.
 *
 * @param side  whether those of each vector are neighbours, so that they are read at once
 * @param start  points to where the windows begin, a word for each
 */
export function packWindows(
  code: Code,
  { setting: { windows }, channels, channelBytes, strides, bytes, lanes }: ConvPlan,
  side: boolean,
  panel: Panel,
  image: Local,
  start: Local,
  address: number,
): void {
  const perVector = side ? 1 : lanes;
  /** where each window, or each vector of them, begins */
  const places = Array.from({ length: panel.vectors * perVector }, (_, i) => {
    code
      .get(image)
      .get(start)
      .access("i32.load", 4 * i * (side ? lanes : 1))
      .op("i32.add");
    return code.keep("i32");
  });
  const to = code.i32(address).keep("i32");
  const row = panelRow(panel);
  const steps = windows.kernel.map((_, axis) => windows.dilations[axis]! * strides[axis]!);
  const last = windows.kernel.length - 1;
  const store = (offset: number, k: number) => {
    for (let vector = 0; vector < panel.vectors; vector++) {
      code.get(to);
      pushSeen(code, bytes, places.slice(vector * perVector, (vector + 1) * perVector), offset);
      code.vectorAccess("v128.store", k * row + vector * 16);
    }
  };
  const move = (by: number) => {
    if (by !== 0) for (const place of places) advance(code, place, by);
  };
  const along = (axis: number): void => {
    const [length, step] = [windows.kernel[axis]!, steps[axis]!];
    if (axis < last) {
      repeat(code, length, () => {
        along(axis + 1);
        move(step);
      });
      move(-length * step);
      return;
    }
    const some = (count: number) => {
      for (let k = 0; k < count; k++) store(k * step, k);
      advance(code, to, count * row);
    };
    const rounds = length > longestRow ? Math.floor(length / longestRow) : 0;
    repeat(code, rounds, () => {
      some(longestRow);
      move(longestRow * step);
    });
    if (length > rounds * longestRow) some(length - rounds * longestRow);
    move(-rounds * longestRow * step);
  };
  repeat(code, channels, () => {
    along(0);
    move(channelBytes);
  });
  for (const local of [...places, to]) code.free(local);
}

/** Pushes one element of each of some windows: of neighbours from one place, else lane by lane. */
function pushSeen(code: Code, bytes: number, places: readonly Local[], offset: number): void {
  const [first, ...others] = places as [Local, ...Local[]];
  code.get(first);
  if (others.length === 0) {
    code.vectorAccess("v128.load", offset);
    return;
  }
  code.vectorAccess(bytes === 8 ? "v128.load64_splat" : "v128.load32_splat", offset);
  others.forEach((place, i) => {
    const sofar = code.keep("v128");
    code.get(place).get(sofar);
    code.laneAccess(bytes === 8 ? "v128.load64_lane" : "v128.load32_lane", offset, i + 1);
    code.free(sofar);
  });
}
