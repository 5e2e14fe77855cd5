const { availableParallelism } = require("node:os");

module.exports = {
  "node-option": ["import=tsx", "conditions=revort-source"],
  extension: ["ts"],
  timeout: 60000,
  exit: false,
  // files side by side: mocha's own number leaves one core of two idle
  parallel: true,
  jobs: Math.max(2, availableParallelism()),
};
