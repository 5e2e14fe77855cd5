import { expect } from "chai";
import { solverNames } from "../../src/methods/named.js";
import { refusal, run } from "./command.js";

describe("the command line", () => {
  const commands = ["start", "train", "gradcheck", "solve", "export", "inspect", "figure", "generate"];

  it("explains itself", async () => {
    const { code, stdout, stderr } = await run(["--help"]);
    expect(code).to.equal(0);
    expect(stderr).to.equal("");
    for (const command of commands) expect(stdout).to.match(new RegExp(`\\n  ${command} `));
    expect((await run(["--version"])).stdout).to.match(/^\d+\.\d+\.\d+\n$/);
  });

  for (const command of commands) {
    it(`explains ${command}: every option with what it does`, async () => {
      const { code, stdout, stderr } = await run([command, "--help"]);
      expect(code).to.equal(0);
      expect(stderr).to.equal("");
      expect(stdout).to.match(new RegExp(`^Usage: revort ${command} `));
      // no line is wider than a terminal, and no option is without a word
      for (const line of stdout.split("\n")) {
        if (!line.startsWith("  revort ")) expect(line.length, line).to.be.at.most(100);
      }
      expect(stdout).not.to.match(/^ {2}-[^ ]*( <[^>]*>)?\s*(\n {2}-|: )/m);
    });
  }

  it("names what train needs to know: experiments, solvers, defaults, examples", async () => {
    const { stdout } = await run("train --help");
    const text = stdout.replace(/\s+/g, " ");
    for (const word of ["influenza", "white-dwarf", "a CSV file", ...solverNames])
      expect(text).to.include(word);
    for (const option of [
      "--field",
      "--gradient",
      "--coupling",
      "--step-size",
      "--dtype",
      "--runtime",
      "--steps",
    ]) {
      expect(text).to.include(option);
    }
    for (const option of [
      "--learning-rate",
      "--weight-decay",
      "--seed",
      "--init",
      "--resume",
      "--out",
      "--json",
    ]) {
      expect(text).to.include(option);
    }
    expect(text).to.include("auto by default for files of data").and.to.include("Examples:");
  });

  for (const [line, reason] of [
    ["trian influenza", /unknown command 'trian' \(Did you mean train\?\)/],
    ["train", /Name an experiment or a CSV file, or --resume a run/],
    ["train influensa", /did you mean "influenza"\? Name one of influenza, hare-lynx/],
    ["train pendulum", /There is no experiment "pendulum"\. Name one of/],
    ["train influenza --warm-start 8:4", /a perceptron on a file of data/],
    ["train influenza white-dwarf", /Name one experiment, or files of data/],
    ["train influenza --sovler rk4", /unknown option '--sovler' \(Did you mean --solver\?\)/],
    ["train influenza --lr 0.1", /unknown option '--lr'/],
    ["train influenza --solver rk44", /There is no solver "rk44"; did you mean "rk4"/],
    ["train influenza --solver", /argument missing/],
    ["train influenza --gradient revers", /There is no gradient "revers"/],
    [
      "train influenza --gradient reversable",
      /There is no gradient "reversable"\. Use one of reversible, direct/,
    ],
    ["train influenza --coupling 0", /λ must lie in \(0, 1\]/],
    ["train influenza --coupling -0.5", /λ must lie in \(0, 1\]/],
    ["train influenza --coupling 1.01", /λ must lie in \(0, 1\]/],
    [
      "train influenza --coupling strong",
      /--coupling takes a number in \(0, 1\], or auto, but "strong" was given/,
    ],
    ["train influenza --gradient checkpoint:0", /positive whole number after the colon/],
    ["train influenza --gradient direct:3", /takes no option/],
    ["train influenza --rtol -1", /--rtol takes a number, 0 or more/],
    [
      "train influenza --rtol 1e-6 --controller constant",
      /--controller constant takes --step-size, not --rtol/,
    ],
    ["train influenza --controller pit", /did you mean "pid?"/],
    ["train influenza --step-size -1", /--step-size takes a positive number/],
    ["train influenza --steps many", /--steps takes a whole number, 0 or more, but "many"/],
    ["train influenza --steps 1.5", /--steps takes a whole number/],
    ["train influenza --steps -1", /--steps takes a whole number/],
    ["train influenza --steps=", /--steps takes a whole number/],
    ["train influenza --learning-rate 0", /--learning-rate takes a positive number/],
    ["train influenza --learning-rate NaN", /--learning-rate takes a positive number/],
    ["train influenza --weight-decay -1", /--weight-decay takes a number, 0 or more/],
    ["train influenza --optimiser adam --weight-decay 0.1", /adam has no weight decay/],
    ["train influenza --optimiser adamx", /did you mean "adam"/],
    ["train influenza --patience 0", /--patience takes a whole number, 1 or more/],
    ["train influenza --threads 0", /--threads takes auto or a whole number, 1 or more, but "0" was given/],
    ["train influenza --threads all", /--threads takes auto or a whole number/],
    ["gradcheck influenza --threads 2", /unknown option '--threads'/],
    ["train influenza --seed -1", /--seed takes a whole number/],
    ["train influenza --seed 1e99", /--seed takes a whole number/],
    ["train influenza --dtype double", /--dtype takes one of float64, float32/],
    ["train influenza --runtime gpu", /--runtime takes one of auto, jit, ort-cpu/],
    ["train influenza --loss mae", /--loss takes one of mse, l1, huber/],
    ["train influenza --activation tanj", /did you mean "tanh"/],
    ["train influenza --checkpoint-every 0", /--checkpoint-every takes a positive number/],
    ["train influenza --init nothing.safetensors", /no such file/],
    ["train nothing.csv", /no such file/],
    ["train --resume", /argument missing/],
    ["solve --y0 1 --t0 0 --t1 1", /Give either an .onnx file or --field/],
    ["export --out x.onnx", /missing required argument 'run'/],
    ["inspect", /Give the file to inspect, or --runtimes/],
    ["inspect nothing.onnx", /nothing\.onnx cannot be read/],
    ["inspect a.onnx b.onnx", /too many arguments/],
    ["figure nothing", /There is no figure "nothing"\. Name one of/],
  ] as const) {
    it(`refuses: ${line}`, async () => {
      expect(await refusal(2, ...line.split(" "))).to.match(reason);
    });
  }

  it("shows a stack trace with --debug, and only then", async () => {
    const plain = await run("train influensa");
    expect(plain.stderr.trimEnd().split("\n")).to.have.length(1);
    const { code, stderr } = await run("train influensa --debug");
    expect(code).to.equal(2);
    expect(stderr).to.match(/UsageError: There is no experiment.*\n +at /);
  });

  it("shows its help where no command is given", async () => {
    const { code, stdout, stderr } = await run([]);
    expect(code).to.equal(2);
    expect(stdout).to.equal("");
    expect(stderr).to.match(/^Usage: revort/);
  });
});
