import { version } from "../../version.js";
import { type Content, type Html, html } from "./html.js";

/** A part of a report. */
export interface Section {
  readonly title: string;
  readonly content: Content;
}

/** What a page is made of. */
export interface Page {
  readonly title: string;
  /** one line on what it is about */
  readonly about: string;
  readonly sections: readonly Section[];
}

/** Nothing is loaded, whatever stands in the page; pictures are within it. */
const policy = "default-src 'none'; img-src data:; style-src 'unsafe-inline'";

/** Read at the width of a phone and of a screen, in light and in dark. Charts are drawn for white and stay on it. */
const style = `
:root { color-scheme: light dark; --ink: #1a1a1a; --soft: #595959; --paper: #fff; --line: #ddd; --code: #f5f5f5; --warn: #a33c00; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8e8e8; --soft: #a8a8a8; --paper: #161616; --line: #3a3a3a; --code: #222; --warn: #ff9b5e; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; color: var(--ink); background: var(--paper);
  font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, Helvetica, Arial, sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.6rem; line-height: 1.2; margin: .5rem 0; }
h2 { font-size: 1.2rem; margin: 2rem 0 .5rem; border-bottom: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1rem 0 .25rem; }
p { margin: .5rem 0; }
.soft { color: var(--soft); }
.warn { color: var(--warn); }
figure { margin: .5rem 0; overflow-x: auto; }
figure img { display: block; max-width: 100%; height: auto; background: #fff; border-radius: .25rem; }
@media (max-width: 40rem) { figure img { max-width: none; width: 40rem; } }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { text-align: left; vertical-align: top; padding: .2rem .75rem .2rem 0; border-bottom: 1px solid var(--line); overflow-wrap: break-word; }
th { font-weight: 400; color: var(--soft); }
pre { overflow-x: auto; background: var(--code); padding: .75rem; border-radius: .25rem; font-size: .85rem; line-height: 1.4; overflow-wrap: normal; }
code { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
`;

/** A page that needs no other file. */
export function pageOf({ title, about, sections }: Page): string {
  return html`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<title>${title}</title>
<style>${{ html: style }}</style>
</head>
<body>
<h1>${title}</h1>
<p class="soft">${about}</p>
${sections.map(({ title: name, content }) => html`<section>\n<h2>${name}</h2>\n${content}\n</section>\n`)}<p class="soft">revort ${version}</p>
</body>
</html>
`.html;
}

/** A chart as a picture within the page: what is in it stays in it. */
export function figure(svg: string, alt: string): Html {
  const data = Buffer.from(svg).toString("base64");
  return html`<figure><img alt="${alt}" src="data:image/svg+xml;base64,${{ html: data }}"></figure>`;
}

/** Rows with a name before each; `header` names the columns. */
export function tableOf(rows: readonly (readonly Content[])[], header: readonly string[] = []): Html {
  const head =
    header.length === 0 ? null : html`<tr>${header.map((name) => html`<th scope="col">${name}</th>`)}</tr>\n`;
  const body = rows.map(
    ([name, ...values]) =>
      html`<tr><th scope="row">${name ?? null}</th>${values.map((value) => html`<td>${value}</td>`)}</tr>\n`,
  );
  return html`<div class="wide"><table>\n${head}${body}</table></div>`;
}

export function codeOf(text: string, language: string): Html {
  return html`<pre><code class="language-${language}">${text}</code></pre>`;
}

export function paragraphs(texts: readonly string[], kind: "soft" | "warn" | "" = ""): Html[] {
  return texts.map((text) => (kind === "" ? html`<p>${text}</p>` : html`<p class="${kind}">${text}</p>`));
}

/** A path as a word of a command line. */
export function quoted(path: string): string {
  return /^[\w./-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
