import { expect } from "chai";
import fc from "fast-check";
import { type DType, dtypes, emptyData, scalar, sizeOf, type Tensor, tensor } from "../../src/core/tensor.js";
import { decodeSafetensors, encodeSafetensors, SafetensorsError } from "../../src/storage/safetensors.js";

/** The bytes behind a tensor, so that NaN payloads and the sign of zero are compared too. */
function bitsOf(t: Tensor): string {
  return Buffer.from(t.data.buffer, t.data.byteOffset, t.data.byteLength).toString("hex");
}

function expectSame(actual: Record<string, Tensor>, expected: Record<string, Tensor>): void {
  expect(Object.keys(actual)).to.have.members(Object.keys(expected));
  for (const [name, t] of Object.entries(expected)) {
    expect(actual[name]!.dtype).to.equal(t.dtype);
    expect(actual[name]!.shape).to.deep.equal(t.shape);
    expect(bitsOf(actual[name]!)).to.equal(bitsOf(t));
  }
}

const anyTensor: fc.Arbitrary<Tensor> = fc
  .tuple(fc.constantFrom(...dtypes), fc.array(fc.nat({ max: 4 }), { maxLength: 3 }))
  .chain(([dtype, shape]) => {
    const data = emptyData(dtype as DType, sizeOf(shape));
    return fc.uint8Array({ minLength: data.byteLength, maxLength: data.byteLength }).map((bytes) => {
      new Uint8Array(data.buffer).set(dtype === "bool" ? bytes.map((byte) => byte & 1) : bytes);
      return { dtype, shape, data } as Tensor;
    });
  });
const anyName = fc
  .string({ unit: "grapheme" })
  .filter((name) => name !== "__proto__" && name !== "__metadata__");
const anyTensors = fc.dictionary(anyName, anyTensor, { maxKeys: 6, noNullPrototype: true });

/** A file put together by hand, to break one rule at a time. */
function file(header: unknown, data: number[] | Uint8Array = []): Uint8Array {
  const json = new TextEncoder().encode(typeof header === "string" ? header : JSON.stringify(header));
  const bytes = new Uint8Array(8 + json.length + data.length);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(json.length), true);
  bytes.set(json, 8);
  bytes.set(data, 8 + json.length);
  return bytes;
}
const entry = (dtype: string, shape: unknown, offsets: unknown) => ({ dtype, shape, data_offsets: offsets });

describe("safetensors", () => {
  it("gives back every tensor bit for bit, whatever its dtype, shape and name", () => {
    const anyMetadata = fc.dictionary(anyName, fc.string(), { noNullPrototype: true });
    fc.assert(
      fc.property(anyTensors, anyMetadata, (tensors, metadata) => {
        const decoded = decodeSafetensors(encodeSafetensors(tensors, metadata));
        expectSame(decoded.tensors, tensors);
        expect(decoded.metadata).to.deep.equal(metadata);
      }),
      { seed: 1 },
    );
  });

  it("keeps NaN payloads, the sign of zero, infinities, scalars and empty tensors", () => {
    const nan32 = new Float32Array(new Uint32Array([0x7fc12345, 0xff800001]).buffer);
    const nan64 = new Float64Array(new BigUint64Array([0x7ff8000000abcdefn, 0xfff0000000000001n]).buffer);
    const tensors: Record<string, Tensor> = {
      nan32: { dtype: "float32", shape: [2], data: nan32 },
      nan64: { dtype: "float64", shape: [2], data: nan64 },
      edges: tensor("float64", [4], [-0, Infinity, -Infinity, 5e-324]),
      scalar: scalar("int64", -(2n ** 63n)),
      empty: tensor("float32", [3, 0, 2], []),
    };
    expectSame(decodeSafetensors(encodeSafetensors(tensors)).tensors, tensors);
  });

  it("writes equal bytes for equal content, whatever the order of the record", () => {
    fc.assert(
      fc.property(anyTensors, (tensors) => {
        const reversed = Object.fromEntries(Object.entries(tensors).reverse());
        expect(encodeSafetensors(reversed)).to.deep.equal(encodeSafetensors(tensors));
      }),
      { seed: 2 },
    );
  });

  it("starts the data at a multiple of 8 bytes, and every tensor at a multiple of its width", () => {
    fc.assert(
      fc.property(anyTensors, (tensors) => {
        const bytes = encodeSafetensors(tensors);
        const length = Number(new DataView(bytes.buffer).getBigUint64(0, true));
        expect(length % 8).to.equal(0);
        const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + length)));
        for (const [name, { data_offsets: offsets }] of Object.entries<{ data_offsets: number[] }>(header)) {
          expect(offsets[0]! % tensors[name]!.data.BYTES_PER_ELEMENT).to.equal(0);
        }
      }),
      { seed: 3 },
    );
  });

  it("reads from a view at an odd offset, and from a Node Buffer, without keeping hold of either", () => {
    const tensors = { a: tensor("float64", [2], [1.5, -2]), flag: tensor("bool", [1], [true]) };
    const bytes = encodeSafetensors(tensors);
    const odd = new Uint8Array(bytes.length + 3);
    odd.set(bytes, 3);
    for (const view of [odd.subarray(3), Buffer.from(odd).subarray(3)]) {
      const decoded = decodeSafetensors(view);
      view.fill(0xff);
      expectSame(decoded.tensors, tensors);
    }
  });

  it("has names such as constructor and toString as plain entries", () => {
    const tensors = { constructor: scalar("int8", 1), toString: scalar("int8", 2) };
    const decoded = decodeSafetensors(encodeSafetensors(tensors)).tensors;
    expect(Object.keys(decoded).sort()).to.deep.equal(["constructor", "toString"]);
    expectSame(decoded, tensors);
  });

  it("widens float16 exactly: zeros, subnormals, normals, infinities and NaN payloads", () => {
    const halves = new Uint16Array([0, 0x8000, 1, 0x03ff, 0x0400, 0x3c00, 0xc000, 0x7bff, 0x7c00, 0xfc00]);
    const decoded = decodeSafetensors(
      file({ h: entry("F16", [10], [0, 20]) }, new Uint8Array(halves.buffer)),
    );
    const expected = [0, -0, 2 ** -24, 1023 * 2 ** -24, 2 ** -14, 1, -2, 65504, Infinity, -Infinity];
    expect(decoded.tensors.h!.dtype).to.equal("float32");
    expect(Array.from(decoded.tensors.h!.data as Float32Array)).to.deep.equal(expected);
    const nan = decodeSafetensors(file({ h: entry("F16", [], [0, 2]) }, [0x01, 0xfe])).tensors.h!;
    expect(bitsOf(nan)).to.equal("0020c0ff");
  });

  it("widens bfloat16 by appending sixteen zero bits", () => {
    const decoded = decodeSafetensors(file({ b: entry("BF16", [2], [0, 4]) }, [0x80, 0x3f, 0x45, 0xff]));
    expect(bitsOf(decoded.tensors.b!)).to.equal("0000803f" + "000045ff");
  });

  describe("refuses hostile or broken bytes with a typed error:", () => {
    const cases: [string, Uint8Array, RegExp][] = [
      ["an empty file", new Uint8Array(0), /0 bytes, fewer than the 8/],
      ["a header cut short", file({}).subarray(0, 9), /header should end at byte 10, but the file has 9/],
      ["a header beyond the limit", Uint8Array.from([1, 225, 245, 5, 0, 0, 0, 0]), /100000001 bytes/],
      ["a header of 2^64 - 1 bytes", new Uint8Array(8).fill(255), /18446744073709551615 bytes/],
      ["a header that is not UTF-8", file('{"é":0}').map((b) => (b === 0xc3 ? 0xff : b)), /not UTF-8/],
      ["a byte-order mark", file("\ufeff{}"), /does not start with \{/],
      ["a header that is a list", file("[]"), /does not start with \{/],
      ["a header that is not JSON", file("{,}"), /is not JSON/],
      ["a name twice", file('{"a":{},"\\u0061" : {}}'), /"a" occurs twice/],
      ["a field twice", file('{"x":{"dtype":"I8","dtype":"U8"}}'), /"dtype" occurs twice/],
      ["a tensor named __proto__", file('{"__proto__":{}}'), /__proto__/],
      ["metadata named __proto__", file('{"__metadata__":{"__proto__":"x"}}'), /__proto__/],
      ["metadata that is no text", file({ __metadata__: { n: 1 } }), /"n" is not a text/],
      ["metadata that is no object", file({ __metadata__: [] }), /is not an object of texts/],
      ["an entry that is null", file({ a: null }), /is no object/],
      ["an unknown dtype", file({ a: entry("F8_E4M3", [1], [0, 1]) }, [0]), /F8_E4M3.*convert/],
      ["a dtype named constructor", file({ a: entry("constructor", [], [0, 1]) }, [0]), /dtype/],
      ["a negative dimension", file({ a: entry("I8", [-1], [0, 1]) }, [0]), /shape.*whole numbers/],
      ["a fractional dimension", file({ a: entry("I8", [1.5], [0, 1]) }, [0]), /shape.*whole numbers/],
      ["one offset", file({ a: entry("I8", [1], [0]) }, [0]), /two whole numbers/],
      ["too few bytes for a shape", file({ a: entry("F32", [2], [0, 4]) }, [0, 0, 0, 0]), /needs 8 bytes/],
      ["a shape that overflows", file({ a: entry("I8", [2 ** 32, 2 ** 32], [0, 0]) }), /needs 1844674407/],
      ["offsets backwards", file({ a: entry("I8", [0], [1, 0]) }, [0]), /span -1/],
      ["offsets past the end", file({ a: entry("I8", [4], [0, 4]) }, [0]), /ends at byte 4.*there are 1/],
      [
        "overlapping tensors",
        file({ a: entry("I8", [2], [0, 2]), b: entry("I8", [2], [1, 3]) }, [0, 0, 0]),
        /"b" starts at byte 1 and overlaps/,
      ],
      ["a hole between tensors", file({ a: entry("I8", [1], [1, 2]) }, [0, 0]), /1 bytes before tensor "a"/],
      ["bytes after the last tensor", file({}, [0]), /last 1 bytes belong to no tensor/],
      ["a bool of 2", file({ a: entry("BOOL", [1], [0, 1]) }, [2]), /byte other than 0 and 1/],
    ];
    for (const [what, bytes, message] of cases) {
      it(what, () => expect(() => decodeSafetensors(bytes)).to.throw(SafetensorsError, message));
    }

    it("anything cut off from a valid file", () => {
      const bytes = encodeSafetensors({ a: tensor("float32", [3], [1, 2, 3]), b: scalar("int8", 4) });
      for (let length = 0; length < bytes.length; length++) {
        expect(() => decodeSafetensors(bytes.subarray(0, length))).to.throw(SafetensorsError, /cut short/);
      }
    });

    it("any damage at all, or else reads it as a file", () => {
      const bytes = encodeSafetensors({ a: tensor("float32", [3], [1, 2, 3]) }, { note: "x" });
      fc.assert(
        fc.property(fc.nat({ max: bytes.length - 1 }), fc.nat({ max: 255 }), (at, value) => {
          const damaged = bytes.with(at, value);
          try {
            decodeSafetensors(damaged);
          } catch (error) {
            expect(error).to.be.instanceOf(SafetensorsError);
          }
        }),
        { seed: 4, numRuns: 2000 },
      );
    });
  });

  describe("refuses to write", () => {
    const one = scalar("int8", 1);
    it("reserved names, half characters and data that does not fit its shape", () => {
      expect(() => encodeSafetensors({ __metadata__: one })).to.throw(SafetensorsError, /reserves/);
      expect(() => encodeSafetensors({ ["__proto__"]: one })).to.throw(SafetensorsError, /another name/);
      expect(() => encodeSafetensors({ "\ud800": one })).to.throw(SafetensorsError, /another name/);
      expect(() => encodeSafetensors({ a: { ...one, shape: [2] } })).to.throw(SafetensorsError, /1 values/);
    });

    it("metadata that is not text", () => {
      const metadata = { step: 3 } as unknown as Record<string, string>;
      expect(() => encodeSafetensors({}, metadata)).to.throw(SafetensorsError, /JSON\.stringify/);
    });
  });

  it("refuses a header of very many brackets, where a type should be", () => {
    const depth = 200_000;
    const text = `{"w":{"dtype":${"[".repeat(depth)}${"]".repeat(depth)},"shape":[],"data_offsets":[0,0]}}`;
    const bytes = new Uint8Array(8 + text.length);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(text.length), true);
    bytes.set(new TextEncoder().encode(text), 8);
    expect(() => decodeSafetensors(bytes)).to.throw(SafetensorsError);
  });
});
