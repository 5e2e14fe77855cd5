import { expect } from "chai";
import { consoleOn } from "../../src/cli/console.js";
import { progress } from "../../src/cli/progress.js";

/** A console on a terminal that remembers what was written to it, on both streams. */
function onTerminal() {
  let text = "";
  const stream = { isTTY: true, columns: 60, write: (more: string) => (text += more) };
  const console = consoleOn({
    stdout: stream,
    stderr: stream,
    stopSignal: () => new AbortController().signal,
  });
  return { console, written: () => text };
}

/** What a terminal shows of it: each \r starts its line anew. */
const lines = (text: string) => text.split("\n").map((line) => line.split("\r\u001b[K").at(-1));

describe("a console", () => {
  it("shows notes above the bar that is being drawn, each on a line of its own", () => {
    const { console, written } = onTerminal();
    const bar = progress({ stream: console.bar, total: 4, label: "training", now: () => 0 });
    console.note("before");
    bar.update(1);
    console.note("a note");
    console.stderr.write("and a text\nof two lines\n");
    bar.update(4);
    bar.finish();
    console.stdout.write("a result\n");
    const shown = lines(written());
    expect(shown.slice(0, 4)).to.deep.equal(["before", "a note", "and a text", "of two lines"]);
    expect(shown[4]).to.match(/^training █+ 100 %/);
    expect(shown.slice(5)).to.deep.equal(["a result", ""]);
  });

  it("lets a bar move the cursor, and nothing else", () => {
    const { console, written } = onTerminal();
    console.bar.write("\r\u001b[Kbar\n");
    console.note("\u001b[2J\nnote");
    console.stdout.write("\u001b[2J\nout\n");
    console.json({ "\u009b": 1 });
    expect(written()).to.equal(
      "\r\u001b[Kbar\n" + "\\u{1b}[2J note\n" + "\\u{1b}[2J\nout\n" + '{"\\u009b":1}\n',
    );
  });
});
