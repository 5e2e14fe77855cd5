// jax-js on WebAssembly. It has no loop (no lax.scan, no while_loop), so a solve is unrolled: eagerly, or as one compiled
// function. Arrays are counted: a function uses up its arguments unless it is given `x.ref`.
import { load, serve } from "./serve.mjs";

/** A task as arrays, and the vector field, which uses up y and not the weights. */
function prepared(jax, { dtype, time, layers, y0, target }) {
  const np = jax.numpy;
  const array = (values) => {
    const shape = [];
    for (let inner = values; Array.isArray(inner); [inner] = inner) shape.push(inner.length);
    const flat = values.flat(shape.length);
    return np.array(dtype === "float64" ? Float64Array.from(flat) : Float32Array.from(flat)).reshape(shape);
  };
  const field = (t, y, weights) => {
    let x = y;
    if (time) x = np.concatenate([np.zeros([y.shape[0], 1], { dtype }).add(t), y], 1);
    for (const [i, [w, b]] of weights.entries()) {
      x = np.matmul(x, np.transpose(w.ref)).add(b.ref);
      if (i + 1 < weights.length) x = np.tanh(x);
    }
    return x;
  };
  /** A midpoint step; uses up y, not the weights. `t` and `h` are numbers or arrays that are used up. */
  const step = (y, t, half, h, weights) => {
    const middle = y.ref.add(field(t, y.ref, weights).mul(half[0]));
    return y.add(field(half[1], middle, weights).mul(h));
  };
  const theta = layers.map(([w, b]) => [array(w), array(b)]);
  return { np, array, step, theta, start: array(y0), wanted: array(target) };
}

/** What is found, on the host, as a number to compare. */
async function compared(loss, gradients) {
  let squares = 0;
  for (const g of gradients) for (const x of await g.data()) squares += x * x;
  return { loss, norm: Math.sqrt(squares) };
}

/** One function for the whole solve, unrolled, compiled. */
async function unrolled(jax, task) {
  const { np, step, theta, start, wanted } = prepared(jax, task);
  const { times, everyStep } = task;
  const loss = (y, weights, goal) => {
    const saved = [];
    for (let i = 0; i + 1 < times.length; i++) {
      const h = times[i + 1] - times[i];
      y = step(y, times[i], [h / 2, times[i] + h / 2], h, weights);
      if (everyStep) saved.push(y.ref);
    }
    const ys = everyStep ? np.stack(saved) : np.reshape(y.ref, [1, ...y.shape]);
    y.dispose();
    for (const value of weights.flat()) value.dispose();
    return np.mean(np.square(ys.sub(goal)));
  };
  const gradient = jax.jit(jax.valueAndGrad(loss, { argnums: [0, 1] }));
  const once = () => {
    const weights = theta.map(([w, b]) => [w.ref, b.ref]);
    const [value, [ofStart, ofTheta]] = gradient(start.ref, weights, wanted.ref);
    return [value, ofStart, ...ofTheta.flat()];
  };
  return {
    async check() {
      const [value, ...gradients] = once();
      return compared((await value.data())[0], gradients);
    },
    run: () => Promise.all(once().map((value) => value.data())),
  };
}

/** A compiled step and a compiled pullback of it, which JavaScript calls in turn; the states are kept. */
async function byStep(jax, task) {
  const { np, array, step, theta, start, wanted } = prepared(jax, task);
  const { times, everyStep } = task;
  const n = times.length - 1;
  const saves = everyStep ? n : 1;
  const size = wanted.shape.reduce((product, dim) => product * dim, 1);
  const grid = times.slice(1).map((t1, i) => {
    const h = t1 - times[i];
    return [times[i], h / 2, times[i] + h / 2, h].map((value) => array([value]));
  });
  const goals = Array.from({ length: saves }, (_, k) => np.reshape(array(task.target[k]), start.shape));
  const take = (y, t, half, middle, h, weights) => {
    const next = step(y, t, [half, middle], h, weights);
    for (const value of weights.flat()) value.dispose();
    return next;
  };
  const forward = jax.jit(take);
  const back = jax.jit((y, t, half, middle, h, weights, cotangent, sums) => {
    const [out, pull] = jax.vjp((at, given) => take(at, t, half, middle, h, given), [y, weights]);
    out.dispose();
    const [through, ofWeights] = pull(cotangent);
    return [through, sums.map(([w, b], i) => [w.add(ofWeights[i][0]), b.add(ofWeights[i][1])])];
  });
  const miss = jax.jit(jax.valueAndGrad((y, goal) => np.sum(np.square(y.sub(goal))).div(size)));
  const refs = (weights) => weights.map(([w, b]) => [w.ref, b.ref]);
  const at = (i) => grid[i].map((value) => value.ref);

  const once = () => {
    const states = [start.ref];
    for (let i = 0; i < n; i++) states.push(forward(states[i].ref, ...at(i), refs(theta)));
    const losses = [];
    let cotangent = np.zerosLike(start.ref);
    let sums = theta.map(([w, b]) => [np.zerosLike(w.ref), np.zerosLike(b.ref)]);
    for (let i = n - 1; i >= 0; i--) {
      const after = states.pop();
      if (everyStep || i === n - 1) {
        const [part, arriving] = miss(after, goals[everyStep ? i : 0].ref);
        losses.push(part);
        cotangent = cotangent.add(arriving);
      } else after.dispose();
      [cotangent, sums] = back(states[i].ref, ...at(i), refs(theta), cotangent, sums);
    }
    states[0].dispose();
    return { losses, gradients: [cotangent, ...sums.flat()] };
  };
  return {
    async check() {
      const { losses, gradients } = once();
      const parts = await Promise.all(losses.map((part) => part.data()));
      return compared(
        parts.reduce((sum, [part]) => sum + part, 0),
        gradients,
      );
    },
    async run() {
      const { losses, gradients } = once();
      await Promise.all([...losses, ...gradients].map((value) => value.data()));
    },
  };
}

// Node 20 has no Float16Array. jax-js asks whether what it is given is one before it takes it for float64.
globalThis.Float16Array ??= class {};

await serve(async () => {
  const jax = load("@jax-js/jax");
  await jax.init("wasm");
  jax.defaultDevice("wasm");
  const { version } = load("./node_modules/@jax-js/jax/package.json");
  const about = (variant) => ({ library: "jax-js", variant });
  return {
    versions: { "@jax-js/jax": version },
    contenders: [
      { about: about("wasm, jit of each step"), make: (task) => byStep(jax, task) },
      { about: about("wasm, jit of the unrolled solve"), make: (task) => unrolled(jax, task) },
    ],
  };
});
