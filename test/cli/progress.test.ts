import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect } from "chai";
import { progress } from "../../src/cli/progress.js";

/** A stream that remembers, and a clock that is set by hand. */
function setting(isTTY: boolean, columns = 100) {
  const written: string[] = [];
  const clock = { ms: 1_000 };
  const stream = { isTTY, columns, write: (text: string) => written.push(text) };
  return { stream, clock, written, now: () => clock.ms };
}

/** What a terminal would show, line by line, after all that was written. */
function screen(written: readonly string[]): string[] {
  return written
    .join("")
    .split("\n")
    .map((line) => line.split("\r\u001b[K").at(-1)!);
}

describe("progress on a terminal", () => {
  it("shows a bar with share, count, rate, time left and named values", () => {
    const { stream, clock, written, now } = setting(true);
    const bar = progress({ stream, total: 40, label: "training", now });
    bar.update(0, { loss: 2 });
    clock.ms += 2_000;
    bar.update(10, { loss: 0.123456 });
    const filled = `${"█".repeat(7)}${"░".repeat(23)}`;
    expect(screen(written)).to.deep.equal([`training ${filled} 25 %  10/40  5/s  6 s left  loss 0.1235`]);
  });

  it("counts the rate of a resumed task from where it began", () => {
    const { stream, clock, written, now } = setting(true);
    const bar = progress({ stream, total: 1_000, label: "x", now });
    clock.ms += 9_000;
    bar.update(900);
    clock.ms += 1_000;
    bar.update(910);
    expect(screen(written).at(-1)).to.include("910/1000  10/s  9 s left");
  });

  it("draws ten times a second at most, and the last state in any case", () => {
    const { stream, clock, written, now } = setting(true);
    const bar = progress({ stream, total: 1_000, label: "x", now });
    for (let step = 0; step <= 999; step++) {
      bar.update(step);
      clock.ms += 1;
    }
    expect(written).to.have.length(10);
    bar.finish();
    expect(screen(written)[0]).to.include("999/1000  in 1 s");
  });

  it("puts what is logged above the bar, which stays", () => {
    const { stream, written, now } = setting(true);
    const bar = progress({ stream, total: 2, label: "x", now });
    bar.log("before");
    bar.update(1);
    bar.log("saved");
    bar.finish();
    bar.log("after");
    const lines = screen(written);
    expect(lines).to.have.length(5);
    expect([lines[0], lines[1], lines[3], lines[4]]).to.deep.equal(["before", "saved", "after", ""]);
    expect(lines[2]).to.match(/^x █+░+ 50 % {2}1\/2/);
  });

  it("never takes more than the width there is, whatever is shown", () => {
    for (const columns of [1, 10, 20, 40, 80]) {
      const { stream, clock, written, now } = setting(true, columns);
      const bar = progress({ stream, total: 1e6, label: "a longer label", now });
      bar.update(0, { loss: 1e-9, "validation loss": Number.NaN });
      clock.ms += 1e9;
      bar.update(12);
      for (const text of written)
        expect(text.replace("\r\u001b[K", "").length).to.be.below(Math.max(2, columns));
    }
  });

  it("never hides the cursor, nor changes how the terminal works", () => {
    const { stream, written, now } = setting(true);
    const bar = progress({ stream, total: 3, label: "x", now });
    bar.update(1, { loss: 1 });
    bar.log("line");
    bar.finish();
    // The only sequence is the one that clears to the end of the line.
    expect(written.join("").replaceAll("\u001b[K", "")).to.not.include("\u001b");
  });
});

describe("progress elsewhere", () => {
  it("writes plain lines: at the start, at the end, and every five seconds between", () => {
    const { stream, clock, written, now } = setting(false);
    const bar = progress({ stream, total: 120, label: "training", now });
    for (let step = 0; step <= 120; step++) {
      bar.update(step, { loss: 1 / (step + 1) });
      clock.ms += 100;
    }
    bar.finish();
    expect(written).to.deep.equal([
      "training  0 %  0/120  loss 1\n",
      "training  41 %  50/120  10/s  7 s left  loss 0.01961\n",
      "training  83 %  100/120  10/s  2 s left  loss 0.009901\n",
      "training  100 %  120/120  in 12 s  loss 0.008264\n",
    ]);
  });

  it("writes logged lines as they are", () => {
    const { stream, written, now } = setting(false);
    progress({ stream, total: 1, label: "x", now }).log("note");
    expect(written).to.deep.equal(["note\n"]);
  });
});

describe("progress", () => {
  it("is silent when it is disabled, and when nothing was begun", () => {
    for (const isTTY of [true, false]) {
      const { stream, written, now } = setting(isTTY);
      const disabled = progress({ stream, total: 1, label: "x", enabled: false, now });
      disabled.update(1);
      disabled.log("note");
      disabled.finish();
      progress({ stream, total: 1, label: "x", now }).finish();
      expect(written).to.deep.equal([]);
    }
  });

  it("says its last word once", () => {
    const { stream, written, now } = setting(false);
    const bar = progress({ stream, total: 4, label: "x", now });
    bar.update(4);
    bar.finish();
    const { length } = written;
    bar.finish();
    bar.update(5);
    expect(written).to.have.length(length);
  });

  it("copes with no steps at all, more steps than announced, and a clock that stands still", () => {
    const { stream, clock, written, now } = setting(false);
    const none = progress({ stream, total: 0, label: "x", now });
    none.update(0);
    none.finish();
    const more = progress({ stream, total: 2, label: "x", now });
    more.update(0);
    more.update(1);
    clock.ms += 6_000;
    more.update(3);
    more.finish();
    expect(written.join("")).to.include("100 %  0/0").and.to.include("100 %  3/2");
    expect(written.join("")).to.not.match(/NaN|Infinity|-/);
  });

  it("keeps no process alive that forgets to finish, and none from being interrupted", function () {
    if (process.platform === "win32") this.skip();
    const script = `
      import { progress } from ${JSON.stringify(join(process.cwd(), "src/cli/progress.ts"))};
      progress({ stream: { isTTY: true, write: (text) => process.stderr.write(text) }, total: 2, label: "x" }).update(1);
    `;
    const run = (code: string) =>
      spawnSync(process.execPath, ["--import", "tsx", "--input-type=module", "-e", code], {
        timeout: 20_000,
      });
    expect(run(script).status).to.equal(0);
    const interrupted = run(`${script}\nsetTimeout(() => {}, 60_000);\nprocess.kill(process.pid, "SIGINT");`);
    expect(interrupted.signal).to.equal("SIGINT");
    expect(String(interrupted.stderr)).to.not.include("\u001b[?");
  });
});
