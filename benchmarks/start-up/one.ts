// A fresh process that trains the white-dwarf experiment for one update, and says when it had come how far:
//
//   one RUNTIME GRADIENT   prints milliseconds since the process started

/** Milliseconds since the process was started, by a clock that began with it. */
const now = () => performance.now();
const started = now();
const [{ openRuntime }, { whiteDwarfTask }, { compileUpdate }] = await Promise.all([
  import("../../src/cli/runtimes.js"),
  import("../gradient-task.js"),
  import("../update.js"),
]);
const [name, gradient] = process.argv.slice(2) as ["jit", "reversible"];
const runtime = await openRuntime(name);
const loaded = now();
const { loss, run } = await compileUpdate(whiteDwarfTask(true), runtime, gradient);
const updated = now();
await run();
console.log(
  JSON.stringify({
    processMs: started,
    loadMs: loaded - started,
    compileMs: updated - loaded,
    nextMs: now() - updated,
    loss,
  }),
);
