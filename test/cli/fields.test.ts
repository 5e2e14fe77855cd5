import { cpSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from "node:fs";
import { expect } from "chai";
import { tensor } from "../../src/core/tensor.js";
import { decodeSafetensors, encodeSafetensors } from "../../src/storage/safetensors.js";
import { fixture, json, refusal, run, scratch, written } from "./command.js";

describe("--field FILE.onnx", () => {
  const folder = scratch();
  let made = 0;
  const out = () => ["--out", folder(`run-${++made}`)];
  const series = (columns: number) =>
    written(
      folder(`series-${columns}.csv`),
      [
        ["t", ...Array.from({ length: columns }, (_, i) => `c${i}`)],
        ...Array.from({ length: 8 }, (_, row) => [
          row / 4,
          ...Array.from({ length: columns }, (_, i) => Math.sin(row / 4 + i)),
        ]),
      ]
        .map((row) => `${row.join(",")}\n`)
        .join(""),
    );

  for (const [file, columns] of [
    ["mlp-dynamo-20-float64.onnx", 2],
    ["time-scalar-dynamo-18.onnx", 2],
    ["time-batch-dynamo-18-float64.onnx", 2],
    ["spiral-torchscript-17-float64.onnx", 2],
    ["scalar-state-dynamo-20-float64.onnx", 1],
    ["vector-state-dynamo-20-float64.onnx", 3],
    ["lotka-volterra-vector-dynamo-18.onnx", 2],
    ["linear-3d-torchscript-18-float64.onnx", 6],
    ["attention-matrix-torchscript-18-float64.onnx", 12],
  ] as const) {
    it(`trains ${file} on a series of ${columns} columns`, async () => {
      const report = await json(
        ...["train", series(columns), "--field", fixture(file), "--steps", "5", "--learning-rate", "1e-3"],
        ...out(),
      );
      expect(report.dtype).to.equal(file.includes("float64") ? "float64" : "float32");
      expect(report.losses.at(-1)).to.be.lessThan(report.losses[0]);
      const words = ["gradcheck", series(columns), "--field", fixture(file), "--dtype", "float64"];
      const check = await json(...words, "--reversible");
      expect(check.relativeError.reversible).to.be.lessThan(1e-9);
      expect(check.finiteDifference.relativeError).to.be.lessThan(1e-7);
    });
  }

  it("has the names of the data's columns, under which new data are measured", async () => {
    const [flag, place] = out();
    const words = ["--field", fixture("mlp-dynamo-20-float64.onnx"), "--steps", "2"];
    const report = await json("train", series(2), ...words, flag!, place!);
    expect(report.errors.map(({ component }: { component: string }) => component)).to.deep.equal([
      "c0",
      "c1",
    ]);
    expect((await json("predict", place!, "--to", "1")).components).to.deep.equal(["c0", "c1"]);
    expect((await run(["evaluate", place!, "--data", series(2)])).code).to.equal(0);
  });

  it("is refused on data whose columns are its components in another order", async () => {
    const [flag, place] = out();
    const data = (columns: string) =>
      written(folder("predators.csv"), `t,${columns}\n0,1,2\n1,2,3\n2,3,5\n3,2,8\n`);
    const own = ["--field", "dhare = a*hare - lynx; dlynx = b*lynx", "--steps", "2"];
    await json("train", data("hare,lynx"), ...own, flag!, place!);
    const again = ["--field", `${place}/field.onnx`, "--steps", "2", ...out()];
    expect(await refusal(2, "train", data("lynx,hare"), ...again)).to.match(
      /has the components hare, lynx, but the data have them as lynx, hare\. Put the columns/,
    );
    await json("train", data("hare,lynx"), ...again);
  });

  it("trains on an experiment, from the file's own numbers", async () => {
    const file = fixture("mlp-dynamo-20-float64.onnx");
    const [flag, place] = out();
    const { losses } = await json("train", "white-dwarf", "--field", file, "--steps", "3", flag!, place!);
    expect(losses[2]).to.be.lessThan(losses[0]);
    const { loss } = await json(
      "train",
      "white-dwarf",
      "--field",
      file,
      "--steps",
      "1",
      "--seed",
      "9",
      ...out(),
    );
    expect(loss.first).to.equal(losses[0]);
    const { tensors } = decodeSafetensors(readFileSync(`${place}/params.safetensors`));
    expect(Object.keys(tensors).sort()).to.deep.equal([
      "net.0.bias",
      "net.0.weight",
      "net.2.bias",
      "net.2.weight",
    ]);
  });

  it("goes on after the file, its data beside it, and the series are gone", async () => {
    const source = folder("source");
    cpSync(fixture("external-data-dynamo-18"), source, { recursive: true });
    mkdirSync(folder("lent"));
    renameSync(series(2), folder("lent", "series.csv"));
    const words = ["train", folder("lent", "series.csv"), "--field", `${source}/model.onnx`];
    const [, whole] = out();
    const [, place] = out();
    const first = await json(...words, "--steps", "4", "--out", whole!);
    await json(...words, "--steps", "2", "--out", place!);
    expect(readdirSync(`${place}/initial-field`).sort()).to.deep.equal(["model.onnx", "model.onnx.data"]);
    rmSync(source, { recursive: true });
    rmSync(folder("lent"), { recursive: true });
    const { losses } = await json("train", "--resume", place!, "--steps", "4");
    // 4 updates planned from the start and 2 + 2 differ in the schedule of the learning rate, but not at first
    expect(losses.slice(0, 2)).to.have.length(2);
    expect(losses[0]).to.equal(first.losses[0]);
    const copy = folder("copy");
    expect(
      (await json("train", "--resume", place!, "--steps", "5", "--out", copy)).losses.slice(0, 4),
    ).to.deep.equal(losses);
    expect((await run(["export", place!, "--out", folder("trained.onnx")])).code).to.equal(0);
    const { ys } = await json("solve", folder("trained.onnx"), ..."--y0 0,1 --t0 0 --t1 1".split(" "));
    expect(ys[0]).to.have.length(2);
  });

  it("is recognised when a run is resumed with it", async () => {
    const words = [series(2), "--field", fixture("external-data-dynamo-18/model.onnx"), "--steps", "1"];
    const [, place] = out();
    await json("train", ...words, "--out", place!);
    await json("train", ...words, "--resume", place!);
    const other = ["--field", fixture("mlp-dynamo-18.onnx")];
    expect(await refusal(2, "train", "--resume", place!, ...other)).to.include("was started with the field");
  });

  describe("refuses with a reason", () => {
    it("a field of another number of components", async () => {
      const file = fixture("mlp-dynamo-20-float64.onnx");
      expect(await refusal(2, "train", series(3), "--field", file, ...out())).to.match(
        /states of shape \[batch, 2\]/,
      );
      expect(await refusal(2, "train", "influenza", "--field", file, ...out())).to.match(/states of shape/);
    });

    it("a file that is no model, or is not there", async () => {
      const whole = readFileSync(fixture("gelu-dynamo-18.onnx"));
      const cut = written(folder("cut.onnx"), whole.subarray(0, whole.length - 40));
      for (const bad of [
        cut,
        written(folder("random.onnx"), new Uint8Array(300).fill(0x42)),
        folder("no.onnx"),
      ]) {
        await refusal(2, "train", "influenza", "--field", bad, ...out());
        await refusal(2, "gradcheck", "influenza", "--field", bad);
      }
    });

    it("a model whose data beside it are missing", async () => {
      const place = folder("alone");
      mkdirSync(place);
      cpSync(fixture("external-data-dynamo-18/model.onnx"), `${place}/model.onnx`);
      const message = await refusal(2, "train", series(2), "--field", `${place}/model.onnx`, ...out());
      expect(message).to.include("model.onnx.data").and.to.include("Copy it along with the model");
    });

    for (const [field, reason] of [
      ["mlp", /--field takes mlp:WIDTH/],
      ["mlp:a", /--field takes mlp:WIDTH/],
      ["mlp:3,", /--field takes mlp:WIDTH/],
      ["mlp:-3", /--field takes mlp:WIDTH/],
      ["mlp:2.5", /--field takes mlp:WIDTH/],
      ["mlp:0", /positive whole numbers/],
      ["mlp:99999999,99999999", /beyond 100000000; make it narrower/],
      ["mlp:999999999999999999999", /make it narrower/],
      ["field.pt", /ends in \.onnx/],
    ] as const) {
      it(`${field}`, async () => {
        expect(await refusal(2, "train", "white-dwarf", "--field", field, ...out())).to.match(reason);
      });
    }
  });
});

describe("--init FILE.safetensors", () => {
  const folder = scratch();
  const weights = (change: (tensors: Record<string, ReturnType<typeof tensor>>) => void = () => {}) => {
    const zeros = (shape: number[]) =>
      tensor("float64", shape, new Array(shape.reduce((p, d) => p * d, 1)).fill(0.1));
    const tensors: Record<string, ReturnType<typeof tensor>> = {
      "layers.0.weight": zeros([10, 3]),
      "layers.0.bias": zeros([10]),
      "layers.1.weight": zeros([2, 10]),
      "layers.1.bias": zeros([2]),
    };
    change(tensors);
    return written(folder("init.safetensors"), encodeSafetensors(tensors));
  };
  const train = (init: string) => [
    "train",
    "white-dwarf",
    "--steps",
    "1",
    "--init",
    init,
    "--out",
    folder("out"),
  ];

  it("takes float32 where the run is in float64", async () => {
    const file = weights((tensors) => {
      for (const [name, { shape, data }] of Object.entries(tensors)) {
        tensors[name] = tensor("float32", shape, Float32Array.from(data as Float64Array));
      }
    });
    expect((await json(...train(file))).losses).to.have.length(1);
  });

  for (const [what, change, reason] of [
    ["a name too many", (t) => Object.assign(t, { extra: t["layers.1.bias"] }), /has no parameter "extra"/],
    ["a name too few", (t) => delete t["layers.1.bias"], /"layers\.1\.bias" \[2\] .* is missing/],
    [
      "another shape",
      (t) => Object.assign(t, { "layers.0.bias": tensor("float64", [11], new Array(11).fill(0)) }),
      /must have shape \[10\], but has \[11\]/,
    ],
    [
      "transposed weights",
      (t) => Object.assign(t, { "layers.1.weight": { ...t["layers.1.weight"], shape: [10, 2] } }),
      /must have shape \[2, 10\], but has \[10, 2\]/,
    ],
    [
      "whole numbers",
      (t) => Object.assign(t, { "layers.1.bias": tensor("int64", [2], [1, 2]) }),
      /init\.safetensors: the parameter "layers\.1\.bias" has the type int64/,
    ],
    [
      "a value that is not finite",
      (t) => Object.assign(t, { "layers.1.bias": tensor("float64", [2], [Number.NaN, 0]) }),
      /init\.safetensors: the parameter "layers\.1\.bias" is not finite/,
    ],
  ] as [string, (t: Record<string, ReturnType<typeof tensor>>) => void, RegExp][]) {
    it(`refuses ${what}`, async () => {
      const file = weights(change);
      const words = train(file).slice(1, -2);
      expect(await refusal(2, ...train(file))).to.match(reason);
      expect(await refusal(2, "gradcheck", ...words.filter((w) => w !== "--steps" && w !== "1"))).to.match(
        reason,
      );
    });
  }

  it("refuses a file that is damaged, not there, or of another kind", async () => {
    const bytes = readFileSync(weights());
    const cut = written(folder("cut.safetensors"), bytes.subarray(0, bytes.length - 8));
    expect(await refusal(2, ...train(cut))).to.include("cut.safetensors: ");
    await refusal(2, ...train(folder("none.safetensors")));
    await refusal(2, ...train(written(folder("text.safetensors"), "hello, this is no safetensors")));
  });
});
