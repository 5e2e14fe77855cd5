import type { Mark } from "vega";
import { printable } from "../core/printable.js";
import { type TextStyle, theme } from "./theme.js";

export interface TextPlace {
  readonly x: number;
  readonly y: number;
  readonly align?: "left" | "center" | "right";
  readonly baseline?: "top" | "middle" | "bottom" | "alphabetic";
  readonly angle?: number;
  readonly color?: string;
  /** A white rim, for text that lies over what is drawn. */
  readonly rim?: boolean;
}

/** One text at a fixed place. */
export function textMark(text: string, { size, weight }: TextStyle, place: TextPlace): Mark {
  const { x, y, align = "left", baseline = "alphabetic", angle = 0, color = theme.ink, rim = false } = place;
  return {
    type: "text",
    interactive: false,
    encode: {
      enter: {
        text: constantText(plainText(text)),
        x: { value: x },
        y: { value: y },
        align: { value: align },
        baseline: { value: baseline },
        angle: { value: angle },
        font: { value: theme.fontFamily },
        fontSize: { value: size },
        fontWeight: { value: weight },
        fill: { value: rim ? theme.background : color },
        limit: { value: 0 },
        ...(rim ? { stroke: { value: theme.background }, strokeWidth: { value: 3.5 } } : {}),
      },
    },
  };
}

/**
 * A text as Vega draws it. Vega looks constants up by their spelling in an object of JavaScript, where it finds what every object has
 * for `constructor` or `toString`, so that a column of such a name left a panel without its title; an expression is not looked up so.
 */
function constantText(text: string): { readonly value: string } | { readonly signal: string } {
  if (!(text in {})) return { value: text };
  return { signal: `${JSON.stringify(text.slice(0, 1))} + ${JSON.stringify(text.slice(1))}` };
}

/** In one line, without what XML cannot hold or what would reorder the text around it. */
export function plainText(text: string): string {
  return printable(text.replace(/\s/g, " "));
}

interface Segment {
  readonly x: number;
  readonly y: number;
  readonly x2: number;
  readonly y2: number;
}

/** One straight line between two fixed places. */
export function lineMark(
  { x, y, x2, y2 }: Segment,
  color: string,
  width: number,
  dash: readonly number[],
): Mark {
  return {
    type: "rule",
    interactive: false,
    encode: {
      enter: {
        x: { value: x },
        y: { value: y },
        x2: { value: x2 },
        y2: { value: y2 },
        stroke: { value: color },
        strokeWidth: { value: width },
        strokeDash: { value: [...dash] },
      },
    },
  };
}

/** One symbol of a point series at a fixed place. */
export function symbolMark(x: number, y: number, color: string, shape: string): Mark {
  return {
    type: "symbol",
    interactive: false,
    encode: {
      enter: { x: { value: x }, y: { value: y }, ...symbolLook(color, shape, theme.pointAreas[0].area) },
    },
  };
}

/** A thin white rim keeps symbols apart where they lie close. */
export function symbolLook(color: string, shape: string, area: number) {
  return {
    shape: { value: shape },
    size: { value: area },
    fill: { value: color },
    stroke: { value: theme.background },
    strokeWidth: { value: 0.5 },
  };
}

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** A patch of a colour, as a band has it unless said otherwise. */
export function swatchMark(
  { x, y, width, height }: Box,
  color: string,
  opacity: number = theme.bandOpacity,
): Mark {
  return {
    type: "rect",
    interactive: false,
    encode: {
      enter: {
        x: { value: x },
        y: { value: y },
        width: { value: width },
        height: { value: height },
        fill: { value: color },
        fillOpacity: { value: opacity },
      },
    },
  };
}
