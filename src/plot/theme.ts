/** How every chart looks: for print on white, in sizes of CSS pixels. */
export const theme = {
  background: "#ffffff",
  ink: "#1a1a1a",
  soft: "#595959",
  axis: "#8c8c8c",
  grid: "#ebebeb",
  fontFamily: "Source Sans 3, Source Sans Pro, Helvetica, Arial, sans-serif",
  title: { size: 17, weight: 600 },
  subtitle: { size: 13, weight: 400 },
  panelTitle: { size: 14, weight: 600 },
  axisTitle: { size: 13, weight: 400 },
  label: { size: 12, weight: 400 },
  legend: { size: 13, weight: 400 },
  lineWidth: 1.75,
  /** of a symbol, by how many there are at most in a panel */
  pointAreas: [
    { upTo: 120, area: 34 },
    { upTo: 400, area: 14 },
    { upTo: Number.POSITIVE_INFINITY, area: 7 },
  ],
  bandOpacity: 0.18,
  margin: 16,
  panelGap: 26,
  rowGap: 18,
  tick: 4,
  minorTick: 2.5,
} as const;

export interface TextStyle {
  readonly size: number;
  readonly weight: 400 | 600;
}

/**
 * Colours that people with any of the common colour vision deficiencies can tell apart, without the yellow, which
 * is too faint on white.
 *
 * @see Okabe & Ito 2008, "Color Universal Design"
 */
export const palette = {
  blue: "#0072b2",
  vermillion: "#d55e00",
  green: "#009e73",
  purple: "#cc79a7",
  orange: "#e69f00",
  sky: "#56b4e9",
  black: "#000000",
  grey: "#8c8c8c",
} as const;
export type Color = keyof typeof palette;

/** The colours that series take in turn; black and grey only come when asked for. */
export const seriesColors = ["blue", "vermillion", "green", "purple", "orange", "sky"] as const;

/** Shapes and dashes go with the colours, so that a series can be told in black and white too. */
export const seriesShapes = ["circle", "square", "triangle-up", "diamond", "triangle-down", "cross"] as const;
export const seriesDashes: readonly (readonly number[])[] = [[], [7, 3], [2, 2.5], [8, 3, 2, 3]];
