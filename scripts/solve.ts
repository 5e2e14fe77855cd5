import { runProcess } from "../src/cli/process.js";

await runProcess(["solve", ...process.argv.slice(2)]);
