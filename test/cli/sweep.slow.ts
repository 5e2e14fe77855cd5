import { expect } from "chai";
import { child, readJson, scratch, start, written } from "./command.js";

describe("revort sweep, in processes", () => {
  const folder = scratch();
  const decay = () => {
    const rows = Array.from({ length: 8 }, (_, i) => `${i / 4},${Math.exp(-i / 4)}`);
    return written(folder("decay.csv"), `t,x\n${rows.join("\n")}\n`);
  };
  const small = { field: "mlp:4", runtime: "jit" };

  it("reads a file, and trains side by side in processes of their own", async () => {
    const out = folder("file");
    const spec = { train: decay(), options: { ...small, steps: 2 }, seeds: [4, 7] };
    const path = written(folder("sweep.json"), JSON.stringify(spec));
    const { code, stdout, stderr } = await child("sweep", [path, "--jobs", "2", "--json", "--out", out]);
    expect(code, stderr).to.equal(0);
    const { runs } = JSON.parse(stdout);
    expect(runs.map(({ seed, steps }: { seed: number; steps: number }) => [seed, steps])).to.deep.equal([
      [4, 2],
      [7, 2],
    ]);
    const unknown = await child("sweep", [folder("nothing.csv"), "--seeds", "0", "--out", folder("none")]);
    expect(unknown.code).to.equal(2);
    expect(unknown.stdout).to.include("Cannot read");
  });

  it("stops in good order when it is told to, and goes on to the same numbers", async () => {
    const [out, whole] = [folder("stopped"), folder("whole")];
    const words = [decay(), "--field", "mlp:4", "--runtime", "jit", "--steps", "3000", "--seeds", "0:2"];
    const { process: sweep, ended } = start("sweep", [...words, "--out", out]);
    // the first run has begun when its settings are there
    const begun = setInterval(() => {
      try {
        readJson(`${out}/seed-0/run.json`);
        clearInterval(begun);
        sweep.kill("SIGINT");
      } catch {}
    }, 20);
    const { code, stderr } = await ended;
    expect(code, stderr).to.equal(130);
    expect(stderr).to.match(/[12] of 2 runs are left/);
    expect((await child("sweep", [...words, "--out", out])).code).to.equal(0);
    expect((await child("sweep", [...words, "--out", whole])).code).to.equal(0);
    const losses = (place: string) => readJson(`${place}/seed-0/result.json`).losses;
    expect(losses(out)).to.deep.equal(losses(whole));
  });
});
