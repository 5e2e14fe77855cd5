import { runProcess } from "../src/cli/process.js";

await runProcess(["figure", ...process.argv.slice(2)]);
