import { mkdirSync, writeFileSync } from "node:fs";
import { bundlePackage, showSizes } from "./web/bundle.js";

// A part of `npm run build`: the package as one module, dist/revort.min.js.
const { code, ...sizes } = await bundlePackage();
const dist = new URL("../dist/", import.meta.url);
mkdirSync(dist, { recursive: true });
writeFileSync(new URL("revort.min.js", dist), code);
console.log(`dist/revort.min.js: ${showSizes(sizes)}`);
