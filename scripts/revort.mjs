#!/usr/bin/env node
// The command `revort`: the compiled package where it is installed, the sources in a clone.
import { existsSync } from "node:fs";

const source = new URL("../src/cli/bin.ts", import.meta.url);
if (existsSync(source)) {
  const { register } = await import("tsx/esm/api");
  register();
  await import(source.href);
} else {
  await import(new URL("../dist/cli/bin.js", import.meta.url).href);
}
