import { gzipSync } from "node:zlib";
import { expect } from "chai";
import { DataError } from "../../src/storage/data-error.js";
import { unpacked } from "../../src/storage/gzip.js";
import { joinedImages, parseCifar, parseIdx, parseMnist } from "../../src/storage/labelled-images.js";

/** An idx file of bytes. */
const idx = (shape: readonly number[], data: readonly number[]) =>
  Uint8Array.from([0, 0, 8, shape.length, ...shape.flatMap((dim) => [0, 0, dim >> 8, dim & 255]), ...data]);
const file = (name: string, bytes: Uint8Array) => ({ name, bytes });
const images = idx([2, 2, 3], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]);
const labels = idx([2], [7, 0]);

/** CIFAR records whose pixels count up. */
const records = (...classes: number[]) =>
  Uint8Array.from(
    classes.flatMap((label) => [label, ...Array.from({ length: 3072 }, (_, k) => (k + label) & 255)]),
  );

describe("labelled images", () => {
  it("are read from MNIST's files, packed or not", () => {
    for (const packed of [(bytes: Uint8Array) => bytes, gzipSync]) {
      const from = (name: string, bytes: Uint8Array) => file(name, unpacked(packed(bytes), name));
      const found = parseMnist(from("images", images), from("labels", labels));
      const { pixels, labels: classes, ...rest } = found;
      expect(rest).to.deep.equal({ count: 2, channels: 1, height: 2, width: 3 });
      expect([...pixels]).to.deep.equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 255]);
      expect([...classes]).to.deep.equal([7, 0]);
    }
  });

  it("are read from CIFAR-10's binary records, and joined in order", () => {
    const [one, two] = [parseCifar(file("a.bin", records(3, 9))), parseCifar(file("b.bin", records(0)))];
    const { count, channels, height, width, pixels, labels: classes } = joinedImages([one, two]);
    expect([count, channels, height, width]).to.deep.equal([3, 3, 32, 32]);
    expect([...classes]).to.deep.equal([3, 9, 0]);
    // the first blue pixel of the second image
    expect(pixels[3072 + 2048]).to.equal((2048 + 9) & 255);
  });

  it("that are something else are refused, saying what was expected", () => {
    const cut = images.subarray(0, images.length - 1);
    for (const [read, message] of [
      [() => parseIdx(file("x", Uint8Array.from([1, 2, 3, 4])), 3), /x: it is no idx file/],
      [() => parseIdx(file("x", labels), 3), /header of 0 0 8 3\), but its header is 0 0 8 1/],
      [() => parseIdx(file("x", cut), 3), /header says 2 × 2 × 3 bytes, but 11 come after it/],
      [() => unpacked(Uint8Array.from([0x1f, 0x8b, 8, 0, 1]), "x"), /cannot be unpacked by gunzip/],
      [
        () => parseMnist(file("i", images), file("l", idx([3], [0, 0, 0]))),
        /l: it has 3 labels, but i has 2 images/,
      ],
      [() => parseMnist(file("i", images), file("l", idx([2], [0, 12]))), /image 1 has the class 12/],
      [() => parseMnist(file("i", idx([0, 2, 2], [])), file("l", idx([0], []))), /it has no images/],
      [
        () => parseCifar(file("data_batch_1", Uint8Array.from([0x80, 2, 1]))),
        /pickle of Python; give the binary/,
      ],
      [() => parseCifar(file("x.bin", records(1).subarray(1))), /3073 bytes each, but it has 3072/],
      [() => parseCifar(file("x.bin", records(10))), /image 0 has the class 10/],
    ] as const) {
      expect(read).to.throw(DataError, message);
    }
  });
});
