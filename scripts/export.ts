import { runProcess } from "../src/cli/process.js";

await runProcess(["export", ...process.argv.slice(2)]);
