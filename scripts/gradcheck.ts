import { runProcess } from "../src/cli/process.js";

await runProcess(["gradcheck", ...process.argv.slice(2)]);
