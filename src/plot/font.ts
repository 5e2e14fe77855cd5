import { createRequire } from "node:module";
import { Resvg, type ResvgRenderOptions } from "@resvg/resvg-js";
import { ChartError } from "./chart-error.js";
import { plainText } from "./marks.js";
import { type TextStyle, theme } from "./theme.js";

export type FontOptions = NonNullable<ResvgRenderOptions["font"]>;
/** The width of a text in CSS pixels. */
export type Measure = (text: string, style: TextStyle) => number;

/**
 * The font that charts are drawn with, from an npm package (Source Sans 3, SIL Open Font License). Without a font
 * file resvg leaves all text out in silence, and a machine need not have any; the machine's own fonts are not used
 * even where there are some, so that a chart looks the same everywhere.
 *
 * @throws {ChartError} if the package is not installed
 */
export function chartFont(): FontOptions {
  const { resolve } = createRequire(import.meta.url);
  const files = ["400Regular/SourceSans3_400Regular.ttf", "600SemiBold/SourceSans3_600SemiBold.ttf"];
  try {
    return {
      loadSystemFonts: false,
      fontFiles: files.map((file) => resolve(`@expo-google-fonts/source-sans-3/${file}`)),
      defaultFontFamily: "Source Sans 3",
      sansSerifFamily: "Source Sans 3",
    };
  } catch (cause) {
    throw new ChartError(
      "The font of the charts is not installed, and text would be left out; " +
        "run `npm install @expo-google-fonts/source-sans-3`.",
      { cause },
    );
  }
}

/** Measures with the renderer itself, so that nothing overlaps; each text once. */
export function measureWith(font: FontOptions): Measure {
  const known = new Map<string, number>();
  return (text, style) => {
    const key = `${style.size} ${style.weight} ${text}`;
    const width = known.get(key) ?? inkWidth(text, style, font);
    known.set(key, width);
    return width;
  };
}

function inkWidth(text: string, { size, weight }: TextStyle, font: FontOptions): number {
  const svg =
    `<svg xmlns="http://www.w3.org/2000/svg" width="9999" height="99"><text y="50" font-size="${size}" ` +
    `font-weight="${weight}" font-family="${theme.fontFamily}">${escapeXml(text)}</text></svg>`;
  return new Resvg(svg, { font }).getBBox()?.width ?? 0;
}

function escapeXml(text: string): string {
  return plainText(text).replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** The text, cut with an ellipsis where it is wider than there is room. */
export function fitted(text: string, style: TextStyle, room: number, measure: Measure): string {
  if (measure(text, style) <= room) return text;
  const characters = [...text];
  let low = 0;
  let high = characters.length;
  const cut = (count: number): string => `${characters.slice(0, count).join("").trimEnd()}…`;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (measure(cut(middle), style) <= room) low = middle;
    else high = middle - 1;
  }
  return cut(low);
}
