const { availableParallelism } = require("node:os");

module.exports = {
  "node-option": ["import=tsx", "conditions=revort-source"],
  extension: ["ts"],
  // a guard against what hangs, far above what a test takes: machines that do much else at once are several times slower
  timeout: 180_000,
  exit: false,
  // files side by side: mocha's own number leaves one core of two idle
  parallel: true,
  jobs: Math.max(2, availableParallelism()),
};
