import { resolve } from "node:path";
import { Command } from "commander";
import { buildPage, writePage } from "./web/page.js";

const command = new Command("npm run web:build --")
  .description("Builds the page that trains in a browser, as files for any static server.")
  .argument("[folder]", "where to write", "dist-web")
  .allowExcessArguments(false)
  .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : 2))
  .parse();
const folder = resolve(command.args[0] ?? "dist-web");
const files = await buildPage();
writePage(files, folder);
for (const [name, bytes] of files)
  console.log(`${name.padEnd(44)} ${(bytes.length / 1e6).toFixed(2).padStart(6)} MB`);
console.log(`Written to ${folder}. Servers must send .wasm as application/wasm.`);
