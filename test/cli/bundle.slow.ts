import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, readdirSync, readFileSync, statSync, symlinkSync } from "node:fs";
import { expect } from "chai";
import { child, readJson, scratch } from "./command.js";

/** Ends a process of Node that looks for a host or connects to anything. */
const offline =
  "data:text/javascript," +
  encodeURIComponent(`import net from "node:net"; import dns from "node:dns";
const refuse = (what) => () => { console.error(what + " was asked for"); process.exit(99); };
net.Socket.prototype.connect = refuse("a connection");
dns.lookup = refuse("an address");`);

describe("a bundle, unpacked where there is nothing else", function () {
  this.timeout(600_000);
  const folder = scratch();
  /** whether this process may take the network away from others */
  const alone = spawnSync("unshare", ["-rn", "true"]).status === 0;
  let program: string;

  /** Runs the program with an environment that knows of no Node, no npm and no home. */
  const bundled = (...words: string[]) => {
    const command = [program, ...words];
    const [first, ...rest] = alone ? ["/usr/bin/unshare", "-rn", ...command] : command;
    const env = {
      ...{ PATH: "/nowhere", HOME: folder("nobody") },
      ...(alone ? {} : { NODE_OPTIONS: `--import=${offline}` }),
    };
    return spawnSync(first!, rest, { cwd: folder("empty"), env, encoding: "utf8" });
  };
  const here = async (...words: [string, ...string[]]) => {
    const found = await child(words[0], words.slice(1), { cwd: folder("here") });
    expect(found.code, found.stderr).to.equal(0);
    return found.stdout;
  };

  before(async function () {
    if (process.platform === "win32") this.skip();
    for (const name of ["here", "empty"]) mkdirSync(folder(name));
    await here("train", "influenza", "--steps", "20", "--out", "runs/influenza");
    await here("bundle", "runs/influenza", "--out", "revort.tar.gz");
    const { status, stderr } = spawnSync("tar", ["xzf", folder("here", "revort.tar.gz")], {
      cwd: folder("empty"),
      encoding: "utf8",
    });
    expect(stderr).to.equal("");
    expect(status).to.equal(0);
    const [name] = readdirSync(folder("empty"));
    // it runs wherever it is
    cpSync(folder("empty", name!), folder("else where"), { recursive: true });
    program = folder("else where", "revort");
  });

  it("is smaller than 60 MB, as far as Node itself is not larger than that of Node 20", () => {
    const node = statSync(process.execPath).size;
    // a program compresses to about 0.37 of its size
    const { size } = statSync(folder("here", "revort.tar.gz"));
    expect(size - Math.max(0, node - 100e6) * 0.4).to.be.below(60e6);
  });

  it("trains, solves, exports and inspects as the sources do, to the bit", async () => {
    const words = ["train", "influenza", "--steps", "30", "--out", "run", "--json"] as const;
    const { status, stderr } = bundled(...words);
    expect(status, stderr).to.equal(0);
    await here(...words);
    for (const name of ["params.safetensors", "field.onnx", "losses.csv", "fit.svg", "fit.png"])
      expect(
        readFileSync(folder("empty", "run", name)).equals(readFileSync(folder("here", "run", name))),
        name,
      ).to.be.true;
    for (const runtime of ["jit", "ort-cpu"]) {
      const solve = [
        ...["solve", "run/field.onnx", "--y0", "762,1,0", "--t0", "0", "--t1", "14"],
        ...["--save-at", "0:14:1", "--runtime", runtime],
      ] as [string, ...string[]];
      expect(bundled(...solve).stdout).to.equal(await here(...solve));
    }
    const exported = ["export", "run", "--what", "solve", "--out", "solve.onnx"] as const;
    expect(bundled(...exported).status).to.equal(0);
    await here(...exported);
    expect(readFileSync(folder("empty", "solve.onnx"))).to.deep.equal(
      readFileSync(folder("here", "solve.onnx")),
    );
    expect(bundled("inspect", "solve.onnx", "--json").stdout).to.equal(
      await here("inspect", "solve.onnx", "--json"),
    );
  });

  it("has the runs that were named, and goes on with them", () => {
    const run = folder("else where", "runs", "influenza");
    const { status, stderr } = bundled("train", "--resume", run, "--steps", "25");
    expect(status, stderr).to.equal(0);
    expect(readJson(`${run}/result.json`).steps).to.equal(25);
  });

  it("compares the runtimes that it has, and says why it has no others", () => {
    const words = ["bench", "run/field.onnx", "--runtimes", "jit,ort-cpu,ort-wasm,page/jit", "--batch", "1"];
    const { status, stdout, stderr } = bundled(...words, "--rounds", "1", "--steps", "2", "--json");
    expect(status, stderr).to.equal(0);
    const { rows } = JSON.parse(stdout) as { rows: { gradientUs: number | null; reason: string | null }[] };
    expect(rows.map(({ gradientUs }) => gradientUs !== null)).to.deep.equal([true, true, false, false]);
    expect(rows[2]!.reason).to.contain("not in this bundle");
    expect(rows[3]!.reason).to.contain("a clone");
  });

  it("starts processes and threads of its own kind", () => {
    const { status, stderr } = bundled(
      ...["sweep", "influenza", "--seeds", "0:2", "--steps", "2", "--out", "swept"],
    );
    expect(status, stderr).to.equal(0);
  });

  it("makes no other bundle, and says what to do instead", () => {
    const { status, stderr } = bundled("bundle");
    expect(status).to.equal(2);
    expect(stderr).to.match(/^revort: This revort came in a bundle\. Copy/m);
  });

  it("starts through a link", () => {
    symlinkSync(program, folder("empty", "revort-link"));
    const linked = spawnSync(folder("empty", "revort-link"), ["--version"], { encoding: "utf8" });
    expect(linked.stdout, linked.stderr).to.match(/^\d+\.\d+\.\d+/);
  });

  it("says which runtimes are left out, and which to use", () => {
    const { status, stderr } = bundled("train", "influenza", "--runtime", "ort-wasm", "--out", "never");
    expect(status).to.equal(1);
    expect(stderr).to.match(
      /^revort: ort-wasm is not in this bundle, which leaves out .*tfjs-cpu.* jit or ort-cpu/m,
    );
  });

  it("holds the licences of what is inside", () => {
    const text = readFileSync(folder("else where", "LICENSES.txt"), "utf8");
    for (const name of ["revort 0", "Node.js v", "onnxruntime-node 1", "zod ", "vega "])
      expect(text).to.contain(name);
    expect(text).to.contain("Node.js is licensed for use as follows");
  });
});
