import { runProcess } from "../src/cli/process.js";

await runProcess(["bench", ...process.argv.slice(2)], {
  pages: async () => (await import("../benchmarks/runtimes/page-hosts.js")).pageHosts(),
});
