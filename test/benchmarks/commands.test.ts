import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect } from "chai";
import { compileGradient, whiteDwarfTask } from "../../benchmarks/gradient-task.js";
import { hasPeers, python } from "../../benchmarks/peers/environment.js";
import { Peer, PeerError } from "../../benchmarks/peers/process.js";
import { writtenTask } from "../../benchmarks/peers/written-task.js";
import { resultSchema } from "../../benchmarks/result.js";
import { midpoint } from "../../src/methods/tableaux.js";
import { jit } from "../../src/runtimes/jit/jit.js";

/** What a benchmark prints with --json. */
async function resultOf(name: string, ...words: string[]) {
  const { stdout } = await promisify(execFile)(process.execPath, [
    ...["--import", "tsx", join("benchmarks", `${name}.ts`), ...words, "--json"],
  ]);
  return resultSchema.parse(JSON.parse(stdout));
}

describe("benchmarks as commands", () => {
  it("print JSON alone, with the seconds of the gradient that was asked for", async () => {
    const { secondsPerGradient, rows, settings } = await resultOf(
      ...["batched-mlp", "--batch", "4", "--width", "4", "--steps", "5", "--rounds", "1"],
      ...["--runtime", "jit", "--gradient", "direct"],
    );
    expect(rows.length).to.equal(1);
    expect(rows[0]).to.include({ batch: 4, width: 4, runtime: "jit", gradient: "direct" });
    expect(secondsPerGradient).to.equal(rows[0]!.secondsPerGradient);
    expect(settings.steps).to.equal(5);
  }).timeout(60_000);

  it("count fewer operators after sums of products are taken together, and never more backward than before", async () => {
    const { rows } = await resultOf("operators");
    const coupled = rows.filter(({ gradient }) => gradient === "reversible");
    expect(coupled.length).to.equal(8);
    for (const { backward, backwardFused, forward, forwardFused, evaluations } of coupled) {
      expect(backwardFused).to.be.below(backward as number);
      expect(forwardFused).to.equal(forward);
      // an evaluation of a perceptron is at least two products and a tanh, and all counts are whole
      expect(forward).to.be.at.least(3 * (evaluations as number));
      expect(Number.isInteger(forward) && Number.isInteger(backward)).to.equal(true);
    }
  }).timeout(60_000);
});

describe("the peers' processes", () => {
  it("say why they ended, where they end before they have answered", async () => {
    let failure: unknown = null;
    try {
      await Peer.start(process.execPath, ["-e", "console.error('out of luck'); process.exit(3)"]);
    } catch (error) {
      failure = error;
    }
    expect(failure).to.be.instanceOf(PeerError);
    expect((failure as Error).message)
      .to.contain("code 3")
      .and.contain("out of luck");
  });
});

describe("the reversible method inside diffrax", () => {
  interface Found {
    readonly library: string;
    readonly scheme: string;
    readonly gradient: string;
    readonly variant: string;
    readonly loss: number;
    readonly norm: number;
    readonly failure?: string;
  }

  it("has the loss and gradient of revort's, and of backpropagation in JAX", async function () {
    if (!existsSync(python) || !hasPeers()) {
      console.log("      (needs the environment of npm run bench:peers)");
      this.skip();
    }
    const folder = mkdtempSync(join(tmpdir(), "revort-diffrax-"));
    try {
      const task = whiteDwarfTask(true, midpoint, 50);
      const file = join(folder, "task.json");
      writeFileSync(file, writtenTask(task, { scheme: "coupled" }));
      const script = join("benchmarks", "peers", "in_jax.py");
      const { peer, ready } = await Peer.start<{ contenders: readonly Found[] }>(python, [script, file, "1"]);
      peer.end();
      const own = await compileGradient(task, jit(), "reversible");
      const coupled = ready.contenders.filter(({ scheme }) => scheme === "coupled");
      expect(coupled.map(({ library, gradient }) => `${library} ${gradient}`)).to.deep.equal([
        ...["diffrax reversible", "diffrax reversible", "JAX reversible", "JAX direct"],
      ]);
      for (const { library, variant, loss, norm, failure } of coupled) {
        expect(failure, variant).to.equal(undefined);
        // float64 over 50 steps: rounding, and other sums
        expect(Math.abs(loss / own.loss - 1), `${library} ${variant}`).to.be.below(1e-12);
        expect(Math.abs(norm / own.gradientNorm - 1), `${library} ${variant}`).to.be.below(1e-12);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
