import { bench } from "../benchmarks/bench.js";

process.exitCode = await bench(process.argv.slice(2));
