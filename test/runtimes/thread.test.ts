import { expect } from "chai";
import { RunError } from "../../src/runtime/runtime.js";
import { type ThreadRuntime, threadRuntime } from "../../src/runtimes/thread.js";
import { conformance } from "../runtime/conformance.js";
import { failure } from "../support/failure.js";

describe("Runtimes in threads", () => {
  const opened: ThreadRuntime[] = [];
  const open = async (name: "ort-cpu" | "jit") => {
    opened.push(await threadRuntime(name));
    return opened.at(-1)!;
  };
  after(async () => {
    for (const runtime of opened) await runtime.close();
  });

  conformance("ort-cpu-thread", () => open("ort-cpu"));
  conformance("jit-thread", () => open("jit"));

  it("fail what they were asked when the thread ends", async () => {
    const runtime = await open("jit");
    await runtime.close();
    const tensor = runtime.upload({ dtype: "float32", shape: [], data: new Float32Array(1) });
    const { message } = await failure(runtime.download(tensor), RunError);
    expect(message).to.contain("ended");
  });
});
