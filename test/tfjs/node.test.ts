import { backends } from "../../src/graph-model/backends.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { tfjs } from "../../src/runtimes/tfjs/tfjs.js";
import { conformance } from "../runtime/conformance.js";
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
