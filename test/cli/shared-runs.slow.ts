import { spawnSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from "node:fs";
import { expect } from "chai";
import { Random } from "../../src/core/random.js";
import { child, fixture, readJson, refusal, run, scratch, start, written } from "./command.js";

// an update of a few milliseconds, so that kills fall into updates and into writing alike
const words = ["white-dwarf", "--field", "mlp:8", "--step-size", "0.02", "--runtime", "ort-cpu"];

async function until(there: () => boolean): Promise<void> {
  for (let i = 0; !there(); i++) {
    if (i > 3000) throw new Error("it did not come");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const locks = (place: string) =>
  existsSync(place) ? readdirSync(place).filter((name) => /^lock-\w+\.json$/.test(name)) : [];

describe("a run's folder, in use", () => {
  const folder = scratch();

  it("is one process's at a time: another is refused by name, and one that was killed is followed", async () => {
    const place = folder("taken");
    const running = start("train", [
      ...words,
      "--steps",
      "100000",
      "--checkpoint-every",
      "0.1",
      "--out",
      place,
    ]);
    await until(() => existsSync(`${place}/checkpoint.safetensors`));
    for (const others of [
      ["--resume", place],
      [...words, "--out", place, "--overwrite"],
    ]) {
      const message = await refusal(2, "train", ...others);
      expect(message).to.include(`"${place}" is in use by the process ${running.process.pid} on `);
      expect(message).to.match(/, since \d{4}-\d\d-\d\dT[\d:.]+Z\. Wait until it has ended, or stop it\.$/);
    }
    // to read it is no harm
    expect((await run(["export", place, "--out", folder("taken.onnx")])).code).to.equal(0);
    expect((await run(["train", "--resume", place, "--out", folder("copy")], /training/)).code).to.equal(130);
    running.process.kill("SIGKILL");
    await running.ended;
    expect(locks(place)).to.have.length(1);
    const { code, stderr } = await run(["train", "--resume", place], /training/);
    expect(code, stderr).to.equal(130);
    expect(stderr).to.include(`The process ${running.process.pid}, which was training ${place} since `);
    expect(stderr).to.include("has died; taking over.");
    for (const run of [place, folder("copy")]) expect(locks(run)).to.deep.equal([]);
  });

  it("is given up by a training that fails, and by a request that is wrong", async () => {
    const place = folder("failing");
    const failed = await run([
      "train",
      "influenza",
      "--learning-rate",
      "1e5",
      "--steps",
      "50",
      "--out",
      place,
    ]);
    expect(failed.code, failed.stderr).to.equal(1);
    expect(locks(place)).to.deep.equal([]);
    await refusal(2, "train", "influenza", "--out", place);
    await refusal(2, "train", "--resume", place, "--seed", "9");
    expect(locks(place)).to.deep.equal([]);
    const clash = folder("clash");
    await refusal(2, "train", "--resume", place, "--seed", "9", "--out", clash);
    expect(existsSync(clash)).to.equal(false);
  });

  it("goes on to the bit however often it is killed, at whatever moment, and is tidy at the end", async function () {
    // eight processes, each to be started anew
    this.timeout(300_000);
    const [whole, place] = [folder("whole"), folder("killed")];
    const results = (of: string) => ({
      losses: readJson(`${of}/result.json`).losses,
      files: ["params.safetensors", "field.onnx", "losses.csv"].map((name) =>
        readFileSync(`${of}/${name}`, "hex"),
      ),
    });
    const steps = ["--steps", "120"];
    expect((await child("train", [...words, ...steps, "--out", whole])).code).to.equal(0);
    const random = Random.seeded(83);
    for (let kill = 0; kill < 5; kill++) {
      const begun = existsSync(`${place}/run.json`);
      const running = start("train", [
        ...(begun ? ["--resume", place] : [...words, ...steps, "--out", place]),
        "--checkpoint-every",
        "0.001",
      ]);
      const before = locks(place);
      await until(
        () => locks(place).some((name) => !before.includes(name)) || running.process.exitCode !== null,
      );
      await new Promise((resolve) => setTimeout(resolve, 700 * random.uniform()));
      running.process.kill("SIGKILL");
      await running.ended;
    }
    const { code, stderr } = await child(
      "train",
      existsSync(`${place}/run.json`) ? ["--resume", place] : [...words, ...steps, "--out", place],
    );
    expect(code, stderr).to.equal(0);
    expect(results(place)).to.deep.equal(results(whole));
    // neither locks nor half-written files
    expect(readdirSync(place).sort()).to.deep.equal(readdirSync(whole).sort());
  });

  it("loses the half-written files of a process that was killed, and keeps what is not its own", async () => {
    const place = folder("orphans");
    const field = fixture("scalar-state-dynamo-18.onnx");
    const data = written(folder("one.csv"), "t,x\n0,1\n1,2\n");
    expect((await run(["train", data, "--field", field, "--steps", "1", "--out", place])).code).to.equal(0);
    const before = readdirSync(place, { recursive: true }).sort();
    const orphans = [
      "checkpoint.safetensors",
      "run.json",
      "data-one.csv",
      "fit.svg",
      "initial-field/scalar-state-dynamo-18.onnx",
    ];
    for (const name of orphans) written(`${place}/${name}.0123abcd.tmp`, "half");
    written(`${place}/notes.0123abcd.tmp`, "mine");
    expect((await run(["train", "--resume", place, "--steps", "2"])).code).to.equal(0);
    expect(readdirSync(place, { recursive: true }).sort()).to.deep.equal(
      [...before, "notes.0123abcd.tmp"].sort(),
    );
    written(`${place}/losses.csv.0123abcd.tmp`, "half");
    expect(
      (await run(["train", data, "--field", "mlp:2", "--steps", "1", "--out", place, "--overwrite"])).code,
    ).to.equal(0);
    expect(readdirSync(place).filter((name) => name.endsWith(".tmp"))).to.deep.equal(["notes.0123abcd.tmp"]);
  });
});

describe("a run's folder that came from somebody else", () => {
  const folder = scratch();
  let made = 0;
  const data = () => written(folder("two.csv"), "t,x\n0,1\n1,2\n");
  /** A run of own data with an imported field and initial parameters: every kind of file there is. */
  const trained = async (): Promise<string> => {
    const field = fixture("scalar-state-dynamo-18.onnx");
    const place = folder(`run-${++made}`);
    expect(
      (
        await run([
          "train",
          data(),
          "--field",
          field,
          "--steps",
          "1",
          "--out",
          folder("first"),
          "--overwrite",
        ])
      ).code,
    ).to.equal(0);
    const words = ["train", data(), "--field", field, "--init", folder("first", "params.safetensors")];
    const { code, stderr } = await run([...words, "--steps", "1", "--out", place]);
    expect(code, stderr).to.equal(0);
    return place;
  };
  const files = [
    "run.json",
    "checkpoint.safetensors",
    "data-two.csv",
    "initial-params.safetensors",
    "initial-field",
    "initial-field/scalar-state-dynamo-18.onnx",
  ];

  it("is not read through symbolic links", async function () {
    if (process.platform === "win32") this.skip();
    const place = await trained();
    for (const name of files) {
      const aside = folder(`aside-${name.replace("/", "-")}`);
      renameSync(`${place}/${name}`, aside);
      symlinkSync(aside, `${place}/${name}`);
      for (const command of [
        ["train", "--resume", place],
        ["train", "--resume", place, "--steps", "3", "--out", folder("leak")],
        ["export", place, "--out", folder("leak.onnx")],
      ]) {
        const { code, stderr } = await run(command);
        expect(code, `${name}: ${stderr}`).to.be.oneOf([1, 2]);
        expect(stderr).to.match(
          /^revort: Cannot read ".*": it is a symbolic link, which is not followed out of/m,
        );
      }
      expect(existsSync(folder("leak"))).to.equal(false);
      rmSync(`${place}/${name}`);
      renameSync(aside, `${place}/${name}`);
    }
    expect((await run(["train", "--resume", place, "--steps", "2"])).code).to.equal(0);
  });

  it("is not written through symbolic links, which nothing outside it survives", async function () {
    if (process.platform === "win32") this.skip();
    for (const name of ["checkpoint.safetensors", "result.json", "losses.csv", "fit.svg"]) {
      const place = await trained();
      const victim = written(folder("victim"), "precious");
      rmSync(`${place}/${name}`);
      symlinkSync(victim, `${place}/${name}`);
      const { code, stderr } = await run(["train", "--resume", place, "--steps", "2"]);
      expect(code, stderr).to.be.oneOf([1, 2]);
      expect(stderr).to.include("it is a symbolic link");
      expect(readFileSync(victim, "utf8")).to.equal("precious");
      expect(lstatSync(`${place}/${name}`).isSymbolicLink()).to.equal(true);
    }
  });

  it("is refused where its files are pipes, devices or folders, and never waited for", async function () {
    if (process.platform === "win32") this.skip();
    const place = await trained();
    for (const name of files.filter((file) => file !== "initial-field")) {
      const aside = folder("aside");
      renameSync(`${place}/${name}`, aside);
      for (const make of [
        () => expect(spawnSync("mkfifo", [`${place}/${name}`]).status).to.equal(0),
        () => mkdirSync(`${place}/${name}`),
      ]) {
        make();
        const { code, stderr } = await run(["train", "--resume", place]);
        expect(code, `${name}: ${stderr}`).to.be.oneOf([1, 2]);
        expect(stderr).to.match(/^revort: Cannot read ".*": it is a (pipe|folder)/m);
        rmSync(`${place}/${name}`, { recursive: true });
      }
      renameSync(aside, `${place}/${name}`);
    }
  });
});

describe("files on the command line that are none", () => {
  const folder = scratch();
  const solve = ["--y0", "1", "--t0", "0", "--t1", "1"];

  it("are refused by their kind, and never waited for", async function () {
    if (process.platform === "win32") this.skip();
    const pipe = folder("pipe.onnx");
    expect(spawnSync("mkfifo", [pipe]).status).to.equal(0);
    const data = written(folder("x.csv"), "t,x\n0,1\n1,2\n");
    for (const line of [
      ["train", pipe],
      ["train", "/dev/zero"],
      ["train", folder()],
      ["train", data, "--field", pipe],
      ["train", data, "--field", "mlp:2", "--init", pipe],
      ["train", data, "--field", "mlp:2", "--init", "/dev/random"],
      ["train", "coupled-oscillator", "--data", "/dev/null"],
      ["solve", pipe, ...solve],
      ["solve", "/dev/zero", ...solve],
      ["inspect", pipe],
      ["inspect", "/dev/tty"],
    ]) {
      const out = line[0] === "train" ? ["--out", folder("none")] : [];
      expect(await refusal(2, ...line, ...out), line.join(" ")).to.match(
        /is not a file|it is a (pipe|device|folder)|cannot be read/,
      );
    }
    const field = fixture("scalar-state-dynamo-18.onnx");
    for (const out of ["/dev/null", pipe, folder()]) {
      expect(await refusal(1, "solve", field, ...solve, "--out", out)).to.match(
        /Cannot write ".*": it is a (device|pipe|folder)/,
      );
    }
  });

  it("but data may come through a pipe", () => {
    const place = folder("piped");
    const line = `npx tsx scripts/train.ts <(printf 't,x\\n0,1\\n1,2\\n') --field mlp:2 --steps 1 --out ${place}`;
    const { status, stderr } = spawnSync("bash", ["-c", line], { encoding: "utf8" });
    expect(status, stderr).to.equal(0);
    // and the run keeps it
    expect(readFileSync(`${place}/${readJson(`${place}/run.json`).settings.dataFile}`, "utf8")).to.equal(
      "t,x\n0,1\n1,2\n",
    );
  });
});
