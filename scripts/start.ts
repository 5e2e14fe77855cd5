import { runProcess } from "../src/cli/process.js";

await runProcess(["start", ...process.argv.slice(2)]);
