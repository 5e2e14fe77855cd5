import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { expect } from "chai";
import { InferenceSession, Tensor as OrtTensor } from "onnxruntime-node";
import { decode } from "../../src/graph/decode.js";
import { decodeSafetensors } from "../../src/storage/safetensors.js";
import { json, readJson, refusal, run, scratch } from "./command.js";

/** Enough updates to see the loss fall. */
const quick = ["--steps", "12", "--warmup", "0", "--learning-rate", "0.01"];

/** Small enough for a test. */
const small = [
  ...["train", "revdeq-lm", "--width", "8", "--heads", "2", "--hidden", "16", "--context", "16"],
  ...["--batch-size", "4", "--validation-windows", "8", "--validate-every", "6", "--runtime", "jit"],
];

describe("revort train revdeq-lm", () => {
  const folder = scratch();
  let made = 0;
  const out = () => folder(`run-${++made}`);

  for (const model of ["revdeq", "deq", "transformer"]) {
    it(`trains a ${model}, prints everything about it as JSON, and leaves its files`, async () => {
      const place = out();
      const report = await json(...small, "--model", model, ...quick, "--out", place);
      expect(report).to.include({
        ...{ experiment: "revdeq-lm", model, config: "tiny", runtime: "jit", dtype: "float32", seed: 0 },
        ...{ steps: 12, stopped: "done", out: place },
      });
      expect(report.losses).to.have.length(12);
      expect(report.losses[11]).to.be.below(report.losses[0]);
      expect(report.validations.map(({ step }: { step: number }) => step)).to.deep.equal([0, 6, 12]);
      expect(report.tokensPerSecond).to.be.closeTo((4 * 16) / report.secondsPerStep, 1e-6);
      const best = Math.min(...report.validations.map(({ loss }: { loss: number }) => loss));
      expect(report.perplexity.token).to.equal(Math.exp(best));
      expect(report.perplexity.word).to.be.above(report.perplexity.token);
      // embeddings 257 · 8 and 16 · 8, a cell with its norms, the last norm, a head without bias
      const cell = 2 * 16 + (24 * 8 + 24) + (8 * 8 + 8) + (16 * 8 + 16) + (8 * 16 + 8);
      expect(report.parameters).to.equal(257 * 8 + 16 * 8 + cell + 16 + 257 * 8);
      const isDeep = model !== "transformer";
      expect(report.residual === null).to.equal(!isDeep);
      if (isDeep) expect(report.iterations).to.be.within(1, 4);
      expect(report.reconstructionError === null).to.equal(model !== "revdeq");
      expect(readdirSync(place).sort()).to.deep.equal([
        ...["checkpoint.safetensors", "losses.csv", "losses.png", "losses.svg", "params.safetensors"],
        ...["predict.onnx", "report.html", "result.json", "run.json"],
      ]);
      expect(readJson(`${place}/result.json`)).to.deep.equal(report);
    });
  }

  it("goes on as if it had never stopped, to the bit, with dropout and in parts", async () => {
    const [whole, parts] = [out(), out()];
    const words = [...small, "--dropout", "0.2", "--schedule", "plateau", "--accumulate", "2"];
    const one = await json(...words, "--steps", "5", "--out", whole);
    await json(...words, "--steps", "2", "--out", parts);
    const two = await json("train", "--resume", parts, "--steps", "5");
    expect(two.losses).to.deep.equal(one.losses);
    // each evaluation of a solve drops the same, so that its steps are undone: to rounding, in float64
    expect(one.reconstructionError).to.be.below(1e-12);
    for (const file of ["params.safetensors", "losses.csv"]) {
      expect(readFileSync(`${parts}/${file}`).equals(readFileSync(`${whole}/${file}`)), file).to.equal(true);
    }
  });

  it("has its state in float32 if told so, warns of more steps than can be undone, and learns the same with helpers", async () => {
    const words = [...small, "--state", "float32", "--iterations", "14", "--tolerance", "0", "--steps", "2"];
    const alone = await run([...words, "--out", out(), "--json"]);
    expect(alone.code, alone.stderr).to.equal(0);
    expect(alone.stderr).to.include("in float32, no more than 13 can be relied on");
    const helped = await json(...words, "--helpers", "1", "--out", out());
    expect(helped.losses).to.deep.equal(JSON.parse(alone.stdout).losses);
  });

  it("learns from files, and goes on with the same ones alone", async () => {
    const [text, other, place] = [folder("text.txt"), folder("other.txt"), out()];
    writeFileSync(text, "one two three four five six seven\n".repeat(20));
    writeFileSync(other, "seven six five four three two one\n".repeat(4));
    const words = [...small, "--data", text, "--validation", other, "--steps", "1", "--out", place];
    await json(...words);
    const { languageModel } = readJson(`${place}/run.json`);
    expect(languageModel.data).to.have.length(1);
    expect(languageModel.validation[0]).to.include({ path: other, bytes: 136 });
    // eight windows are all there are, so that a validation sees the whole text
    const { perplexity } = readJson(`${place}/result.json`);
    const { measures } = await json("evaluate", place);
    expect(measures["validation text"].metrics["perplexity per token"]).to.be.closeTo(perplexity.token, 1e-4);
    const file = await json("evaluate", place, "--data", other);
    expect(file.measures["other.txt"].loss).to.be.closeTo(measures["validation text"].loss, 1e-9);
    expect(await refusal(2, "predict", place)).to.include("revort generate");
    expect(await refusal(2, "evaluate", place, "--best")).to.include("fits to trajectories");
    writeFileSync(other, "something else\n".repeat(20));
    expect(await refusal(2, "train", "--resume", place, "--steps", "2")).to.match(
      /other\.txt is not the text that the run began with/,
    );
  });

  it("has a tokenizer from a file, which the run keeps", async () => {
    const place = out();
    const file = new URL("../language/small-tokenizer.json", import.meta.url).pathname;
    await json(...small, "--tokenizer", file, "--steps", "1", "--out", place);
    expect(readFileSync(`${place}/tokenizer.json`, "utf8")).to.equal(readFileSync(file, "utf8"));
    expect(readJson(`${place}/run.json`).languageModel.configuration.vocabulary).to.equal(320);
    const { tokens } = await json("generate", place, "--prompt", "The", "--tokens", "3");
    expect(tokens).to.have.length(3);
  });

  it("refuses what makes no sense, and leaves nothing behind", async () => {
    const place = out();
    for (const [words, message] of [
      [["--heads", "3"], /A width of 8 cannot be divided among 3 heads/],
      [["--tokenizer", "gpt5"], /--tokenizer takes bytes, gpt2 or a tokenizer\.json, but "gpt5" was given/],
      [["--data", folder("none.txt")], /Cannot read ".*none\.txt"/],
      [["--context", "100000"], /has \d+ tokens, but a window takes 100001/],
      [["--config", "huge"], /--config takes one of tiny, small, paper/],
    ] as const) {
      expect(await refusal(2, ...small, ...words, "--steps", "1", "--out", place)).to.match(message);
      expect(existsSync(place)).to.equal(false);
    }
  });

  it("keeps the settings of a run that goes on, and is no run of a field", async () => {
    const place = out();
    await json(...small, "--steps", "1", "--out", place);
    expect(await refusal(2, "train", "revdeq-lm", "--resume", place, "--width", "16")).to.match(
      /keeps its settings; leave out --width/,
    );
    expect(await refusal(2, "predict", place, "--to", "1")).to.match(
      /is the run of a language model, which goes on with texts/,
    );
    expect(await refusal(2, ...small, "--out", place)).to.match(/holds a run already/);
  });

  it("shows its configurations in its own help, and says so in that of train", async () => {
    const { stdout } = await run(["train", "revdeq-lm", "--help"]);
    for (const name of ["tiny", "small", "paper"]) expect(stdout).to.match(new RegExp(`  ${name}: `));
    expect((await run(["train", "--help"])).stdout).to.include("revdeq-lm");
  });
});

describe("revort export of a language model", () => {
  const folder = scratch();
  const place = folder("run");
  before(() => json(...small, ...quick, "--out", place));

  it("writes the model, its cell and its training step, which ONNX Runtime runs", async () => {
    const { inputs, outputs } = await json("export", place, "--out", folder("model.onnx"));
    expect(inputs.map(({ name }: { name: string }) => name)).to.deep.equal(["tokens"]);
    expect(outputs.map(({ name }: { name: string }) => name)).to.deep.equal(["logits", "residual", "steps"]);
    await json("export", place, "--best", "--out", folder("best.onnx"));
    expect(readFileSync(folder("best.onnx")).equals(readFileSync(`${place}/predict.onnx`))).to.equal(true);
    const cell = await json("export", place, "--what", "cell", "--out", folder("cell.onnx"));
    expect(cell.inputs.map(({ name }: { name: string }) => name)).to.deep.equal(["z", "x"]);
    await json("export", place, "--what", "train-step", "--out", folder("step.onnx"));
    const start = decodeSafetensors(readFileSync(folder("step.start.safetensors"))).tensors;
    const { graph } = decode(readFileSync(folder("step.onnx")));
    expect(Object.keys(start).sort()).to.deep.equal(graph.inputs.map(({ name }) => name).sort());
    const session = await InferenceSession.create(folder("step.onnx"));
    const given = Object.entries(start).map(([name, { dtype, data, shape }]) => [
      name,
      new OrtTensor(dtype as "float32", data as Float32Array, [...shape]),
    ]);
    const { losses } = await session.run(Object.fromEntries(given));
    expect(losses!.data[0]).to.be.within(1, 8);
  });

  it("refuses what a language model has not, and for fields what they have not", async () => {
    const into = ["--out", folder("none.onnx")];
    const message = await refusal(2, "export", place, "--what", "solve", ...into);
    expect(message).to.include("exported as --what model, cell or train-step");
    await json("train", "influenza", "--steps", "1", "--out", folder("field"));
    expect(await refusal(2, "export", folder("field"), "--what", "cell", ...into)).to.include(
      "--what cell is for the run of a language model",
    );
  });
});

describe("revort generate", () => {
  const folder = scratch();
  let place: string;
  before(async () => {
    place = folder("run");
    await json(...small, "--steps", "3", "--out", place);
  });

  it("goes on with a text, the same way from the same seed", async () => {
    const words = ["generate", place, "--prompt", "The red", "--tokens", "12", "--temperature", "0.9"];
    const first = await json(...words, "--top-k", "20", "--top-p", "0.9", "--seed", "4");
    expect(first).to.include({ prompt: "The red", seed: 4, temperature: 0.9, topK: 20, topP: 0.9 });
    expect(first.tokens).to.have.length(12);
    const again = await json(...words, "--top-k", "20", "--top-p", "0.9", "--seed", "4");
    expect([again.text, again.tokens]).to.deep.equal([first.text, first.tokens]);
    const other = await json(...words, "--seed", "5");
    expect(other.tokens).not.to.deep.equal(first.tokens);
  });

  it("prints the text for people, and begins by itself without a prompt", async () => {
    const { code, stdout } = await run(["generate", place, "--prompt", "The red", "--tokens", "5"]);
    expect(code).to.equal(0);
    expect(stdout).to.match(/^The red/);
    expect((await json("generate", place, "--tokens", "5")).tokens).to.have.length(5);
  });

  it("refuses what is no run of a language model", async () => {
    expect(await refusal(2, "generate", folder("nothing"))).to.match(/holds no run of revort/);
    expect(await refusal(2, "generate", place, "--top-p", "2")).to.match(/--top-p takes a number above 0/);
  });
});
