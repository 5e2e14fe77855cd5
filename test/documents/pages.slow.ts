import { execFile } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import { missingModules, python } from "../support/python.js";
import { type Block, blocksOf, docs, pages } from "./blocks.js";

const root = join(docs, "..");
const command = promisify(execFile);

/** What a block is run by, in a folder of its own for each page. */
async function ran({ language, file, text }: Block, folder: string, number: number): Promise<void> {
  const at = (name: string) => join(folder, name);
  if (language === "csv") return writeFileSync(at(file!), text);
  if (language === "sh") {
    for (const line of text.trim().split("\n")) await typed(line, folder);
  } else if (language === "ts" || language === "js") {
    const path = at(`block-${number}.${language === "js" ? "mjs" : "mts"}`);
    writeFileSync(path, text);
    await node([path], folder);
  } else if (language === "python") {
    const modules = [...text.matchAll(/^import (.*)$/gm)].flatMap(([, names]) =>
      names!.split(", ").map((name) => name.split(" ")[0]!),
    );
    const missing = missingModules(...modules);
    if (missing !== null) return console.log(`      not run: ${missing}`);
    const { ok, stderr } = python(`import os; os.chdir(${JSON.stringify(folder)})\n${text}`);
    expect(ok, stderr).to.equal(true);
  }
}

/** Runs what is typed in a clone from another folder, where its results go. */
function typed(line: string, folder: string): Promise<unknown> {
  const [, script, rest] = /^npx tsx scripts\/([\w-]+)\.ts ?(.*)$/.exec(line) ?? [];
  if (script === undefined)
    throw new Error(`The documentation has a command that is not known here: ${line}`);
  const words = [...rest!.matchAll(/"([^"]*)"|(\S+)/g)].map(([, quoted, plain]) => quoted ?? plain!);
  return node([join(root, "scripts", `${script}.ts`), ...words], folder);
}

function node(words: readonly string[], cwd: string): Promise<unknown> {
  const tsx = pathToFileURL(join(root, "node_modules", "tsx", "dist", "loader.mjs")).href;
  return command(process.execPath, ["--conditions=revort-source", "--import", tsx, ...words], { cwd });
}

describe("what the documentation says to type", function () {
  this.timeout(600_000);
  for (const page of pages) {
    const blocks = blocksOf(page).filter(({ language }) => language !== "");
    if (blocks.length === 0) continue;
    it(`${page} works as it stands`, async () => {
      // inside the checkout, so that packages resolve
      const folder = mkdtempSync(join(root, "test", ".page-"));
      try {
        // TypeScript on a page is one program, as it is read, and ends where the last of it stands
        const program = blocks.filter(({ language }) => language === "ts").map(({ text }) => text);
        const last = blocks.findLastIndex(({ language }) => language === "ts");
        for (const [i, block] of blocks.entries()) {
          if (block.language !== "ts") await ran(block, folder, i);
          else if (i === last) await ran({ ...block, text: program.join("\n") }, folder, i);
        }
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
});
