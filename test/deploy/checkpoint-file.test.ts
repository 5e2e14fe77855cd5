import { expect } from "chai";
import fc from "fast-check";
import { Random } from "../../src/core/random.js";
import { scalar, type Tensor, tensor } from "../../src/core/tensor.js";
import { CheckpointError, decodeCheckpoint, encodeCheckpoint } from "../../src/deploy/checkpoint-file.js";
import { decodeSafetensors, encodeSafetensors } from "../../src/storage/safetensors.js";
import type { Checkpoint } from "../../src/train/checkpoint.js";

const random = Random.seeded(3);
random.normal();

const checkpoint: Checkpoint = {
  step: 3,
  trained: { "parameters/a:b": tensor("float64", [2], [0.1, -0]), y0: tensor("float64", [1, 1], [5e-324]) },
  memory: { "memory/m/parameters/a:b": tensor("float64", [2], [1 / 3, 1e300]) },
  sampler: { random: random.state, order: [2, 0, 1], position: 1 },
  losses: [3, 0.1 + 0.2, 1e-300],
  best: { step: 2, loss: 1e-300, trained: { "parameters/a:b": tensor("float64", [2], [7, 8]) } },
  seconds: 1.25,
};

/** The file of the checkpoint with its tensors and its header changed. */
function changed(
  tensors: (tensors: Record<string, Tensor>) => void,
  header: (text: string) => string = (text) => text,
): Uint8Array {
  const file = decodeSafetensors(encodeCheckpoint(checkpoint));
  tensors(file.tensors);
  return encodeSafetensors(file.tensors, { checkpoint: header(file.metadata.checkpoint!) });
}

const refused = (bytes: Uint8Array): string => {
  try {
    decodeCheckpoint(bytes, "run/checkpoint.safetensors");
  } catch (error) {
    expect(error).to.be.instanceOf(CheckpointError);
    expect((error as Error).message).to.match(/^run\/checkpoint\.safetensors /);
    return (error as Error).message;
  }
  throw new Error("It was taken.");
};

describe("a checkpoint as a file", () => {
  it("comes back to the bit", () => {
    const back = decodeCheckpoint(encodeCheckpoint(checkpoint), "x");
    expect(back).to.deep.equal(checkpoint);
    expect(Object.is(back.trained["parameters/a:b"]!.data[1], -0)).to.equal(true);
    expect(encodeCheckpoint(back)).to.deep.equal(encodeCheckpoint(checkpoint));
  });

  it("comes back in float32, and before the first update", () => {
    const start: Checkpoint = {
      ...checkpoint,
      step: 0,
      trained: { "parameters/a": tensor("float32", [2], [0.1, 2]) },
      memory: {},
      losses: [],
      best: {
        step: 0,
        loss: Number.POSITIVE_INFINITY,
        trained: { "parameters/a": tensor("float32", [2], [1, 2]) },
      },
    };
    expect(decodeCheckpoint(encodeCheckpoint(start), "x")).to.deep.equal(start);
  });

  it("keeps any finite numbers", () => {
    const values = fc.array(fc.double({ noNaN: true, noDefaultInfinity: true }), {
      minLength: 1,
      maxLength: 5,
    });
    fc.assert(
      fc.property(values, values, (weights, losses) => {
        const one: Checkpoint = {
          ...checkpoint,
          step: losses.length,
          losses,
          trained: { p: tensor("float64", [weights.length], weights) },
        };
        expect(decodeCheckpoint(encodeCheckpoint(one), "x")).to.deep.equal(one);
      }),
      { seed: 1, numRuns: 50 },
    );
  });

  it("refuses what is cut short, wherever it is cut", () => {
    const bytes = encodeCheckpoint(checkpoint);
    for (let length = 0; length < bytes.length; length += 7) {
      expect(refused(bytes.subarray(0, length))).to.match(/is (damaged|not a checkpoint)/);
    }
  });

  it("never fails in another way, whatever byte is wrong", () => {
    const bytes = encodeCheckpoint(checkpoint);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, by) => {
        const wrong = Uint8Array.from(bytes);
        wrong[at]! ^= by;
        try {
          decodeCheckpoint(wrong, "x");
        } catch (error) {
          expect(error).to.be.instanceOf(CheckpointError);
        }
      }),
      { seed: 1, numRuns: 2000 },
    );
  });

  it("refuses a file of parameters, and one of another version", () => {
    expect(refused(encodeSafetensors({ a: scalar("float64", 1) }))).to.include(
      "is not a checkpoint of revort",
    );
    const newer = changed(
      () => {},
      (text) => text.replace('"format":1', '"format":2'),
    );
    expect(refused(newer)).to.match(/has checkpoint format 2, but this version of revort reads format 1/);
  });

  it("refuses a header that says what its tensors do not hold", () => {
    for (const [from, to] of [
      ['"step":3', '"step":4'],
      ['"step":3', '"step":-1'],
      ['"step":3', '"stop":3'],
      ['"position":1', '"position":"one"'],
      ['"seconds":1.25', '"seconds":null'],
    ] as const) {
      const bytes = changed(
        () => {},
        (text) => text.replace(from, to),
      );
      expect(refused(bytes), `${from} as ${to}`).to.include("is damaged");
    }
    for (const text of ["", "null", "[]", "3", "{", '{"format":1}']) {
      refused(
        changed(
          () => {},
          () => text,
        ),
      );
    }
    expect(
      refused(
        changed((tensors) => {
          delete tensors.losses;
        }),
      ),
    ).to.include("its losses");
  });
});
