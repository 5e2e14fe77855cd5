import { runProcess } from "../src/cli/process.js";

await runProcess(["serve", ...process.argv.slice(2)]);
