import { readFileSync } from "node:fs";
import { expect } from "chai";
import { tensor } from "../../src/core/tensor.js";
import { encodeSafetensors } from "../../src/storage/safetensors.js";
import { type GraphInit, node, file as onnxFile, stored, value } from "../import/onnx-file.js";
import { run, scratch, written } from "./command.js";

/** An escape sequence, one that starts with a single control character, a mark that reverses text, and a forged line. */
const hostile = "\u001b]0;PWNED\u0007\u009b31m\u202e\r\nrevort: forged";
const spelled = "\\u{1b}]0;PWNED\\u{7}\\u{9b}31m\\u{202e}";

/** Runs a command line, whose output may hold nothing that acts on a terminal, nor a line that a file has forged. */
async function harmless(...words: string[]): Promise<string> {
  const { stdout, stderr } = await run(words);
  expect(stdout + stderr, words.join(" ")).not.to.match(/(?![\n\t])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  expect(stdout + stderr, words.join(" ")).not.to.match(/^revort: forged/m);
  return stdout + stderr;
}

describe("text from files, wherever a command shows it", () => {
  const folder = scratch();
  let made = 0;
  const model = (graph: GraphInit, more: Parameters<typeof onnxFile>[2] = {}) =>
    written(folder(`model-${++made}.onnx`), onnxFile(graph, 21, more));
  const field = (graph: GraphInit = {}, more: Parameters<typeof onnxFile>[2] = {}) =>
    model(
      {
        input: [value("y", "float64", 1, 2)],
        output: [value("dy", "float64", 1, 2)],
        node: [node("Neg", ["y"], ["dy"])],
        ...graph,
      },
      more,
    );
  const solve = ["--y0", "1,0", "--t0", "0", "--t1", "1"];

  it("names of operators, domains and nodes", async () => {
    for (const path of [
      field({ node: [node(hostile, ["y"], ["dy"])] }),
      field({ node: [node("Neg", ["y"], ["dy"], {}, { domain: hostile })] }),
      field({ node: [node("Neg", ["absent"], ["dy"], {}, { name: hostile })] }),
      field({ node: [node("Neg", ["y"], ["dy"], { [hostile]: hostile })] }),
      field({ node: [node("Einsum", ["y"], ["dy"], { equation: hostile })] }),
    ]) {
      await harmless("inspect", path);
      await harmless("inspect", path, "--json");
      expect(await harmless("solve", path, ...solve), path).to.match(/\\u\{1b\}|\\u001b/);
    }
  });

  it("names of values, dimensions, metadata and whoever wrote the file", async () => {
    const path = model(
      {
        name: hostile,
        docString: hostile,
        input: [value(hostile, "float64", hostile, 2)],
        output: [value(`d${hostile}`, "float64", hostile, 2)],
        node: [node("Mul", [hostile, `w${hostile}`], [`d${hostile}`])],
        initializer: [stored(`w${hostile}`, tensor("float64", [2], [-1, -2]))],
      },
      {
        producerName: hostile,
        docString: hostile,
        metadataProps: [
          { key: "revort.components", value: JSON.stringify([hostile, "b"]) },
          { key: hostile, value: hostile },
        ],
      },
    );
    expect(await harmless("inspect", path)).to.include(spelled);
    const found = JSON.parse(await harmless("inspect", path, "--json"));
    expect(found.inputs[0].name).to.equal(hostile);
    expect(found.metadata[hostile]).to.equal(hostile);
    expect(await harmless("solve", path, ...solve)).to.include(spelled);
    const out = folder("solution.csv");
    await harmless("solve", path, ...solve, "--out", out);
    // a file has the name as it is
    expect(readFileSync(out, "utf8")).to.include(hostile);
    const data = written(folder("two.csv"), "t,x,y\n0,1,2\n1,2,3\n");
    const place = folder("fitted");
    await harmless("train", data, "--field", path, "--steps", "1", "--out", place);
    expect(readFileSync(`${place}/fit.svg`, "utf8")).not.to.match(/[\u202e\u009b]/);
    await harmless("gradcheck", data, "--field", path, "--json");
    await harmless("gradcheck", data, "--field", path);
  });

  it("names of columns and what is in cells", async () => {
    for (const csv of [
      `t,"${hostile}"\n0,1\n1,2\n`,
      `t,"${hostile}","${hostile}"\n0,1,2\n`,
      `t,"${hostile}"\n0,${hostile}\n`,
      `"${hostile}",x\n"${hostile}",1\n`,
      `t,x\n0,"1" ${hostile}"\n`,
    ]) {
      const data = written(folder("cells.csv"), csv);
      await harmless("train", data, "--field", "mlp:2", "--steps", "1", "--out", folder("c"), "--overwrite");
    }
  });

  it("names of files", async () => {
    const data = written(folder(`${hostile.replaceAll("/", "")}.csv`), "t,x\n0,1\n1,2\n");
    const place = folder(`run ${hostile}`);
    for (const words of [
      ["train", data, "--field", "mlp:2", "--steps", "1", "--out", place],
      ["train", "--resume", place, "--json"],
      ["train", data, "--field", "mlp:2", "--steps", "1", "--out", place],
      ["export", place, "--out", `${place}/x.onnx`, "--what", "solve"],
      ["train", `${data}.missing`],
      ["solve", `${data}.missing`, ...solve],
      ["inspect", data],
    ]) {
      expect(await harmless(...words)).to.match(/\\u\{1b\}|\\u001b/);
    }
  });

  it("names of parameters", async () => {
    const init = written(
      folder("init.safetensors"),
      encodeSafetensors({ [hostile]: tensor("int32", [1], [1]) }),
    );
    expect(await harmless("train", "influenza", "--init", init, "--out", folder("p"))).to.include(spelled);
    const twice = JSON.stringify(hostile);
    const header = new TextEncoder().encode(`{${twice}:1,${twice}:2}`);
    const bytes = new Uint8Array([header.length, 0, 0, 0, 0, 0, 0, 0, ...header]);
    await harmless("train", "influenza", "--init", written(init, bytes), "--out", folder("p"));
  });

  it("the settings of a run", async () => {
    const place = folder("settings");
    await harmless("train", "influenza", "--steps", "1", "--out", place);
    const settings = readFileSync(`${place}/run.json`, "utf8");
    const quoted = JSON.stringify(hostile);
    for (const change of [
      [/"0\.1\.0"/, quoted],
      [/"format": 1/, `"format": ${quoted}`],
      [/"midpoint"/, quoted],
      [/"experiment": "influenza"/, `"experiment": ${quoted}`],
      [/"seed"/, quoted],
      [/"field": "default"/, `"field": ${quoted}`],
      [/"dataFile": null/, `"dataFile": ${quoted}`],
      [/\{/, `{ ${hostile}`],
    ] as const) {
      written(
        `${place}/run.json`,
        settings.replace(change[0], () => change[1]),
      );
      await harmless("train", "--resume", place);
      await harmless("train", "--resume", place, "--solver", "rk4");
      await harmless("export", place, "--out", folder("x.onnx"));
    }
  });
});
