import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { RevortError } from "../../src/core/errors.js";
import type { Sample } from "../measure.js";

/** A process of a peer that ended, or said something else than was asked. */
export class PeerError extends RevortError {}

/**
 * Another process with contenders in it. It says first what it has, as one line of JSON; then it runs them by their
 * numbers, one line for each: `number<TAB>repeats`, answered with the seconds that all repeats took, on its clock and
 * of processor time, as JSON.
 */
export class Peer {
  readonly #waiting: ((line: string) => void)[] = [];
  readonly #ended: Promise<never>;

  private constructor(readonly child: ChildProcessWithoutNullStreams) {
    let said = "";
    createInterface(child.stdout).on("line", (line) => this.#waiting.shift()?.(line));
    child.stderr.on("data", (text: Buffer) => {
      said = (said + text).slice(-4000);
    });
    this.#ended = new Promise((_, reject) => {
      const fail = (how: string) =>
        reject(new PeerError(`${child.spawnargs.slice(1, 2)} ${how}. It said last:\n${said.trim()}`));
      child.once("error", ({ message }) => fail(`could not be run: ${message}`));
      child.once("exit", (code, signal) => fail(`ended with ${signal ?? `code ${code}`}`));
    });
    this.#ended.catch(() => {});
  }

  /** Starts a process; what it says of itself comes with it. @throws {PeerError} */
  static async start<Ready>(
    program: string,
    words: readonly string[],
  ): Promise<{ peer: Peer; ready: Ready }> {
    const peer = new Peer(spawn(program, words));
    return { peer, ready: JSON.parse(await peer.#line()) as Ready };
  }

  /** @throws {PeerError} if the process ends before it has answered */
  #line(): Promise<string> {
    const line = new Promise<string>((resolve) => this.#waiting.push(resolve));
    return Promise.race([line, this.#ended]);
  }

  /** Runs a contender so often. */
  async time(contender: number, repeats: number): Promise<Sample> {
    this.child.stdin.write(`${contender}\t${repeats}\n`);
    return JSON.parse(await this.#line()) as Sample;
  }

  end(): void {
    this.child.stdin.end();
  }
}
