import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { expect } from "chai";
import { missingModules, python } from "../support/python.js";
import { fixture, readJson, run, scratch, script, start } from "./command.js";

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** A command that has been asked to listen for signals, and then does not stop of itself. */
async function stubbornCommand() {
  const program = `
    import { stopOnSignal } from ${JSON.stringify(join(process.cwd(), "src/cli/stop-signal.ts"))};
    const stopping = stopOnSignal();
    stopping.signal().addEventListener("abort", () => console.log("asked to stop"));
    process.on("exit", () => console.log("exit, as others see it"));
    setInterval(() => {}, 1000);
    console.log("listening");
  `;
  const child = spawn("node", ["--import", "tsx", "--input-type=module", "-e", program]);
  let [stdout, stderr] = ["", ""];
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  await new Promise<void>((resolve) =>
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
      if (stdout.includes("listening")) resolve();
    }),
  );
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) =>
    child.on("close", (code) => resolve({ code, stdout, stderr })),
  );
  return { child, ended };
}

describe("signals that stop a command", () => {
  const folder = scratch();

  it("are one where they come within a second: a terminal and tsx both send Ctrl-C", async () => {
    const { child: stubborn, ended } = await stubbornCommand();
    stubborn.kill("SIGINT");
    await pause(50);
    stubborn.kill("SIGINT");
    await pause(300);
    expect(stubborn.exitCode).to.equal(null);
    await pause(1000);
    stubborn.kill("SIGINT");
    const { code, stdout, stderr } = await ended;
    expect(code).to.equal(130);
    expect(stderr.match(/Stopping/g)).to.have.length(1);
    // what is to be done at the end is done, such as giving up a lock
    expect(stdout).to.equal("listening\nasked to stop\nexit, as others see it\n");
  });

  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129],
  ] as const) {
    it(`stop a training after its update, which goes on later: ${signal}, exit code ${code}`, async () => {
      const place = folder(signal);
      const running = start("train", [
        "influenza",
        "--runtime",
        "ort-cpu",
        "--steps",
        "100000",
        "--out",
        place,
      ]);
      await new Promise<void>((resolve) => {
        let text = "";
        running.process.stderr!.on("data", (chunk) => {
          text += chunk;
          if (/1\/100000/.test(text)) resolve();
        });
      });
      running.process.kill(signal);
      running.process.kill(signal);
      const ended = await running.ended;
      expect(ended.code, ended.stderr).to.equal(code);
      expect(ended.stderr).to.include(`Continue with: revort train --resume ${place}`);
      const { stopped, steps } = readJson(`${place}/result.json`);
      expect(stopped).to.equal("aborted");
      const resumed = await run(["train", "--resume", place, "--steps", String(steps + 1)]);
      expect(resumed.code, resumed.stderr).to.equal(0);
      // nobody was cut off
      expect(resumed.stderr).not.to.include("taking over");
    });
  }

  it("may come from a terminal: Ctrl-C there, or its window closed, leaves a whole run and no lock", function () {
    const why = missingModules("pty");
    if (why !== null) {
      console.log(`      skipped: ${why}`);
      this.skip();
    }
    // starts a command on a terminal of its own, does something to it at the first loss, and says how it ended
    const inTerminal = `
import os, pty, sys
action, *command = sys.argv[1:]
pid, terminal = pty.fork()
if pid == 0:
    os.execvp(command[0], command)
shown = b""
while True:
    try:
        more = os.read(terminal, 4096)
    except OSError:
        break
    shown += more
    if b"loss" in more and action == "type":
        os.write(terminal, b"\\x03")
        action = "typed"
    elif b"loss" in more and action == "close":
        os.close(terminal)
        break
_, status = os.waitpid(pid, 0)
print(os.WEXITSTATUS(status) if os.WIFEXITED(status) else -os.WTERMSIG(status))
`;
    for (const [action, codes] of [
      ["type", ["130"]],
      // 128 + 1, as a shell has it, or the signal itself
      ["close", ["129", "-1"]],
    ] as const) {
      const place = folder(action);
      const words = ["influenza", "--runtime", "ort-cpu", "--steps", "100000", "--out", place];
      const { stdout, stderr } = python(
        inTerminal,
        action,
        process.execPath,
        "--import",
        "tsx",
        script("train"),
        ...words,
      );
      expect(codes, stderr).to.include(stdout.trim());
      expect(readJson(`${place}/result.json`).stopped).to.equal("aborted");
      expect(readdirSync(place).filter((name) => /lock|tmp/.test(name))).to.deep.equal([]);
    }
  });

  it("end what leaves nothing half done at once: checks of gradients, figures, solves of equal steps", async () => {
    const field = fixture("mlp-dynamo-20-float64.onnx");
    for (const [name, ...words] of [
      ["gradcheck", "white-dwarf", "--step-size", "3e-6"],
      ["figure", "white-dwarf", "--runtime", "ort-cpu", "--out", folder("figures")],
      ["solve", field, "--y0", "1,0", "--t0", "0", "--t1", "900", "--step-size", "1e-5", "--runtime", "jit"],
    ] as const) {
      const running = start(name, words);
      await pause(4000);
      expect(running.process.exitCode, name).to.equal(null);
      const asked = performance.now();
      running.process.kill("SIGINT");
      const { code, signal } = await running.ended;
      // a shell shows 130 for either
      expect(code === 130 || signal === "SIGINT", `${name}: ${code} ${signal}`).to.equal(true);
      expect(performance.now() - asked, name).to.be.lessThan(2000);
    }
  });
});
