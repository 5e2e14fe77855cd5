import { sizeOf, tensor } from "../../core/tensor.js";
import type { Node, Value } from "../../graph/graph.js";
import { paddedSizes } from "../../ops/windows.js";
import { pushBase } from "./cells.js";
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
import { emitFewWindows, hasFewWindows } from "./few-windows.js";
import { type Frame, shapeOf } from "./frame.js";
import { repeat } from "./nest.js";
import { type Panel, panelRow } from "./panel.js";
import { Kernel, stripesOf } from "./product-kernel.js";
import type { View } from "./view.js";
import type { Code, Local } from "./wasm/index.js";

// Convolutions as products, Y = W X̃ + b, without X̃ in memory: what a few windows see is put into a panel that stays in the
// cache, and multiplied by all filters from there.

/** Where windows begin in an image, in bytes: a table of words. */
interface Starts {
  readonly address: number;
  /** whether the windows of a vector are neighbours, which lie side by side */
  readonly side: "always" | "mostly" | "never";
}

/** Conv: x [N, C, …], w [M, C/g, …], a bias [M] or none. */
export function emitConvolution(frame: Frame, node: Node): void {
  const { code } = frame;
  const [x, w, bias] = node.inputs as [Value, Value, Value | null | undefined];
  const y = node.outputs[0]!;
  const plan = planOf(node);
  if (hasFewWindows(plan, shapeOf(x)[0]!)) {
    emitFewWindows(frame, node);
    return;
  }
  const { setting, bytes, filters, channels, inner, count, channelBytes } = plan;
  const { groups } = setting;
  const [weights, offsets] = [inRow(frame, w), bias ? inRow(frame, bias) : null];
  const image = new Images(frame, x, plan);
  const target = frame.destination(y);
  const starts = startsOf(frame, plan);
  const to = pointerTo(code, target);
  repeat(code, shapeOf(x)[0]!, () => {
    const own = image.next();
    const a = pointerTo(code, weights.view);
    const c = offsets === null ? null : pointerTo(code, offsets.view);
    repeat(code, groups, () => {
      multiplied(frame, plan, starts, { image: own, a, c, y: to });
      advance(code, own, channels * channelBytes);
      advance(code, a, filters * inner * bytes);
      if (c !== null) advance(code, c, filters * bytes);
      advance(code, to, filters * count * bytes);
    });
    for (const local of [own, a, ...(c === null ? [] : [c])]) code.free(local);
  });
  code.free(to);
  image.end();
  weights.free();
  offsets?.free();
  frame.setView(y, target);
}

/** The images of a batch, one after the other: where they are, or copied to between zeros where windows reach beyond them. */
class Images {
  readonly #view: View;
  readonly #offset: Local;
  readonly #padded: View | null;
  readonly #imageBytes: number;
  readonly #free: () => void;

  constructor(
    readonly frame: Frame,
    x: Value,
    readonly plan: ConvPlan,
  ) {
    const { code } = frame;
    const { windows } = plan.setting;
    const isPadded = [...windows.before, ...windows.after].some((n) => n > 0);
    const { view, free } = isPadded ? { view: frame.viewOf(x), free() {} } : inRow(frame, x);
    [this.#view, this.#free] = [view, free];
    this.#imageBytes = this.#view.strides[0]! * plan.bytes;
    pushBase(code, this.#view.dynamic);
    this.#offset = code.keep("i32");
    if (!isPadded) {
      this.#padded = null;
      return;
    }
    this.#padded = frame.allocate({
      dtype: x.dtype,
      shape: [plan.setting.channels, ...paddedSizes(windows)],
    });
    const size = sizeOf(this.#padded.shape) * plan.bytes;
    code.i32(this.#padded.address).i32(0).i32(size).fillMemory();
  }

  /** Pushes nothing: a pointer to the next image, padded. */
  next(): Local {
    const { code } = this.frame;
    const [view, padded] = [this.#view, this.#padded];
    if (padded === null) code.get(this.#offset).i32(view.address).op("i32.add");
    else {
      const { before } = this.plan.setting.windows;
      const inset = before.reduce((sum, n, i) => sum + n * padded.strides[i + 1]!, 0);
      emitCopy(
        code,
        { ...view, shape: view.shape.slice(1), strides: view.strides.slice(1), dynamic: this.#offset },
        { ...padded, shape: view.shape.slice(1), address: padded.address + inset * this.plan.bytes },
      );
      code.i32(padded.address);
    }
    const pointer = code.keep("i32");
    advance(code, this.#offset, this.#imageBytes);
    return pointer;
  }

  end(): void {
    this.frame.code.free(this.#offset);
    this.#free();
    const buffer = this.#padded?.buffer ?? null;
    if (buffer !== null) this.frame.unit.plan.release(buffer);
  }
}

function startsOf(frame: Frame, plan: ConvPlan): Starts {
  const { windows } = plan.setting;
  const along = windows.output.at(-1)!;
  const isPossible = windows.strides.at(-1) === 1 && along >= plan.lanes;
  const all = windowStarts(plan);
  // the last vector is filled up
  while (all.length % plan.lanes > 0) all.push(all.at(-1)!);
  return {
    address: frame.unit.table(tensor("int32", [all.length], all)).address,
    side: !isPossible ? "never" : along % plan.lanes === 0 ? "always" : "mostly",
  };
}

/** Pushes whether the windows of each vector are neighbours. */
function pushIsSide(code: Code, { lanes, bytes }: ConvPlan, { vectors }: Panel, start: Local): void {
  for (let vector = 0; vector < vectors; vector++) {
    const [first, last] = [vector * lanes, (vector + 1) * lanes - 1];
    code.get(start).access("i32.load", 4 * last);
    code
      .get(start)
      .access("i32.load", 4 * first)
      .op("i32.sub");
    code.i32((lanes - 1) * bytes).op("i32.eq");
    if (vector > 0) code.op("i32.and");
  }
}

/** One group of filters with all windows of an image. */
function multiplied(
  frame: Frame,
  plan: ConvPlan,
  starts: Starts,
  given: { readonly image: Local; readonly a: Local; readonly c: Local | null; readonly y: Local },
): void {
  const { code, unit } = frame;
  const { dtype, bytes, inner, filters, count, lanes } = plan;
  const kernel = new Kernel(frame, dtype, inner, {
    a: { row: inner * bytes, column: bytes },
    b: { row: 0, column: bytes },
    c: given.c === null ? null : { row: bytes, column: 0 },
    y: { row: count * bytes, column: bytes },
  });
  const stripes = stripesOf(filters, count, lanes);
  const buffer = unit.plan.allocate(
    inner * Math.max(...stripes.map(({ width }) => Math.ceil(width / lanes))) * 16,
  );
  const [start, y] = [code.i32(starts.address).keep("i32"), code.get(given.y).keep("i32")];
  for (const { width, times } of stripes) {
    const panel: Panel = { dtype, lanes, vectors: Math.ceil(width / lanes), columns: width };
    repeat(code, times, () => {
      const pack = (side: boolean) =>
        packWindows(code, plan, side, panel, given.image, start, buffer.address);
      if (starts.side === "mostly") {
        pushIsSide(code, plan, panel, start);
        code.if(
          () => pack(true),
          () => pack(false),
        );
      } else pack(starts.side === "always");
      const b = code.i32(buffer.address).keep("i32");
      kernel.rows(filters, width, { ...given, b, y }, { row: panelRow(panel), column: bytes });
      code.free(b);
      advance(code, start, 4 * width);
      advance(code, y, width * bytes);
    });
  }
  code.free(start);
  code.free(y);
  unit.plan.release(buffer);
}
