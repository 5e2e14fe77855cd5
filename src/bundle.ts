// What `revort.min.js` gives: everything for a page without a bundler, in one module. Operators and layers are in it too,
// under `ops` and `nn`, since a module beside it would have other records of the same operators.

export * from "./browser.js";
export * as nn from "./nn.js";
export * as ops from "./ops.js";
