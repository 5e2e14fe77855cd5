import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect } from "chai";
import { tensor } from "../../src/core/tensor.js";
import { bareSession } from "../deploy/bare.js";
import { layer, oscillator, type Served, serving } from "./served.js";

const python = process.env.REVORT_PYTHON ?? "python3";

/** Runs Python beside the server, which has to answer meanwhile. */
function run(
  cwd: string,
  ...words: readonly string[]
): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    // schemathesis leaves a folder behind where it runs
    const child = spawn(python, words, { cwd });
    const said = { stdout: "", stderr: "" };
    for (const name of ["stdout", "stderr"] as const)
      child[name].on("data", (chunk) => {
        said[name] += chunk;
      });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, ...said }));
  });
}

describe("clients of others", function () {
  this.timeout(200_000);
  let served: Served;
  const clients = new Map<string, { works: boolean | null; reason?: string; y?: number[][] }>();
  before(async () => {
    served = await serving({ "layer.onnx": layer(), "oscillator.onnx": oscillator() });
    const script = fileURLToPath(new URL("clients.py", import.meta.url));
    const { code, stdout, stderr } = await run(served.folder, script, served.url).catch(() => ({
      code: 1,
      stdout: "",
      stderr: "No module",
    }));
    if (code !== 0 && !/No module/.test(stderr)) throw new Error(stderr);
    for (const line of stdout.split("\n").filter(Boolean)) {
      const { client, ...found } = JSON.parse(line);
      clients.set(client, found);
    }
  });

  after(() => served.close());

  for (const client of ["tritonclient, binary", "tritonclient, JSON", "kserve"]) {
    it(`get what ONNX Runtime computes: ${client}`, async function () {
      const found = clients.get(client);
      if (!found?.works) {
        console.log(`      skipped: ${found?.reason ?? `${python} has no numpy`}`);
        this.skip();
      }
      expect(found.y).to.have.length(3);
      const session = await bareSession(layer());
      // of the rows that numpy draws, the first
      const x = [
        0.1257302165031433, -0.13210485875606537, 0.6404226422309875, 0.10490011423826218,
        -0.5356693863868713,
      ];
      const { y } = await session.run({ x: tensor("float32", [2, 5], [...x, ...x]) });
      expect(found.y![0]).to.deep.equal([...(y!.data as Float32Array).slice(0, 7)]);
    });
  }

  it("find nothing wrong with what the server says of itself: schemathesis", async function () {
    const { code } = await run(served.folder, "-c", "import schemathesis").catch(() => ({ code: 1 }));
    if (code !== 0) {
      console.log(`      skipped: ${python} has no schemathesis`);
      this.skip();
    }
    // which data a model takes is its own matter: no schema of the server says it
    const unsaid = ["--exclude-checks", "positive_data_acceptance"];
    const words = [
      "--max-examples",
      "20",
      "--seed",
      "1",
      "--no-color",
      "--suppress-health-check",
      "all",
      ...unsaid,
    ];
    const start = "import sys; from schemathesis.cli import schemathesis; schemathesis(sys.argv[1:])";
    const {
      code: found,
      stdout,
      stderr,
    } = await run(served.folder, "-c", start, "run", `${served.url}/openapi.json`, ...words);
    expect(found, stdout.slice(-4000) + stderr).to.equal(0);
    expect(stdout).to.match(/[1-9]\d* generated/);
  });
});
