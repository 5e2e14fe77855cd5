import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { expect } from "chai";

const script = fileURLToPath(new URL("memory-of-one-gradient.ts", import.meta.url));
const steps = [4, 16, 64];
const dim = 200_000;
/** of one array of a state, in MB: y, z and f(z) are 4.6 */
const array = (dim * 8) / 2 ** 20;

/** The largest memory, in MB, of a process after gradients through 4, 16 and 64 steps. */
async function memoryOf(gradient: "reversible" | "direct"): Promise<number[]> {
  const argv = ["--expose-gc", "--import", "tsx", script, gradient, String(dim), ...steps.map(String)];
  const { stdout } = await promisify(execFile)(process.execPath, argv);
  return stdout
    .trim()
    .split("\n")
    .map((bytes) => Number(bytes) / 2 ** 20);
}

describe("memory of the gradient of a fixed point", () => {
  it("is flat by undoing steps, and grows by three arrays a step by storing them: N = 4, 16, 64", async () => {
    const [undone, stored] = await Promise.all([memoryOf("reversible"), memoryOf("direct")]);
    // sessions, which are let go a little later; sixty steps stored are 275 MB
    expect(undone.at(-1)! - undone[0]!).to.be.below(70);
    for (const [i, n] of steps.entries()) {
      if (i === 0) continue;
      const growth = (stored[i]! - stored[i - 1]!) / (n - steps[i - 1]!);
      // y, z and f(z), once; ONNX Runtime has them twice while it stacks them, and what came before is not freed at once
      expect(growth / array).to.be.within(2.5, 10);
    }
  });
});
