import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";

/** Loads a package out of the folder that the peers are installed in. */
export function load(name) {
  return createRequire(join(process.argv[3], "package.json"))(name);
}

/**
 * Says what contenders there are, then runs those whose numbers come in, so often: `number<TAB>repeats`. The protocol
 * is that of ../peers/task.py.
 *
 * @param prepare  gives versions and contenders: `{ about, make }`, of which `make(task)` returns `{ check, run }`
 */
export async function serve(prepare) {
  const task = JSON.parse(readFileSync(process.argv[2], "utf8"));
  const { versions, contenders } = await prepare(task);
  const ready = [];
  const runs = [];
  for (const { about, make } of contenders) {
    const started = performance.now();
    try {
      const { check, run } = await make(task);
      const found = await check();
      ready.push({ ...about, ...found, start: (performance.now() - started) / 1000 });
      runs.push(run);
    } catch (error) {
      const [reason] = String(error.message ?? error).split("\n");
      ready.push({ ...about, failure: `${error.constructor.name}: ${reason}` });
      runs.push(null);
    }
  }
  console.log(JSON.stringify({ versions, contenders: ready }));
  for await (const line of createInterface(process.stdin)) {
    const [number, repeats] = line.split("\t").map(Number);
    const [busy, started] = [process.cpuUsage(), performance.now()];
    for (let i = 0; i < repeats; i++) await runs[number]();
    const clock = (performance.now() - started) / 1000;
    const { user, system } = process.cpuUsage(busy);
    console.log(JSON.stringify({ clock, processor: (user + system) * 1e-6 }));
  }
  process.exit(0);
}
