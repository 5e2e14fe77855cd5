import { expect } from "chai";
import { numbers, scalar } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { add } from "../../src/ops/arithmetic.js";
import { RunError } from "../../src/runtime/runtime.js";
import { type ThreadRuntime, threadRuntime } from "../../src/runtimes/thread.js";
import type { ThreadedRuntime } from "../../src/runtimes/threaded-runtime.js";
import { transportChecks } from "../runtime/checks.js";
import { conformance } from "../runtime/conformance.js";
import { failure } from "../support/failure.js";

describe("Runtimes in threads", () => {
  const opened: ThreadRuntime[] = [];
  const open = async (name: ThreadedRuntime) => {
    opened.push(await threadRuntime(name));
    return opened.at(-1)!;
  };
  after(async () => {
    for (const runtime of opened) await runtime.close();
  });

  // what they compute is computed by the same code outside of threads, which has all checks there
  for (const name of ["ort-cpu", "jit"] as const) {
    conformance(`${name}-thread`, () => open(name), {}, transportChecks);
  }

  for (const name of ["ort-cpu", "jit", "auto"] as const) {
    it(`${name}: serve requests in order, however they pile up`, async () => {
      const runtime = await open(name);
      const b = new Builder();
      const x = b.input("x", "float64", []);
      const executable = await runtime.compile(b.graph({ y: add(b, x, 1) }));
      // some of these arrive while others run, some while the thread looks out for the next
      for (let round = 0; round < 5; round++) {
        const found = await Promise.all(
          Array.from({ length: 20 }, async (_, i) => {
            const { y } = await executable.run({ x: runtime.upload(scalar("float64", i)) });
            const again = await executable.run({ x: y! });
            return numbers(await runtime.download(again.y!))[0];
          }),
        );
        expect(found).to.deep.equal(Array.from({ length: 20 }, (_, i) => i + 2));
      }
    });
  }

  it("give an answer to who looks out for it, before anything else gets a turn", async () => {
    const runtime = await open("jit");
    const b = new Builder();
    const executable = await runtime.compile(b.graph({ y: add(b, b.input("x", "float64", []), 1) }));
    let [found, hasTurned] = [Number.NaN, false];
    const running = executable.run({ x: runtime.upload(scalar("float64", 2)) }).then(async ({ y }) => {
      found = numbers(await runtime.download(y!))[0]!;
    });
    setImmediate(() => {
      hasTurned = true;
    });
    for (const end = performance.now() + 5000; Number.isNaN(found) && performance.now() < end; ) {
      runtime.lookOut!();
      for (let i = 0; i < 10; i++) await null;
    }
    expect(found).to.equal(3);
    expect(hasTurned).to.equal(false);
    await running;
    // with nothing to come there is nothing to look out for
    const start = performance.now();
    for (let i = 0; i < 1000; i++) runtime.lookOut!();
    expect(performance.now() - start).to.be.below(400);
  });

  it("fail what they were asked when the thread ends", async () => {
    const runtime = await open("jit");
    await runtime.close();
    const tensor = runtime.upload({ dtype: "float32", shape: [], data: new Float32Array(1) });
    const { message } = await failure(runtime.download(tensor), RunError);
    expect(message).to.contain("ended");
  });
});
