// What a page, a worker of it and Node do with the package: solve, train with progress, stop, go on, and export.

/** @param revort  the public names */
export async function task(revort) {
  const { jit, midpoint, mlp, neuralOde, reversible, solve, train, encodeField, decode } = revort;
  const runtime = jit({ fused: false });
  const field = mlp({ dim: 2, hidden: [8] });
  const ode = neuralOde({ field, method: reversible(midpoint, { coupling: 0.999 }), stepSize: 0.1 });
  const times = Array.from({ length: 10 }, (_, i) => (i + 1) / 2);
  const data = { t0: 0, times, y0: [1, 0], observations: times.map((t) => [1 / (1 + t), -1 / (1 + t) ** 2]) };
  const fractions = (size) => Array.from({ length: size }, (_, i) => ((i * 7919 + 13) % 1000) / 1000 - 0.5);
  const parameters = Object.fromEntries(
    Object.entries(field.parameters).map(([name, { shape }]) => [
      name,
      revort.tensor("float64", shape, fractions(shape.reduce((product, dim) => product * dim, 1))),
    ]),
  );
  const stop = new AbortController();
  const seen = [];
  const options = { runtime, steps: 20, check: false };
  const stopped = await train(ode, data, {
    ...{ ...options, parameters, signal: stop.signal },
    onUpdate({ step, loss }) {
      seen.push([step, loss]);
      if (step === 8) stop.abort();
    },
  });
  const rest = await train(ode, data, { ...options, resume: stopped.checkpoint });
  const file = encodeField(ode, rest.parameters);
  const { ys } = await solve(ode, {
    ...{ runtime, parameters: rest.parameters },
    y0: [1, 0],
    t0: 0,
    saveAt: [1, 5],
  });
  return {
    seen,
    stopped: stopped.stopped,
    losses: [...rest.losses],
    ys: [...ys.data],
    file: [...file],
    operators: decode(file).graph.nodes.length,
  };
}

/** What errors are called, and whether they are of the class that they are said to be. */
export async function failures({ mlp, solve, loadModel, ...revort }) {
  const failure = async (work) => {
    try {
      await work();
    } catch (error) {
      return { name: error.name, message: error.message, isRevort: error instanceof revort.RevortError };
    }
  };
  const field = mlp({ dim: 2, hidden: [4] });
  return {
    shape: await failure(() => solve(field, { y0: [1, 2, 3], t0: 0, t1: 1 })),
    option: await failure(() => solve(field, { y0: [1, 2], t0: 0, t1: 1, tolerance: 1 })),
    runtime: await failure(() => solve(field, { y0: [1, 2], t0: 0, t1: 1, runtime: revort.ortWasm })),
    missing: await failure(() => loadModel("/none.onnx")),
    damaged: await failure(() => loadModel(new Uint8Array([1, 2, 3]), { name: "mine.onnx" })),
  };
}
