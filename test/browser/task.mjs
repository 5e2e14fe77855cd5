// What the page and Node both compute: a reversible gradient and a solve that chooses its steps, on the compiled runtime.

/** The bits of float64 numbers. */
const bits = (data) =>
  Array.from(new BigUint64Array(Float64Array.from(data).buffer), (word) => word.toString(16));

/** @param revort  the public names */
export async function task({
  gradientOf,
  initialParameters,
  jit,
  mlp,
  mse,
  neuralOde,
  pid,
  Random,
  ...names
}) {
  const { gridThrough, reversible, midpoint, solve, tensor, tsit5 } = names;
  const runtime = jit({ fused: false });
  const field = mlp({ dim: 2, hidden: [10] });
  // fractions, since engines differ in the last bits of Math.cos and Math.log
  const fractions = (size) => Array.from({ length: size }, (_, i) => ((i * 7919 + 13) % 1000) / 1000 - 0.5);
  const size = (shape) => shape.reduce((product, dim) => product * dim, 1);
  const parameters = Object.fromEntries(
    Object.entries(field.parameters).map(([name, { shape }]) => [
      name,
      tensor("float64", shape, fractions(size(shape))),
    ]),
  );
  const saveAt = [0.5, 1, 1.5, 2];
  const y0 = tensor("float64", [3, 2], [1, 0, 0.5, -0.5, -1, 0.25]);
  const ode = neuralOde({ field, method: reversible(midpoint, { coupling: 0.99 }), dtype: "float64" });
  const target = tensor("float64", [4, 3, 2], fractions(24));
  const gradients = await gradientOf(ode, {
    ...{ runtime, loss: mse(), gradient: "reversible", parameters },
    fit: { grid: gridThrough(0, saveAt, 0.05), y0, target, weight: null },
  });
  const chosen = await solve(neuralOde({ field, method: tsit5, dtype: "float64" }), {
    ...{ runtime, parameters, y0, t0: 0, saveAt },
    control: pid({ rtol: 1e-7, atol: 1e-9 }),
  });
  return {
    loss: bits([gradients.loss]),
    gradients: Object.fromEntries(
      Object.entries(gradients.parameters).map(([name, { data }]) => [name, bits(data)]),
    ),
    steps: chosen.stats.steps,
    ys: bits(chosen.ys.data),
  };
}
