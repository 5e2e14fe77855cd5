import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { expect } from "chai";
import { child, fixture, readJson, scratch, script, sentence, start, written } from "./command.js";

/** Resolves as soon as the process has written this to stderr. */
function shown(running: ReturnType<typeof start>, pattern: RegExp): Promise<void> {
  let text = "";
  return new Promise((resolve, reject) => {
    running.process.stderr!.on("data", (chunk) => {
      text += chunk;
      if (pattern.test(text)) resolve();
    });
    running.ended.then(
      ({ stderr }) => reject(new Error(`ended before ${pattern} was shown: ${stderr}`)),
      reject,
    );
  });
}

async function appears(path: string): Promise<void> {
  for (let i = 0; !existsSync(path); i++) {
    if (i > 3000) throw new Error(`${path} did not appear`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe("scripts, as processes", () => {
  const folder = scratch();
  // long enough to be interrupted, short enough to be awaited
  const words = ["influenza", "--step-size", "0.5", "--steps", "400", "--runtime", "ort-cpu"];
  const results = (place: string) => ({
    losses: readJson(`${place}/result.json`).losses,
    parameters: readFileSync(`${place}/params.safetensors`).toString("hex"),
  });
  let whole: ReturnType<typeof results>;

  it("put JSON alone on stdout, and everything else on stderr", async () => {
    const place = folder("whole");
    const { code, stdout, stderr } = await child("train", [...words, "--out", place, "--json"]);
    expect(code, stderr).to.equal(0);
    expect(JSON.parse(stdout)).to.deep.equal(readJson(`${place}/result.json`));
    expect(stdout.trimEnd().split("\n")).to.have.length(1);
    expect(stderr).to.match(/400\/400/);
    whole = results(place);
  });

  it("stop after the current update at Ctrl-C, with exit code 130, and go on to the bit", async () => {
    const place = folder("stopped");
    const running = start("train", [...words, "--out", place, "--json"]);
    await shown(running, /training.*1\/400/);
    running.process.kill("SIGINT");
    const { code, stdout, stderr } = await running.ended;
    expect(code, stderr).to.equal(130);
    expect(stderr).to.include("Stopping; press Ctrl-C again");
    expect(stderr).to.include(`Continue with: revort train --resume ${place}`);
    const stopped = JSON.parse(stdout);
    expect(stopped).to.include({ stopped: "aborted" });
    expect(stopped.steps).to.be.within(1, 399);
    expect((await child("train", ["--resume", place])).code).to.equal(0);
    expect(results(place)).to.deep.equal(whole);
  });

  it("go on to the bit after kill -9, from the last checkpoint", async () => {
    const place = folder("killed");
    const running = start("train", [...words, "--out", place, "--checkpoint-every", "0.01"]);
    await shown(running, /training/);
    await appears(`${place}/checkpoint.safetensors`);
    running.process.kill("SIGKILL");
    expect((await running.ended).signal).to.equal("SIGKILL");
    expect(existsSync(`${place}/result.json`)).to.equal(false);
    // what was reached can be exported before it goes on
    const out = folder("killed.onnx");
    expect((await child("export", [place, "--out", out])).code).to.equal(0);
    const { code, stderr } = await child("train", ["--resume", place]);
    expect(code, stderr).to.equal(0);
    expect(results(place)).to.deep.equal(whole);
  });

  it("end at once at the second Ctrl-C, and leave a run that goes on", async () => {
    const place = folder("twice");
    const running = start("train", [
      ...words,
      "--steps",
      "100000",
      "--out",
      place,
      "--checkpoint-every",
      "0.01",
    ]);
    await shown(running, /training/);
    await appears(`${place}/checkpoint.safetensors`);
    const stopping = shown(running, /Stopping/);
    running.process.kill("SIGINT");
    await stopping;
    running.process.kill("SIGINT");
    expect((await running.ended).code).to.equal(130);
    expect((await child("export", [place, "--out", folder("twice.onnx")])).code).to.equal(0);
  });

  it("end at Ctrl-C during start-up, and leave nothing", async () => {
    const place = folder("early");
    const running = start("train", [...words, "--out", place]);
    await new Promise((resolve) => setTimeout(resolve, 150));
    running.process.kill("SIGINT");
    const { code, signal } = await running.ended;
    // a shell shows 130 for either
    expect(code === 130 || signal === "SIGINT").to.equal(true);
    expect(existsSync(`${place}/result.json`)).to.equal(false);
  });

  it("stop a solve at Ctrl-C, with exit code 130", async () => {
    for (const steps of ["--rtol 1e-6 --step-size 1e-5 --max-steps 100000000", "--step-size 1e-5"]) {
      const line = `--y0 1,0 --t0 0 --t1 500 ${steps} --runtime ort-cpu`;
      const running = start("solve", [fixture("mlp-dynamo-20-float64.onnx"), ...line.split(" ")]);
      await new Promise((resolve) => setTimeout(resolve, 3000));
      running.process.kill("SIGINT");
      const { code, signal, stdout } = await running.ended;
      // a shell shows 130 for either
      expect(code === 130 || signal === "SIGINT", `${code} ${signal}`).to.equal(true);
      expect(stdout).to.equal("");
    }
  });

  it("take a closed pipe for no failure", () => {
    const field = fixture("mlp-dynamo-20-float64.onnx");
    const line = `node --import tsx ${script("solve")} ${field} --y0 1,0 --t0 0 --t1 5 --save-at 0:5:0.0005`;
    const cwd = new URL("../..", import.meta.url);
    const { stdout, stderr, status } = spawnSync("bash", ["-o", "pipefail", "-c", `${line} | head -n 2`], {
      cwd,
      encoding: "utf8",
    });
    expect(stdout).to.equal("t,y0,y1\n0,1,0\n");
    expect(stderr).to.equal("");
    expect(status).to.equal(0);
  });

  it("say in one sentence that a stream takes no more, and fail", function () {
    if (!existsSync("/dev/full")) this.skip();
    const field = fixture("mlp-dynamo-20-float64.onnx");
    const shell = (line: string) =>
      spawnSync("bash", ["-c", line], { cwd: new URL("../..", import.meta.url), encoding: "utf8" });
    const place = folder("full");
    for (const words of [
      `${script("solve")} ${field} --y0 1,0 --t0 0 --t1 5`,
      `${script("inspect")} ${field} --json`,
      `${script("train")} --help`,
      `${script("train")} influenza --steps 1 --json --out ${place}`,
    ]) {
      const { status, stderr } = shell(`node --import tsx ${words} > /dev/full`);
      expect(status, words).to.equal(1);
      expect(sentence(stderr), words).to.include("Cannot write to standard output: the disk is full");
    }
    // the run is whole: only its summary was lost
    expect(existsSync(`${place}/result.json`)).to.equal(true);
    // what nobody could be told is a failure too, and what nobody wants to read is none
    const silent = shell(`node --import tsx ${script("train")} --resume ${place} 2> /dev/full`);
    expect(silent.status).to.equal(1);
    expect(silent.stdout).to.include("Written to");
    const closed = shell(`node --import tsx ${script("inspect")} ${field} >&- 2>&-`);
    expect({ ...closed }).to.include({ status: 0, stdout: "", stderr: "" });
  });

  it("say in one sentence that a run does not fit on the disk, and leave it as it was", async () => {
    const place = folder("narrow");
    const run = ["white-dwarf", "--field", "mlp:64,64", "--steps", "1", "--out", place];
    expect((await child("train", run)).code).to.equal(0);
    const before = readdirSync(place).sort();
    const checkpoint = readFileSync(`${place}/checkpoint.safetensors`, "hex");
    // a limit on the size of files gives a short write followed by an error, as a full disk does
    const line = `ulimit -f 16; exec node --import tsx ${script("train")} --resume ${place} --steps 2`;
    const { status, stdout, stderr } = spawnSync("bash", ["-c", line], {
      cwd: new URL("../..", import.meta.url),
      encoding: "utf8",
    });
    expect(status, stderr).to.equal(1);
    expect(stdout).to.equal("");
    expect(sentence(stderr)).to.match(/Cannot write ".*checkpoint\.safetensors": the file would be larger/);
    expect(readdirSync(place).sort()).to.deep.equal(before);
    expect(readFileSync(`${place}/checkpoint.safetensors`, "hex")).to.equal(checkpoint);
    expect((await child("train", ["--resume", place])).code).to.equal(0);
  });

  it("fail with one sentence and an exit code of their own", async () => {
    const wrong = await child("train", ["influensa"]);
    expect(wrong.code).to.equal(2);
    expect(wrong.stdout).to.equal("");
    expect(sentence(wrong.stderr)).to.include("influenza");
    const failed = await child("train", ["influenza", "--steps", "1", "--out", "/proc/revort"]);
    expect(failed.code).to.equal(1);
    sentence(failed.stderr);
  });

  it("run from any folder, with spaces and other scripts in paths, and without a home to write to", async () => {
    const place = folder("a folder", "Ünïcödé 日本");
    mkdirSync(place, { recursive: true });
    written(`${place}/my data.csv`, "t,x\r\n0,1\r\n1,0.5\r\n2,0.2\r\n");
    cpSync(fixture("scalar-state-dynamo-18.onnx"), `${place}/my field.onnx`);
    const options = { cwd: place, env: { HOME: "/nonexistent" } };
    const trained = await child(
      "train",
      ["my data.csv", "--field", "my field.onnx", "--steps", "2", "--json"],
      options,
    );
    expect(trained.code, trained.stderr).to.equal(0);
    expect(JSON.parse(trained.stdout).out).to.equal("runs/my data");
    const again = await child(
      "train",
      ["my data.csv", "--field", "mlp:2", "--steps", "1", "--json"],
      options,
    );
    expect(JSON.parse(again.stdout).out).to.equal("runs/my data-2");
    const resumed = await child("train", ["--resume", "runs/my data", "--steps", "3"], options);
    expect(resumed.code, resumed.stderr).to.equal(0);
    const solved = await child(
      "solve",
      ["runs/my data/field.onnx", "--y0", "-1", "--t0", "0", "--t1", "1", "--out", "Lösung.csv"],
      options,
    );
    expect(solved.code, solved.stderr).to.equal(0);
    expect(readdirSync(place).sort()).to.deep.equal(["Lösung.csv", "my data.csv", "my field.onnx", "runs"]);
  });

  it("let two trainings of one name begin at once, each in its own folder", async () => {
    const cwd = folder("together");
    mkdirSync(cwd);
    const both = await Promise.all(
      ["0", "1"].map((seed) =>
        child("train", ["influenza", "--steps", "1", "--seed", seed, "--json"], { cwd }),
      ),
    );
    expect(both.map(({ stdout }) => JSON.parse(stdout).out).sort()).to.deep.equal([
      "runs/influenza",
      "runs/influenza-2",
    ]);
  });
});
