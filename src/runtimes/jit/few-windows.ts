import { sizeOf, tensor } from "../../core/tensor.js";
import type { Node, Value } from "../../graph/graph.js";
import { paddedSizes } from "../../ops/windows.js";
import { loadScalar, pushBase, storeScalar } from "./cells.js";
import {
  advance,
  type ConvPlan,
  inRow,
  packWindows,
  planOf,
  pointerTo,
  windowStarts,
} from "./convolution-plan.js";
import { emitCopy } from "./copy.js";
import { type Frame, shapeOf } from "./frame.js";
import { repeat } from "./nest.js";
import { type Panel, panelRow } from "./panel.js";
import { Kernel } from "./product-kernel.js";
import { bytesOf, isContiguous, type View } from "./view.js";
import type { Code, Local } from "./wasm/index.js";

// Convolutions with few windows and large kernels, as the cotangent of weights is one: images are the channels of a Conv,
// channels its batch, windows the offsets in its kernel. The windows of all images are columns of one product, and one channel
// after the other is added to it, so that what is multiplied stays in the cache.

/** Up to how many windows of an image are few. */
const few = 32;

export function hasFewWindows(plan: ConvPlan, images: number): boolean {
  return images > 1 && plan.count < few && plan.inner > plan.channels;
}

/** Conv, as a product of filters with the windows of all images. */
export function emitFewWindows(frame: Frame, node: Node): void {
  const { code, unit } = frame;
  const [x, w, bias] = node.inputs as [Value, Value, Value | null | undefined];
  const y = node.outputs[0]!;
  const plan = planOf(node);
  const { setting, bytes, lanes, dtype, filters, channels } = plan;
  const images = shapeOf(x)[0]!;
  const weights = weightsOf(frame, w);
  const offsets = bias ? inRow(frame, bias) : null;
  const view = frame.viewOf(x);
  const target = frame.destination(y);
  const panel: Panel = { dtype, lanes, vectors: 2, columns: 2 * lanes };
  const columns = columnsOf(frame, plan, images, panel.columns);
  const whole = frame.allocate({ dtype, shape: [images, ...paddedSizes(setting.windows)] });
  clear(code, whole);
  const sums = frame.allocate({ dtype, shape: [columns.stripes, filters, panel.columns] });
  const buffer = unit.plan.allocate(sizeOf(setting.windows.kernel) * panelRow(panel));

  pushBase(code, view.dynamic);
  const channel = code.keep("i32");
  const [first, to] = [pointerTo(code, weights.view), pointerTo(code, target)];
  const c = offsets === null ? null : pointerTo(code, offsets.view);
  const [filterBytes, partBytes] = weights.view.strides.map((stride) => stride * bytes) as [number, number];
  const kernel = new Kernel(frame, dtype, sizeOf(setting.windows.kernel), {
    a: { row: filterBytes, column: bytes },
    b: { row: 0, column: bytes },
    c: { row: panelRow(panel), column: bytes },
    y: { row: panelRow(panel), column: bytes },
  });
  repeat(code, setting.groups, () => {
    clear(code, sums);
    const a = code.get(first).keep("i32");
    repeat(code, channels, () => {
      copyChannel(frame, plan, view, whole, channel);
      addChannel(frame, plan, kernel, { panel, columns, a, buffer: buffer.address, whole, sums });
      advance(code, a, partBytes);
      advance(code, channel, view.strides[1]! * bytes);
    });
    code.free(a);
    advance(code, first, filters * filterBytes);
    scatter(frame, plan, { panel, columns, sums: sums.address, to, c });
    advance(code, to, filters * plan.count * bytes);
    if (c !== null) advance(code, c, filters * bytes);
  });
  for (const local of [channel, first, to, ...(c === null ? [] : [c])]) code.free(local);
  weights.free();
  offsets?.free();
  for (const used of [whole.buffer!, sums.buffer!, buffer]) unit.plan.release(used);
  frame.setView(y, target);
}

/** Writes zeros. */
function clear(code: Code, { address, shape, dtype }: View): void {
  code
    .i32(address)
    .i32(0)
    .i32(sizeOf(shape) * bytesOf(dtype))
    .fillMemory();
}

/** Adds what one channel of all images gives to the sums of all columns. @param given  with a pointer to its filters, a */
function addChannel(
  { code }: Frame,
  plan: ConvPlan,
  kernel: Kernel,
  given: { panel: Panel; columns: Columns; a: Local; buffer: number; whole: View; sums: View },
): void {
  const { panel, columns, a, buffer, whole, sums } = given;
  const image = code.i32(whole.address).keep("i32");
  const start = code.i32(columns.starts).keep("i32");
  const sum = code.i32(sums.address).keep("i32");
  repeat(code, columns.stripes, () => {
    packWindows(code, { ...plan, channels: 1 }, false, panel, image, start, buffer);
    const b = code.i32(buffer).keep("i32");
    const rows = { row: panelRow(panel), column: plan.bytes };
    kernel.rows(plan.filters, panel.columns, { a, b, c: sum, y: sum }, rows);
    code.free(b);
    advance(code, start, 4 * panel.columns);
    advance(code, sum, plan.filters * panelRow(panel));
  });
  for (const local of [image, start, sum]) code.free(local);
}

/** Filters as the kernel takes them: the part of each channel in a row, wherever it is. */
function weightsOf(frame: Frame, w: Value): ReturnType<typeof inRow> {
  const view = frame.viewOf(w);
  const part = { shape: view.shape.slice(2), strides: view.strides.slice(2) };
  return isContiguous(part) ? { view, free() {} } : inRow(frame, w);
}

interface Columns {
  readonly count: number;
  readonly stripes: number;
  /** addresses of tables of int32: where each column's window starts among the images, and where its results go */
  readonly starts: number;
  readonly results: number;
}

function columnsOf(frame: Frame, plan: ConvPlan, images: number, width: number): Columns {
  const { count, channelBytes, bytes, setting } = plan;
  const own = windowStarts(plan);
  const starts: number[] = [];
  const results: number[] = [];
  for (let image = 0; image < images; image++) {
    for (let p = 0; p < count; p++) {
      starts.push(image * channelBytes + own[p]!);
      results.push((image * setting.filters * count + p) * bytes);
    }
  }
  const exact = starts.length;
  while (starts.length % width > 0) starts.push(starts.at(-1)!);
  const table = (values: readonly number[]) =>
    frame.unit.table(tensor("int32", [values.length], values)).address;
  return {
    count: exact,
    stripes: starts.length / width,
    starts: table(starts),
    results: table(results),
  };
}

/** One channel of all images, between zeros. @param channel  offset of the channel in the operand's memory */
function copyChannel(frame: Frame, { setting, bytes }: ConvPlan, from: View, whole: View, channel: Local) {
  const { before } = setting.windows;
  const inset = before.reduce((sum, n, i) => sum + n * whole.strides[i + 1]!, 0);
  const without = (list: readonly number[]) => list.toSpliced(1, 1);
  const shape = without(from.shape);
  emitCopy(
    frame.code,
    { ...from, shape, strides: without(from.strides), dynamic: channel },
    { ...whole, shape, address: whole.address + inset * bytes },
  );
}

/** Puts sums where they belong, with the bias. */
function scatter(
  { code }: Frame,
  { dtype, bytes, filters, count }: ConvPlan,
  {
    panel,
    columns,
    sums,
    to,
    c,
  }: { panel: Panel; columns: Columns; sums: number; to: Local; c: Local | null },
): void {
  const add = dtype === "float64" ? "f64.add" : "f32.add";
  const [column, m] = [code.local("i32"), code.local("i32")];
  const [from, result] = [code.local("i32"), code.local("i32")];
  code.i32(0).set(column);
  code.repeat(() => {
    const width = panel.columns;
    // the stripe of the column, and its place there
    code
      .get(column)
      .i32(Math.log2(width))
      .op("i32.shr_u")
      .i32(filters * panelRow(panel))
      .op("i32.mul");
    code
      .get(column)
      .i32(width - 1)
      .op("i32.and")
      .i32(bytes)
      .op("i32.mul")
      .op("i32.add")
      .set(from);
    code
      .get(column)
      .i32(4)
      .op("i32.mul")
      .access("i32.load", columns.results)
      .get(to)
      .op("i32.add")
      .set(result);
    code.i32(0).set(m);
    code.repeat(() => {
      code.get(result).get(from);
      loadScalar(code, dtype, sums);
      if (c !== null) {
        code.get(m).i32(bytes).op("i32.mul").get(c).op("i32.add");
        loadScalar(code, dtype, 0);
        code.op(add);
      }
      storeScalar(code, dtype, 0);
      code.get(from).i32(panelRow(panel)).op("i32.add").set(from);
      code
        .get(result)
        .i32(count * bytes)
        .op("i32.add")
        .set(result);
      code.get(m).i32(1).op("i32.add").tee(m).i32(filters).op("i32.lt_u");
    });
    code.get(column).i32(1).op("i32.add").tee(column).i32(columns.count).op("i32.lt_u");
  });
  for (const local of [column, m, from, result]) code.free(local);
}
