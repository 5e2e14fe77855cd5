import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Writable } from "node:stream";
import { main } from "../src/cli/main.js";

// `npm run docs`: the documentation as a site, in docs/.vitepress/dist. What builds it stands in docs/package.json, apart from
// what the package needs. The reference is made of the help of the commands and of the docstrings.

const docs = join(import.meta.dirname, "..", "docs");

/** What a command shows with --help. */
async function helpOf(words: readonly string[]): Promise<string> {
  let text = "";
  const into = new Writable({
    write(chunk, _encoding, done) {
      text += chunk;
      done();
    },
  });
  await main([...words, "--help"], {
    stdout: into,
    stderr: into,
    stopSignal: () => new AbortController().signal,
  });
  return text.trim();
}

/** The names of the commands that a help lists. */
function commandsIn(help: string): string[] {
  const [, list = ""] = /^Commands:\n([\s\S]*?)(?:\n\n|$)/m.exec(help) ?? [];
  return [...list.matchAll(/^ {2}([a-z][\w-]*)/gm)]
    .map(([, name]) => name!)
    .filter((name) => name !== "help");
}

/** The page of a command and of those below it. */
async function sections(words: readonly string[]): Promise<string[]> {
  const help = await helpOf(words);
  const title = `## \`revort ${words.join(" ")}\``.replace("revort `", "revort`");
  const own = `${title}\n\n\`\`\`\n${help}\n\`\`\``;
  const below = await Promise.all(commandsIn(help).map((name) => sections([...words, name])));
  return [own, ...below.flat()];
}

const reference = join(docs, "reference");
mkdirSync(reference, { recursive: true });
writeFileSync(
  join(reference, "command-line.md"),
  `# Command line\n\nIn a clone, \`revort train\` is \`npx tsx scripts/train.ts\`, and so on.\n\n${(await sections([])).join("\n\n")}\n`,
);
const run = (command: string, ...args: string[]) =>
  execFileSync(command, args, { cwd: docs, stdio: ["ignore", "inherit", "inherit"] });
if (!existsSync(join(docs, "node_modules", "vitepress"))) run("npm", "ci", "--no-audit", "--no-fund");
run("npx", "typedoc", "--logLevel", "Error");
run("npx", "vitepress", "build");
console.log(
  "Written to docs/.vitepress/dist. `npx vitepress dev` in docs shows pages while they are written.",
);
