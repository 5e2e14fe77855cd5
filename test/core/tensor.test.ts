import { expect } from "chai";
import fc from "fast-check";
import { SizeError, showBytes } from "../../src/core/size.js";
import {
  castTensor,
  dtypes,
  emptyData,
  fromNested,
  numbers,
  ShapeError,
  scalar,
  showShape,
  sizeOf,
  stridesOf,
  tensor,
  toNested,
} from "../../src/core/tensor.js";

const seeded = { seed: 9 };
const shapes = fc.array(fc.integer({ min: 0, max: 4 }), { maxLength: 4 });

describe("tensors", () => {
  it("hold their numbers in the typed array of their dtype", () => {
    for (const dtype of dtypes) {
      const { data, shape } = tensor(dtype, [2], [1, 0]);
      expect(shape).to.deep.equal([2]);
      expect(data.constructor).to.equal(emptyData(dtype, 0).constructor);
      expect(Array.from(data as ArrayLike<number | bigint>, Number)).to.deep.equal([1, 0]);
    }
  });

  it("share a typed array of their own kind, and copy any other", () => {
    const own = new Float64Array([1, 2]);
    expect(tensor("float64", [2], own).data).to.equal(own);
    const other = tensor("float32", [2], own);
    expect(other.data).to.deep.equal(new Float32Array([1, 2]));
  });

  it("do not share the shape they are given", () => {
    const shape = [2];
    const value = tensor("float64", shape, [1, 2]);
    shape[0] = 3;
    expect(value.shape).to.deep.equal([2]);
  });

  it("refuse numbers that do not fill their shape, naming both", () => {
    expect(() => tensor("float64", [2, 3], [1, 2])).to.throw(
      ShapeError,
      "A tensor of shape [2, 3] needs 6 values, but 2 were given.",
    );
    expect(() => tensor("float64", [], [])).to.throw(ShapeError, "needs 1 values");
  });

  it("without axes are scalars, and one without elements has a zero in its shape", () => {
    expect(scalar("float32", 2)).to.deep.equal({ dtype: "float32", shape: [], data: new Float32Array([2]) });
    expect([sizeOf([]), sizeOf([2, 3]), sizeOf([4, 0])]).to.deep.equal([1, 6, 0]);
  });

  it("have strides by which neighbours along an axis lie apart", () => {
    expect(stridesOf([2, 3, 4])).to.deep.equal([12, 4, 1]);
    expect(stridesOf([])).to.deep.equal([]);
  });

  it("become another dtype as ONNX's Cast has it: towards zero, not zero is true, 64 bits kept", () => {
    const x = tensor("float64", [4], [1.9, -1.9, 0, 0.1]);
    expect(numbers(castTensor(x, "int32"))).to.deep.equal([1, -1, 0, 0]);
    expect([...castTensor(x, "int64").data]).to.deep.equal([1n, -1n, 0n, 0n]);
    expect(numbers(castTensor(x, "bool"))).to.deep.equal([1, 1, 0, 1]);
    expect(numbers(castTensor(x, "float32"))).to.deep.equal([1.9, -1.9, 0, 0.1].map(Math.fround));
    const large = tensor("int64", [1], [2n ** 62n + 1n]);
    expect([...castTensor(large, "uint64").data]).to.deep.equal([2n ** 62n + 1n]);
    expect(castTensor(x, "float64")).to.equal(x);
  });

  it("come back from nested arrays as they went in, of any rank", () => {
    fc.assert(
      fc.property(
        // an empty axis hides those behind it
        shapes.filter((shape) => !shape.slice(0, -1).includes(0)),
        fc.integer(),
        (shape, first) => {
          const value = tensor(
            "float64",
            shape,
            Array.from({ length: sizeOf(shape) }, (_, i) => first + i),
          );
          const back = fromNested("float64", toNested(value));
          expect(back).to.deep.equal(value);
        },
      ),
      seeded,
    );
  });

  it("are written as nested arrays even where an axis is empty", () => {
    expect(toNested(tensor("float64", [2, 0], []))).to.deep.equal([[], []]);
    expect(toNested(tensor("float64", [0, 2], []))).to.deep.equal([]);
    expect(toNested(scalar("float64", 3))).to.equal(3);
  });

  it("refuse nested arrays that are ragged, or hold something else than numbers", () => {
    expect(() => fromNested("float64", [[1, 2], [3]])).to.throw(ShapeError, "must be rectangular");
    expect(() => fromNested("float64", [[1], 2])).to.throw(ShapeError, "must be rectangular");
    expect(() => fromNested("float64", [1, [2]])).to.throw(ShapeError, "numbers only, but an array");
    expect(() => fromNested("float64", ["1"])).to.throw(ShapeError, 'numbers only, but "1"');
  });

  it("refuse nests that are deeper than any tensor, without going down to their ends", () => {
    const nest = (depth: number, inner: unknown) => {
      let nested = inner;
      for (let i = 0; i < depth; i++) nested = [nested];
      return nested;
    };
    expect(() => fromNested("float64", nest(1e6, 1))).to.throw(ShapeError, "deeper than 64");
    expect(() => fromNested("float64", [1, nest(1e6, 1)])).to.throw(ShapeError, "an array");
  });
});

describe("sizes", () => {
  it("that no memory holds are refused before anything is made of them", () => {
    expect(() => emptyData("float64", 2 ** 40)).to.throw(SizeError, /float64\[1099511627776\].*8\.8 TB/);
    expect(() => emptyData("float64", -1)).to.throw(ShapeError, "-1 elements");
    expect(() => emptyData("float64", 1.5)).to.throw(ShapeError, "1.5 elements");
    expect(() => emptyData("float64", Number.NaN)).to.throw(ShapeError, "NaN elements");
  });

  it("are shown in the units that people use, to three digits", () => {
    expect([0, 999, 1000, 2 ** 32, 1.6e9, 3.3e21].map(showBytes)).to.deep.equal([
      ...["0 bytes", "999 bytes", "1 kB", "4.29 GB", "1.6 GB", "3300 EB"],
    ]);
  });

  it("of shapes are cut in messages, where there are more axes than anyone reads", () => {
    expect(showShape(new Array(10_000).fill(1)).length).to.be.below(250);
  });
});
