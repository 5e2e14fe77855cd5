import { expect } from "chai";
import { tensor } from "../../src/core/tensor.js";
import { Builder } from "../../src/graph/builder.js";
import { backends } from "../../src/graph-model/backends.js";
import { add } from "../../src/ops/arithmetic.js";
import { RuntimeUnavailableError } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { tfjs } from "../../src/runtimes/tfjs/tfjs.js";
import { conformance } from "../runtime/conformance.js";
import { failure } from "../support/failure.js";
import { run } from "../webgpu/checks.js";
import { operatorChecks } from "../webgpu/operators.js";
import { tfjsChecks } from "./checks.js";
import { refused, skips } from "./skips.js";

for (const backend of backends.slice(0, 2)) {
  conformance(`tfjs-${backend}`, () => tfjs({ backend }), skips);

  describe(`tfjs-${backend}`, () => {
    const place = {
      backend,
      open: (options = {}) => tfjs({ backend, ...options }),
      reference: ortNode,
    };
    for (const [title, check] of Object.entries(tfjsChecks)) it(title, () => check(place));
    for (const [title, check] of Object.entries(operatorChecks)) {
      if (title in refused) it.skip(`${title} (${refused[title]})`);
      else it(title, () => check(place));
    }
  });
}

describe("the process with TensorFlow.js in it", () => {
  it("is told of its errors as without: nothing of the backend wasm listens for them", async () => {
    await tfjs({ backend: "wasm" });
    const events = ["uncaughtException", "unhandledRejection"] as const;
    const listeners = events.flatMap((event) => process.listeners(event as "uncaughtException").map(String));
    expect(listeners.filter((text) => /ExitStatus|throw reason/.test(text))).to.deep.equal([]);
  });

  it("keeps the backend that somebody else has set", async () => {
    const found = await import("@tensorflow/tfjs-core");
    const core = ("default" in found ? found.default : found) as typeof found;
    const runtime = await tfjs({ backend: "wasm" });
    await core.setBackend("cpu");
    const b = new Builder();
    const x = b.input("x", "float32", [2]);
    await run(runtime, b.graph({ y: add(b, x, 1) }), { x: tensor("float32", [2], [1, 2]) });
    expect(core.getBackend()).to.equal("cpu");
  });

  it("is told what to do where there is no such backend", async () => {
    for (const backend of ["webgl", "webgpu"] as const) {
      const { message } = await failure(tfjs({ backend }), RuntimeUnavailableError);
      expect(message).to.contain(`tfjs-${backend} does not work here`).and.contain("jit");
    }
  });
});
