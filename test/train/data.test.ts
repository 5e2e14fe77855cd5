import { expect } from "chai";
import { DTypeError, numbers, ShapeError, tensor } from "../../src/core/tensor.js";
import { TrainingDataError, targetsOf } from "../../src/train/data.js";
import { takenAlong } from "../../src/train/samples.js";

const { NaN: gap, POSITIVE_INFINITY: infinite } = Number;

/** Two trajectories of two components at three times. */
const data = (values: readonly number[]) => ({
  t0: 0,
  times: [1, 2, 4],
  y0: tensor("float64", [2, 2], [0, 0, 0, 0]),
  observations: tensor("float64", [3, 2, 2], values),
});
const twelve = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

describe("training data", () => {
  it("without gaps are taken as they are, without weights", () => {
    const { target, weight } = targetsOf(data(twelve), "float64");
    expect(numbers(target)).to.deep.equal(twelve);
    expect(weight).to.equal(null);
  });

  it("have weight 1 where there is a value, and 0 where there is none", () => {
    const { target, weight } = targetsOf(data([1, gap, 3, 4, gap, gap, 7, 8, 9, 10, 11, gap]), "float32");
    expect([target.dtype, weight!.dtype]).to.deep.equal(["float32", "float32"]);
    expect(numbers(target)).to.deep.equal([1, 0, 3, 4, 0, 0, 7, 8, 9, 10, 11, 0]);
    expect(numbers(weight!)).to.deep.equal([1, 0, 1, 1, 0, 0, 1, 1, 1, 1, 1, 0]);
  });

  it("that are infinite are refused, naming the first and its time", () => {
    const values = twelve.map((value, i) => (i === 9 ? -infinite : value));
    expect(() => targetsOf(data(values), "float64"))
      .to.throw(TrainingDataError)
      .with.property("message")
      .that.contains("Observation 9 (at t = 4) is infinite")
      .and.contains("NaN, or an empty cell");
  });

  it("without one value are refused", () => {
    expect(() => targetsOf(data(twelve.map(() => gap)), "float64")).to.throw(
      TrainingDataError,
      "There is not one observation to train on",
    );
  });

  it("of which a whole trajectory is missing are refused, naming it", () => {
    const values = twelve.map((value, i) => (i % 4 < 2 ? value : gap));
    expect(() => targetsOf(data(values), "float64")).to.throw(
      TrainingDataError,
      "Trajectory 1 of 2 has not one observation",
    );
  });

  it("of another shape than times and states say are refused, naming all three", () => {
    const wrong = { ...data(twelve), observations: tensor("float64", [3, 4], twelve) };
    expect(() => targetsOf(wrong, "float64")).to.throw(
      ShapeError,
      "Observations at 3 times of states [2, 2] must have shape [3, 2, 2], but have [3, 4].",
    );
  });

  it("of another type than floats are refused", () => {
    const wrong = { ...data(twelve), observations: tensor("int32", [3, 2, 2], twelve) };
    expect(() => targetsOf(wrong, "float64")).to.throw(
      DTypeError,
      "Observations must be float32 or float64, but are int32.",
    );
  });

  it("are taken apart by trajectory along any axis", () => {
    const value = tensor("float64", [3, 2, 2], twelve);
    const second = takenAlong(value, 1, [1]);
    expect([second.shape, numbers(second)]).to.deep.equal([
      [3, 1, 2],
      [3, 4, 7, 8, 11, 12],
    ]);
    expect(numbers(takenAlong(value, 0, [2, 0]))).to.deep.equal([9, 10, 11, 12, 1, 2, 3, 4]);
    expect(numbers(takenAlong(value, 2, [1, 1]))).to.deep.equal(
      twelve.flatMap((v) => (v % 2 === 0 ? [v, v] : [])),
    );
  });
});
