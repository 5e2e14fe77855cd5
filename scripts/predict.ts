import { runProcess } from "../src/cli/process.js";

await runProcess(["predict", ...process.argv.slice(2)]);
