/**
 * What a terminal, an editor or an SVG would act on instead of showing it: control characters (among them the start of
 * every escape sequence), marks that reorder or hide text, line and paragraph separators, halves of characters, and
 * code points that are none. Two joiners stay, which Persian and Indic words and many emoji are spelled with.
 */
const notShown = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Noncharacter_Code_Point}]/gu;
const joiners = "\u200c\u200d";
/** Most texts; told apart first, for some are long. */
const plain = /^[\x20-\x7e]*$/;
const plainLines = /^[\n\t\x20-\x7e]*$/;

/** Text from anywhere as one line that is safe to show: what would not be seen as it is becomes `\u{1b}`. */
export function printable(text: string): string {
  return plain.test(text) ? text : text.replace(notShown, escaped);
}

/** A text of perhaps several lines as one that is safe to show. */
export function oneLine(text: string): string {
  if (!text.includes("\n")) return printable(text);
  const [first = "", ...rest] = text.split("\n");
  return printable(
    [first.trimEnd(), ...rest.map((line) => line.trim())].filter((line) => line !== "").join(" "),
  );
}

/** As `printable`, for a text of several lines: line ends and tabs stay. */
export function printableLines(text: string): string {
  return plainLines.test(text)
    ? text
    : text.replace(notShown, (c) => (c === "\n" || c === "\t" ? c : escaped(c)));
}

function escaped(character: string): string {
  return joiners.includes(character) ? character : `\\u{${character.codePointAt(0)!.toString(16)}}`;
}

/** A name in a message, in quotes, cut where a hostile file made it longer than anyone reads. */
export function shown(name: string): string {
  return printable(JSON.stringify(name.length > 80 ? `${name.slice(0, 80)}…` : name));
}

/**
 * JSON that is safe to show. `JSON.stringify` leaves in strings what `printable` would not show, but for the first 32
 * control characters; here all of it is escaped as JSON escapes, so that a reader gets the same value.
 */
export function printableJson(value: unknown, indent?: number): string {
  const json = JSON.stringify(value, null, indent);
  if (plainLines.test(json)) return json;
  return json.replace(notShown, (character) => {
    if (character === "\n" || joiners.includes(character)) return character;
    return Array.from({ length: character.length }, (_, i) => {
      return `\\u${character.charCodeAt(i).toString(16).padStart(4, "0")}`;
    }).join("");
  });
}
