import { expect } from "chai";
import * as ort from "onnxruntime-node";
import { rowsOf, rungeKutta, systems } from "../support/systems.js";
import { json, scratch, written } from "./command.js";

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The loss of a field's file, in standard deviations of each column as the reported one, by RK4 on bare ONNX Runtime. */
async function lossOfFile(file: string, rows: readonly number[][]): Promise<number> {
  const session = await ort.InferenceSession.create(file);
  const dim = rows[0]!.length - 1;
  const [time, state] = session.inputNames.length === 2 ? session.inputNames : [null, session.inputNames[0]!];
  const derivative = async (t: number, y: readonly number[]) => {
    const feeds = {
      [state!]: new ort.Tensor("float64", Float64Array.from(y), [1, dim]),
      ...(time === null ? {} : { [time!]: new ort.Tensor("float64", Float64Array.of(t), []) }),
    };
    const results = await session.run(feeds);
    return [...(results[session.outputNames[0]!]!.data as Float64Array)];
  };
  const states = await rungeKutta(
    derivative,
    rows[0]!.slice(1),
    rows.map((row) => row[0]!),
    4,
  );
  await session.release();
  return mean(
    Array.from({ length: dim }, (_, column) => {
      const seen = rows.map((row) => row[column + 1]!);
      const variance = mean(seen.map((value) => (value - mean(seen)) ** 2));
      return mean(seen.slice(1).map((value, i) => (states[i + 1]![column]! - value) ** 2)) / variance;
    }),
  );
}

describe("revort train without options, on twelve systems", () => {
  const folder = scratch();
  const warned: string[] = [];

  for (const [name, system] of Object.entries(systems)) {
    it(`fits the field itself or says that it does not: ${name} (${system.temper})`, async () => {
      const rows = await rowsOf(system);
      const header = ["t", ...system.y0.map((_, i) => `y${i}`)].join(",");
      const place = folder(name.replace(/\W+/g, "-"));
      const data = written(`${place}.csv`, `${header}\n${rows.map((row) => row.join(",")).join("\n")}\n`);
      const { loss, check } = await json("train", data, "--out", place);
      expect(loss.last, "it learns something").to.be.below(loss.first);
      // four RK4 steps from row to row are good to a percent of any loss here, but for chaos that is said
      const own = await lossOfFile(`${place}/field.onnx`, rows);
      if (check.warning !== null) {
        warned.push(name);
        return;
      }
      expect(own).to.be.closeTo(check.loss, 0.02 * check.loss);
      expect(own).to.be.closeTo(loss.last, 0.1 * loss.last);
    });
  }

  it("has nothing to warn of in any of them", () => {
    expect(warned).to.deep.equal([]);
  });
});
