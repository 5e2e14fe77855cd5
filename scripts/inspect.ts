import { runProcess } from "../src/cli/process.js";

await runProcess(["inspect", ...process.argv.slice(2)]);
