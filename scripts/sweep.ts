import { runProcess } from "../src/cli/process.js";

await runProcess(["sweep", ...process.argv.slice(2)]);
