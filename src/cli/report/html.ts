import { printableLines } from "../../core/printable.js";

/** Text that is HTML already. */
export interface Html {
  readonly html: string;
}

/** What may stand in HTML: text and numbers, which are escaped, and HTML itself, one after the other. */
export type Content = string | number | Html | readonly Content[] | null;

const entities: Readonly<Record<string, string>> = {
  ...{ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" },
};

/** HTML with everything in it escaped that is not HTML: html`<p>${name}</p>`. Nothing is left out by `null`. */
export function html(parts: TemplateStringsArray, ...values: readonly Content[]): Html {
  return { html: parts.map((part, i) => (i === 0 ? part : `${shown(values[i - 1]!)}${part}`)).join("") };
}

function shown(value: Content): string {
  if (value === null) return "";
  if (Array.isArray(value)) return value.map(shown).join("");
  if (typeof value === "object") return (value as Html).html;
  return printableLines(String(value)).replace(/[&<>"']/g, (character) => entities[character]!);
}
