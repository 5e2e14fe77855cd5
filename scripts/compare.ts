import { runProcess } from "../src/cli/process.js";

await runProcess(["compare", ...process.argv.slice(2)]);
