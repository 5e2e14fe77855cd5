import { runProcess } from "../src/cli/process.js";

await runProcess(["evaluate", ...process.argv.slice(2)]);
