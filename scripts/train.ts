import { runProcess } from "../src/cli/process.js";

await runProcess(["train", ...process.argv.slice(2)]);
