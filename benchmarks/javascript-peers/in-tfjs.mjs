// TensorFlow.js: the gradient of an unrolled solve, eagerly, as there is no other way. It has no float64.
import { load, serve } from "./serve.mjs";

async function withBackend(tf, name, { dtype, time, layers, y0, target, times, everyStep }) {
  if (dtype === "float64") throw new Error("TensorFlow.js has no float64");
  await tf.setBackend(name);
  const theta = layers.flatMap(([w, b]) => [tf.tensor2d(w), tf.tensor1d(b)]);
  const start = tf.tensor2d(y0);
  const wanted = tf.tensor3d(target);

  const field = (t, y, weights) => {
    let x = time ? tf.concat([tf.fill([y.shape[0], 1], t), y], 1) : y;
    for (let i = 0; i < weights.length; i += 2) {
      x = tf.add(tf.matMul(x, weights[i], false, true), weights[i + 1]);
      if (i + 2 < weights.length) x = tf.tanh(x);
    }
    return x;
  };
  const loss = (y, ...weights) => {
    const saved = [];
    for (let i = 0; i + 1 < times.length; i++) {
      const h = times[i + 1] - times[i];
      const half = tf.add(y, tf.mul(h / 2, field(times[i], y, weights)));
      y = tf.add(y, tf.mul(h, field(times[i] + h / 2, half, weights)));
      if (everyStep) saved.push(y);
    }
    const ys = everyStep ? tf.stack(saved) : tf.expandDims(y, 0);
    return tf.mean(tf.square(tf.sub(ys, wanted)));
  };
  const gradient = tf.valueAndGrads(loss);
  const once = async (read) => {
    await tf.setBackend(name);
    const { value, grads } = tf.tidy(() => gradient([start, ...theta]));
    const found = await read(value, grads);
    tf.dispose([value, grads]);
    return found;
  };
  return {
    check: () =>
      once(async (value, grads) => {
        let squares = 0;
        for (const g of grads) for (const x of await g.data()) squares += x * x;
        return { loss: (await value.data())[0], norm: Math.sqrt(squares) };
      }),
    run: () => once((value) => value.data()),
  };
}

await serve(async () => {
  const tf = load("@tensorflow/tfjs");
  const wasm = load("@tensorflow/tfjs-backend-wasm");
  wasm.setThreadsCount?.(1);
  const about = (variant) => ({ library: "TensorFlow.js", variant });
  return {
    versions: { "@tensorflow/tfjs": tf.version.tfjs, "@tensorflow/tfjs-backend-wasm": wasm.version_wasm },
    contenders: [
      { about: about("wasm, eager"), make: (task) => withBackend(tf, "wasm", task) },
      { about: about("cpu, eager"), make: (task) => withBackend(tf, "cpu", task) },
    ],
  };
});
