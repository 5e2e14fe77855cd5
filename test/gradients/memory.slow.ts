import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";
import type { GradientMethod } from "../../src/gradients/method.js";

const script = fileURLToPath(new URL("memory-of-one-gradient.ts", import.meta.url));

/** The largest memory of a process that computes one gradient of a state of `dim` float64 numbers. */
async function memoryOf(gradient: GradientMethod["kind"], steps: number, dim: number): Promise<number> {
  const argv = ["--import", "tsx", script, gradient, String(steps), String(dim)];
  const { stdout } = await promisify(execFile)(process.execPath, argv);
  return Number(stdout);
}

const megabyte = 2 ** 20;

describe("memory of a gradient", () => {
  it("by reconstruction does not grow with the number of steps, from 100 to 10 000 and 100 000", async function () {
    this.timeout(300_000);
    // one state is y and z: 0.32 MB of 20 000 numbers, which would add up to 3.2 GB over 10 000 steps
    const large = 20_000;
    const growth = (await memoryOf("reversible", 10_000, large)) - (await memoryOf("reversible", 100, large));
    // two processes alike differ by some 10 MB
    expect(growth / megabyte).to.be.below(40);

    // over 100 000 steps of 2 000 numbers it would be 3.2 GB again; what is kept are times, a few MB of them
    const long = (await memoryOf("reversible", 100_000, 2_000)) - (await memoryOf("reversible", 100, 2_000));
    expect(long / megabyte).to.be.below(40);
  });

  it("by checkpoints grows with the root of the number of steps, from 100 to 10 000", async function () {
    this.timeout(300_000);
    const growth =
      (await memoryOf("checkpoint", 10_000, 20_000)) - (await memoryOf("checkpoint", 100, 20_000));
    // 141 states in place of 13, of 0.32 MB each, are 41 MB more. ONNX Runtime has most of them twice while a loop goes
    // from one iteration to the next, and those of a stretch once more when it has stacked them
    expect(growth / megabyte).to.be.below(7 * 41);
  });

  it("by stored steps grows by two arrays a step, so that the measurement sees what is kept", async () => {
    const growth = (await memoryOf("direct", 500, 50_000)) - (await memoryOf("direct", 100, 50_000));
    expect(growth / megabyte).to.be.above((400 * 2 * 50_000 * 8) / megabyte);
  });
});
