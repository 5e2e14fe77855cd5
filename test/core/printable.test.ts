import { expect } from "chai";
import fc from "fast-check";
import { RevortError } from "../../src/core/errors.js";
import { oneLine, printable, printableJson, printableLines, shown } from "../../src/core/printable.js";

/** Unicode's own classes: controls, formats, separators of lines, halves of pairs, and what is no character. */
const acting = /(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Noncharacter_Code_Point}]/u;
const anyText = fc.oneof(
  fc.string({ unit: "binary" }),
  fc.string({
    unit: fc.constantFrom(
      "\u001b[2J",
      "\u009b31m",
      "\u202e",
      "\n",
      "\r",
      "\u2028",
      "\ud800",
      "\ufeff",
      "a",
      "é",
      "日",
    ),
  }),
);

describe("printable", () => {
  it("spells out what acts on a terminal, and leaves what people write", () => {
    expect(printable("\u001b[31mred\u0007")).to.equal("\\u{1b}[31mred\\u{7}");
    expect(printable("one\ntwo\r\tthree")).to.equal("one\\u{a}two\\u{d}\\u{9}three");
    expect(printable("C1 \u009b31m, gnp.\u202eexe, \u{e0041}")).to.equal(
      "C1 \\u{9b}31m, gnp.\\u{202e}exe, \\u{e0041}",
    );
    for (const word of ["λ = 0.999, Δt → 0 µs", "日本語", "می‌خواهم", "क्‍ष", "👩‍🔬", 'a "b" \\c']) {
      expect(printable(word)).to.equal(word);
    }
  });

  it("lets nothing through that acts, of any text", () => {
    fc.assert(
      fc.property(anyText, (text) => {
        expect(printable(text)).not.to.match(acting);
        expect(printableLines(text).replace(/[\n\t]/g, "")).not.to.match(acting);
        expect(shown(text)).not.to.match(acting);
      }),
    );
  });

  it("keeps line ends and tabs where a text has several lines", () => {
    expect(printableLines("a\tb\n\u001bc\r\n")).to.equal("a\tb\n\\u{1b}c\\u{d}\n");
  });

  it("gives JSON that means the same, and acts on nothing", () => {
    fc.assert(
      fc.property(
        fc.dictionary(anyText, fc.oneof(anyText, fc.integer())),
        fc.constantFrom(undefined, 2),
        (value, indent) => {
          const json = printableJson(value, indent);
          expect(json.replaceAll("\n", "")).not.to.match(acting);
          expect(JSON.parse(json)).to.deep.equal(JSON.parse(JSON.stringify(value)));
        },
      ),
    );
    expect(printableJson({ "\u202e": "\u{e0041}" })).to.equal('{"\\u202e":"\\udb40\\udc41"}');
  });

  it("makes one line of several in time that grows with the text alone", () => {
    expect(oneLine("  - one  \n\n   two\n")).to.equal("  - one two");
    // the square of a million would be hours
    const blanks = " ".repeat(1e6);
    expect(oneLine(`a${blanks}b`)).to.have.length(1e6 + 2);
    expect(oneLine(`a${blanks}\n${blanks}b`)).to.equal("a b");
  });

  it("is what every error says", () => {
    class SomeError extends RevortError {}
    const cause = new Error("x");
    const error = new SomeError("the node \u001b[2J\n  of a file", { cause });
    expect(error.message).to.equal("the node \\u{1b}[2J of a file");
    expect(error.cause).to.equal(cause);
    expect(error.stack).not.to.include("\u001b");
  });
});
