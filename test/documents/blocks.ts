import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

export const docs = fileURLToPath(new URL("../../docs/", import.meta.url));

/** A fenced block of a page: its language, the file that it is where it says so, and its text. */
export interface Block {
  readonly language: string;
  readonly file: string | null;
  readonly text: string;
}

/** The pages that people read from beginning to end, by their path in docs. */
export const pages: readonly string[] = ["", "how-to", "concepts"].flatMap((folder) =>
  readdirSync(join(docs, folder))
    .filter((file) => file.endsWith(".md"))
    .map((file) => join(folder, file)),
);

export const pageText = (page: string): string => readFileSync(join(docs, page), "utf8");

/** The fenced blocks of a page, in order. */
export function blocksOf(page: string): Block[] {
  return [...pageText(page).matchAll(/^```(\w*)(?: \[(.+)\])?\n([\s\S]*?)^```$/gm)].map(
    ([, language, file, text]) => ({ language: language!, file: file ?? null, text: text! }),
  );
}
