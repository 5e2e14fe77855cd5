import { runProcess } from "../src/cli/process.js";

await runProcess(["bundle", ...process.argv.slice(2)]);
