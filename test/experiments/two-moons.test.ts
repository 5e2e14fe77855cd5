import { expect } from "chai";
import { sizeOf, tensor } from "../../src/core/tensor.js";
import type { PreparedTask } from "../../src/experiments/task-experiment.js";
import { squashField, twoMoons } from "../../src/experiments/two-moons.js";
import { encodeSafetensors } from "../../src/storage/safetensors.js";
import { json, scratch, written } from "../cli/command.js";
import published from "./two-moons.json" with { type: "json" };

describe("two-moons", () => {
  const folder = scratch();

  // two-moons.py writes out the published scheme in JAX, for the same points and parameters
  it("has the losses of the published scheme in each of ten updates", async () => {
    const wave = (first: number, shape: readonly number[], scale: number) =>
      tensor(
        "float32",
        shape,
        Array.from({ length: sizeOf(shape) }, (_, i) => scale * Math.sin(0.7 * i + first)),
      );
    const kinds = ["weight", "bias", "gate.weight", "gate.bias", "shift.weight"];
    const scales = [1.5, 0.3, 0.5, 0.5, 0.5];
    const parameters = Object.entries(squashField().parameters).map(([name, { shape }]) => {
      const [, k, kind] = /^layers\.(\d)\.(.*)$/.exec(name)!;
      const index = kinds.indexOf(kind!);
      const scale = kind === "weight" ? scales[0]! / Math.sqrt(shape[1]!) : scales[index]!;
      return [name, wave(Number(k) + 10 * index, shape, scale)] as const;
    });
    const init = written(folder("init.safetensors"), encodeSafetensors(Object.fromEntries(parameters)));
    const rows = Array.from({ length: 8 }, (_, i) => [2 * Math.cos(0.9 * i), Math.sin(1.7 * 0.9 * i) - 0.3]);
    const data = written(folder("points.csv"), `x,y\n${rows.join("\n")}\n`);
    const options = ["--steps", String(published.losses.length), "--out", folder("run")];
    const { losses } = await json("train", "two-moons", "--full", "--data", data, "--init", init, ...options);
    losses.forEach((loss: number, update: number) => {
      // float32 over 200 evaluations; and ours is the step from 1 to 0, theirs the undoing of one from 0 to 1
      expect(Math.abs(loss / published.losses[update]! - 1), `update ${update}`).to.be.below(1e-5);
    });
  });

  it("warns of points that look like missing ones", () => {
    const rows = Array.from({ length: 9 }, (_, i) => (i % 4 === 3 ? "-999,0.5" : `${i},${i % 3}`));
    const bytes = new TextEncoder().encode(["u,v", ...rows].join("\n"));
    const { protocol, prepare } = twoMoons;
    const { warnings } = prepare({
      protocol,
      seed: 0,
      files: [{ name: "points.csv", bytes }],
    }) as PreparedTask;
    expect(warnings?.map(({ message }) => message).join()).to.match(
      /^"?u"? is -999 in 2 of 9 cells, .* remove these points\.$/,
    );
  });
});
