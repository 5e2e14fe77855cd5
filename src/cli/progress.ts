import { type Pace, type ProgressFields, progressText } from "./progress-text.js";

/** What is needed of a stream such as `process.stderr`. */
export interface ProgressStream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

export interface ProgressOptions {
  /** Where progress goes, and nothing else: standard error, for standard output is for results. */
  readonly stream: ProgressStream;
  /** How many steps there are. */
  readonly total: number;
  /** What is being done, in a word or two. */
  readonly label: string;
  /** False for silence. */
  readonly enabled?: boolean;
  /** Milliseconds, from any origin. */
  readonly now?: () => number;
}

export interface Progress {
  /** `done` steps are behind us; the rate is counted from the first call on. Fields stay until they are replaced. */
  update(done: number, fields?: ProgressFields): void;
  /** A line of its own, above the bar where there is one. */
  log(line: string): void;
  /** The last state; needed once, harmless twice. */
  finish(): void;
}

/** How texts are put on a stream. */
interface Display {
  /** The least time between two texts, in milliseconds. */
  readonly interval: number;
  show(text: string): void;
  log(line: string): void;
  end(): void;
}

/**
 * Shows how far a long task has come: on a terminal as a bar with rate, time left and named values; elsewhere (a
 * file, a pipe) as plain lines, at the start, at the end, and between them every five seconds at most.
 *
 * There is nothing to mend after an interruption: the cursor stays visible, the terminal's modes stay as they are,
 * no handler is set for signals, and no timer keeps the process alive. (The bar of cli-progress has a timer, turns
 * off the wrapping of lines, and at the end moves the cursor to where it was at the start, over lines logged since.)
 */
export function progress(options: ProgressOptions): Progress {
  const { stream, total, label, enabled = true, now = Date.now } = options;
  if (!enabled) return { update: () => {}, log: () => {}, finish: () => {} };

  const display = stream.isTTY === true ? barDisplay(stream) : lineDisplay(stream);
  const created = now();
  let first: { readonly time: number; readonly done: number } | undefined;
  let done = 0;
  let fields: ProgressFields = {};
  let shownAt = Number.NEGATIVE_INFINITY;
  let finished = false;

  const pace = (): Pace => {
    if (finished) return { seconds: (now() - created) / 1000 };
    const rate = (1000 * (done - first!.done)) / (now() - first!.time);
    return rate > 0 && Number.isFinite(rate) ? { rate, left: Math.max(0, total - done) / rate } : {};
  };
  const show = (): void => {
    // The width is read each time, for a terminal may be resized.
    const width = stream.isTTY === true ? (stream.columns || 80) - 1 : undefined;
    display.show(progressText({ label, done, total, pace: pace(), fields, width }));
    shownAt = now();
  };

  return {
    update(newDone, newFields = {}) {
      if (finished) return;
      // A resumed task begins with steps that it did not do itself.
      first ??= { time: now(), done: newDone };
      done = newDone;
      fields = { ...fields, ...newFields };
      if (now() - shownAt >= display.interval) show();
    },
    log: (line) => display.log(line),
    finish() {
      if (finished) return;
      finished = true;
      if (first === undefined) return;
      show();
      display.end();
    },
  };
}

/** One line that is written over, with what is logged above it. */
function barDisplay(stream: ProgressStream): Display {
  let current = "";
  const startOfLine = "\r\u001b[K";
  return {
    interval: 100,
    show(text) {
      current = text;
      stream.write(`${startOfLine}${text}`);
    },
    log: (line) => stream.write(`${current === "" ? "" : startOfLine}${line}\n${current}`),
    end() {
      current = "";
      stream.write("\n");
    },
  };
}

function lineDisplay(stream: ProgressStream): Display {
  return {
    interval: 5_000,
    show: (text) => stream.write(`${text}\n`),
    log: (line) => stream.write(`${line}\n`),
    end: () => {},
  };
}
