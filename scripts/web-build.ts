import { resolve } from "node:path";
import { buildPage, writePage } from "./web/page.js";

// `npm run web:build`: the page as files for any static server, in dist-web or the folder that is named.
const folder = resolve(process.argv[2] ?? "dist-web");
const files = await buildPage();
writePage(files, folder);
for (const [name, bytes] of files)
  console.log(`${name.padEnd(44)} ${(bytes.length / 1e6).toFixed(2).padStart(6)} MB`);
console.log(`Written to ${folder}. Servers must send .wasm as application/wasm.`);
