import { experiments } from "../experiments/all.js";
import type { Experiment } from "../experiments/experiment.js";
import { ownData } from "../experiments/own-data.js";
import { isReversible } from "../methods/method.js";
import { methodNamed } from "../methods/named.js";
import { parseTimeSeries } from "../storage/csv.js";

/** What `train` and `gradcheck` take where nothing else is asked for, a paragraph for each subject. */
export function defaultsText(): string {
  const file = ownData("", parseTimeSeries("t,y\n0,0\n1,1\n", { source: "" }));
  const own = describe("a file of data", file, "half of the median gap between times");
  const all = [
    own,
    ...experiments.map((one) =>
      describe(one.name, one, String(Number(one.protocol.stepSize.toPrecision(4)))),
    ),
  ];
  return `\nDefaults:\n${all.map((line) => `  ${line}\n`).join("")}`;
}

function describe(
  name: string,
  { protocol, field }: Pick<Experiment, "protocol" | "field">,
  stepSize: string,
) {
  const { solver, coupling, steps, schedule, control } = protocol;
  const sized =
    control === undefined
      ? `--step-size ${stepSize}`
      : `--rtol ${control.rtol} --atol ${control.atol} --dt0 ${Number(control.dt0.toPrecision(4))}`;
  const optimiser = protocol.optimiser({});
  const { learningRate, weightDecay } = optimiser.settings;
  const coupled = isReversible(methodNamed(solver)) ? "" : ` (--coupling ${coupling} where coupled)`;
  const decay = weightDecay === undefined ? "" : ` --weight-decay ${weightDecay}`;
  const over = schedule === undefined ? "" : `, times ${schedule(steps).name}`;
  return (
    `${name}: ${field().name}, --solver ${solver}${coupled}\n    ${sized}\n    --steps ${steps} ` +
    `--optimiser ${optimiser.name} --learning-rate ${learningRate}${over}${decay}`
  );
}
