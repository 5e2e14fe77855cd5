import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { ScalarType } from "@bufbuild/protobuf";
import { ModelError } from "./model.js";

// A file of a few megabytes can describe millions of empty messages, each of which becomes an object of several
// hundred bytes. So the bytes are walked once, without making anything, before they are read.

/** Messages (nodes, attributes, dimensions, …) in one file; a large language model has some hundred thousand. */
const maxMessages = 1_000_000;
/** Numbers and names in one file, numbers in raw data not counted. */
const maxItems = 1 << 25;
const maxDepth = 100;

const varint = 0;
const bits64 = 1;
const delimited = 2;
const bits32 = 5;

/**
 * Checks that bytes are a well-formed message of a schema: lengths nest, wire types fit, and neither depth nor number
 * of messages is beyond what a model needs.
 *
 * @throws {ModelError} otherwise
 */
export function checkWire(bytes: Uint8Array, schema: DescMessage): void {
  const budget = { messages: maxMessages, items: maxItems };
  const fields = new Map<DescMessage, Map<number, DescField>>();
  const fieldsOf = (message: DescMessage): Map<number, DescField> => {
    const known = fields.get(message);
    if (known !== undefined) return known;
    const fresh = new Map(message.fields.map((field) => [field.number, field]));
    fields.set(message, fresh);
    return fresh;
  };

  let at = 0;
  const readVarint = (end: number): number => {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (at >= end) throw cut(at);
      const byte = bytes[at++]!;
      // beyond 2^53 digits are lost, but all such lengths are out of range anyway
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw broken(at, "a number has more than ten bytes");
  };

  const walk = (message: DescMessage, end: number, depth: number): void => {
    if (depth > maxDepth) {
      throw new ModelError(
        `The file nests messages deeper than ${maxDepth}: simplify its subgraphs before loading it.`,
      );
    }
    if (budget.messages-- <= 0) {
      throw new ModelError(
        `The file holds more than ${maxMessages} messages, more than a vector field has use for; ` +
          "check where it comes from.",
      );
    }
    const known = fieldsOf(message);
    while (at < end) {
      if (budget.items-- <= 0) throw tooMany();
      const start = at;
      const tag = readVarint(end);
      const wire = tag & 7;
      const field = known.get(Math.floor(tag / 8));
      if (tag > 0xffffffff || tag < 8) throw broken(start, `${tag} is not the tag of a field`);
      const expected = field === undefined ? null : wireTypes(field);
      if (expected !== null && !expected.includes(wire)) {
        throw broken(start, `the field ${field!.name} has wire type ${wire}`);
      }
      if (wire === varint) readVarint(end);
      else if (wire === bits64) at += 8;
      else if (wire === bits32) at += 4;
      else if (wire === delimited) {
        const length = readVarint(end);
        const stop = at + length;
        if (stop > end) throw cut(at);
        const child = field === undefined ? undefined : field.message;
        if (child !== undefined) walk(child, stop, depth + 1);
        else if (field !== undefined && field.fieldKind === "list" && field.listKind === "scalar") {
          budget.items -= packedItems(field.scalar, length);
          if (budget.items < 0) throw tooMany();
          if (isVarint(field.scalar)) while (at < stop) readVarint(stop);
          else if (!isText(field.scalar) && length % (field.scalar === ScalarType.DOUBLE ? 8 : 4) !== 0) {
            throw broken(start, `the numbers of ${field.name} do not fill ${length} bytes`);
          }
        }
        at = stop;
      } else throw broken(start, `wire type ${wire} does not occur in ONNX`);
      if (at > end) throw cut(end);
    }
  };
  walk(schema, bytes.length, 0);
}

function wireTypes(field: DescField): readonly number[] {
  if (field.message !== undefined) return [delimited];
  if (field.fieldKind === "enum") return [varint];
  const scalar = field.scalar;
  if (scalar === undefined || isText(scalar)) return [delimited];
  const single = isVarint(scalar) ? varint : scalar === ScalarType.DOUBLE ? bits64 : bits32;
  return field.fieldKind === "list" ? [single, delimited] : [single];
}

function isText(scalar: ScalarType): boolean {
  return scalar === ScalarType.STRING || scalar === ScalarType.BYTES;
}

function isVarint(scalar: ScalarType): boolean {
  return !isText(scalar) && scalar !== ScalarType.DOUBLE && scalar !== ScalarType.FLOAT;
}

function packedItems(scalar: ScalarType, length: number): number {
  if (isText(scalar)) return 1;
  return isVarint(scalar) ? length : length / 4;
}

function cut(at: number): ModelError {
  return new ModelError(
    `The file is cut short or is not an ONNX model: what starts before byte ${at} ends too early; ` +
      "copy, download or export it again.",
  );
}

function broken(at: number, what: string): ModelError {
  return new ModelError(`This is not an ONNX model: at byte ${at}, ${what}. Export it again.`);
}

function tooMany(): ModelError {
  return new ModelError(
    `The file lists more than ${maxItems} numbers and names one by one; ` +
      "save its tensors as raw or external data.",
  );
}
