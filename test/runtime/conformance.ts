import type { Runtime } from "../../src/runtime/runtime.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import { ortWasm } from "../../src/runtimes/ort-web.js";
import { type Check, checks } from "./checks.js";

/** Names of checks that a runtime cannot pass, each with the reason. */
export type Skips = Partial<Record<keyof typeof checks, string>>;

/**
 * What every runtime must do, whatever runs underneath.
 *
 * @param among  the checks: fewer for a runtime that hands everything on to another
 */
export function conformance(
  name: string,
  makeRuntime: () => Promise<Runtime>,
  skips: Skips = {},
  among: Readonly<Record<string, Check>> = checks,
): void {
  describe(`${name}, as every runtime`, () => {
    let runtime: Runtime;
    before(async () => {
      runtime = await makeRuntime();
    });
    // it shares no kernel with the one under test
    const reference = () => (runtime.name === "ort-cpu" ? ortWasm() : ortNode());
    for (const [title, check] of Object.entries(among)) {
      const reason = skips[title as keyof typeof checks];
      if (reason === undefined) it(title, () => check(runtime, reference));
      else it.skip(`${title} (${reason})`);
    }
  });
}
