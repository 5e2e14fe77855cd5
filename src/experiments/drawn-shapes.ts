import { Random } from "../core/random.js";
import type { LabelledImages } from "../storage/labelled-images.js";

type Inside = (x: number, y: number) => boolean;

/** Ten kinds of shapes in the square from −1 to 1. */
const kinds: Readonly<Record<string, Inside>> = {
  disc: (x, y) => Math.hypot(x, y) < 0.8,
  ring: (x, y) => Math.abs(Math.hypot(x, y) - 0.65) < 0.2,
  square: (x, y) => Math.max(Math.abs(x), Math.abs(y)) < 0.7,
  frame: (x, y) => Math.abs(Math.max(Math.abs(x), Math.abs(y)) - 0.65) < 0.17,
  triangle: (x, y) => y < 0.7 && y > 2 * Math.abs(x) - 0.8,
  plus: (x, y) => Math.min(Math.abs(x), Math.abs(y)) < 0.2 && Math.hypot(x, y) < 0.9,
  cross: (x, y) => Math.min(Math.abs(x - y), Math.abs(x + y)) < 0.28 && Math.hypot(x, y) < 0.9,
  "lying bars": (x, y) => Math.abs(Math.abs(y) - 0.5) < 0.2 && Math.abs(x) < 0.8,
  "upright bars": (x, y) => Math.abs(Math.abs(x) - 0.5) < 0.2 && Math.abs(y) < 0.8,
  "open lozenge": (x, y) => Math.abs(x) + Math.abs(y) < 0.9 && Math.abs(x) + Math.abs(y) > 0.45,
};
const shapes = Object.values(kinds);

/** What their classes are called. */
export const shapeNames: readonly string[] = Object.keys(kinds);

export interface DrawnShapesOptions {
  readonly count: number;
  /** 1 for grey, 3 for colours */
  readonly channels: number;
  /** height and width */
  readonly size: number;
  readonly seed: number;
}

/**
 * Images of ten kinds of shapes of any place, size, tilt and brightness or colour, with noise: data of no collection, so that
 * the experiments on images run without any.
 */
export function drawnShapes({ count, channels, size, seed }: DrawnShapesOptions): LabelledImages {
  const random = Random.seeded(seed);
  const area = size * size;
  const pixels = new Uint8Array(count * channels * area);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % shapes.length);
  for (const [i, label] of labels.entries()) {
    const [left, top] = [random.uniform(-0.25, 0.25), random.uniform(-0.25, 0.25)];
    const [scale, tilt] = [random.uniform(0.45, 0.8), random.uniform(-0.3, 0.3)];
    const [cos, sin] = [Math.cos(tilt) / scale, Math.sin(tilt) / scale];
    // far enough apart to be told from each other, in at least one channel
    const ink = Array.from({ length: channels }, () => random.uniform(0.55, 1));
    const ground = ink.map((of) => (channels === 1 ? 0 : random.uniform(0, of - 0.25)));
    for (let k = 0; k < area; k++) {
      const x = (2 * (k % size) + 1) / size - 1 - left;
      const y = (2 * Math.floor(k / size) + 1) / size - 1 - top;
      const isInk = shapes[label]!(cos * x + sin * y, cos * y - sin * x);
      for (let c = 0; c < channels; c++) {
        const value = (isInk ? ink[c]! : ground[c]!) + 0.12 * random.normal();
        pixels[(i * channels + c) * area + k] = Math.round(255 * Math.min(1, Math.max(0, value)));
      }
    }
  }
  return { count, channels, height: size, width: size, pixels, labels };
}
