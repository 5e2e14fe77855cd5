import { runProcess } from "../src/cli/process.js";

await runProcess(["generate", ...process.argv.slice(2)]);
