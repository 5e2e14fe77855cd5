import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "chai";
import { pid } from "../../src/control/control.js";
import { Random } from "../../src/core/random.js";
import { numbers, tensor } from "../../src/core/tensor.js";
import { encodeField } from "../../src/deploy/field-file.js";
import { encodeSolve } from "../../src/deploy/solve-file.js";
import {
  encodeTrainStart,
  encodeTrainStep,
  type TrainStartOptions,
  trainStart,
} from "../../src/deploy/train-step-file.js";
import { initialParameters } from "../../src/fields/field.js";
import { mlp } from "../../src/fields/mlp.js";
import { neuralOde } from "../../src/integrate/neural-ode.js";
import { solve } from "../../src/integrate/solve.js";
import { adamw } from "../../src/learning/optimisers.js";
import { explicit } from "../../src/methods/explicit.js";
import { reversible } from "../../src/methods/reversible.js";
import { bosh3, dopri5, midpoint } from "../../src/methods/tableaux.js";
import { ortNode } from "../../src/runtimes/ort-node.js";
import type { Trajectories } from "../../src/train/data.js";
import { train } from "../../src/train/train.js";
import { distance } from "../support/distance.js";
import { missingModules, python } from "../support/python.js";

/** Checks files by onnx, and says what its shape inference makes of their outputs. */
const checking = `
import json, sys, onnx
found = {}
for path in sys.argv[1:]:
  model = onnx.load(path)
  onnx.checker.check_model(model, full_check=True)
  assert model.ir_version == 10 and [(o.domain, o.version) for o in model.opset_import] == [("", 21)]
  shape = lambda v: [d.dim_param or d.dim_value for d in v.type.tensor_type.shape.dim]
  declared = {v.name: shape(v) for v in model.graph.output}
  bare = onnx.ModelProto()
  bare.CopyFrom(model)
  for v in bare.graph.output: v.type.tensor_type.ClearField("shape")
  inferred = onnx.shape_inference.infer_shapes(bare, check_type=True, strict_mode=True)
  found[path.split("/")[-1]] = {
    "declared": declared,
    "inferred": {v.name: shape(v) if v.type.tensor_type.HasField("shape") else None for v in inferred.graph.output},
  }
print(json.dumps(found))
`;

const training = `
import json, sys
import onnxruntime as ort
step, start = map(ort.InferenceSession, sys.argv[1:3])
values = dict(zip([o.name for o in start.get_outputs()], start.run(None, {})))
losses = []
for _ in range(int(sys.argv[3])):
  new = dict(zip([o.name for o in step.get_outputs()], step.run(None, values)))
  values |= {name[5:]: new[name] for name in new if name.startswith("next/")}
  losses += [float(new["loss"])] if "loss" in new else new["losses"].tolist()
print(json.dumps({"losses": losses, "count": float(values["count"])}))
`;

const solving = `
import json, sys
import numpy as np, onnxruntime as ort
ort.set_default_logger_severity(3)
solve = ort.InferenceSession(sys.argv[1])
names = [o.name for o in solve.get_outputs()]
of = lambda v: np.asarray(v, np.float64)
given = {"y0": of([[0.5, -1], [1, 0.25]]), "t0": of(0), "t1": of(2.5), "ts": of([0.3, 1, 2])}
runs = [{}, {"rtol": of(1e-10), "atol": of(1e-10)}, {"maxSteps": np.asarray(3)}]
outs = [dict(zip(names, solve.run(None, given | more))) for more in runs]
back = dict(zip(names, solve.run(None, given | {"y0": outs[1]["y1"], "t0": of(2.5), "t1": of(0), "ts": of([])} | runs[1])))
print(json.dumps({
  "runs": [{"y": [v if v == v else None for y in ("ys", "y1") for v in out[y].ravel().tolist()], "accepted": int(out["accepted"]),
            "reached": bool(out["reached"])} for out in outs],
  "back": back["y1"].ravel().tolist(),
}))
`;

/** The same by onnx's own evaluator, which is written in numpy and has nothing to do with ONNX Runtime. */
const reference = `
import json, sys
import numpy as np, onnx
from onnx.reference import ReferenceEvaluator as Evaluator
from onnx.reference.ops.op_loop import Loop as TheirLoop
# its Loop takes a condition that is left out for false, and joins rows where it should stack them
class Loop(TheirLoop):
  op_domain = ""
  def _run(self, M, cond, *args, **rest):
    return super()._run(M, np.array(True) if cond is None else cond, *args, **rest)
np.vstack = np.stack
ReferenceEvaluator = lambda model: Evaluator(model, new_ops=[Loop])
solve = ReferenceEvaluator(onnx.load(sys.argv[1]))
of = lambda v: np.asarray(v, np.float64)
given = {"y0": of([[0.5, -1], [1, 0.25]]), "t0": of(0), "t1": of(2.5), "ts": of([0.3, 1, 2])}
given |= {"rtol": of(1e-6), "atol": of(1e-6), "maxSteps": np.asarray(1000)}
ys, y1, accepted, rejected, reached = solve.run(None, given)
step, start = (ReferenceEvaluator(onnx.load(path)) for path in sys.argv[2:4])
values = dict(zip(start.output_names, start.run(None, {})))
losses = []
for _ in range(2):
  new = dict(zip(step.output_names, step.run(None, values)))
  values |= {name[5:]: new[name] for name in new if name.startswith("next/")}
  losses.append(float(new["loss"]))
print(json.dumps({"y": ys.ravel().tolist() + y1.ravel().tolist(), "accepted": int(accepted), "losses": losses}))
`;

function observed(): Trajectories {
  const random = Random.seeded(4);
  const draw = (count: number) => Array.from({ length: count }, () => random.normal());
  const values = draw(12).map((value, i) => (i === 7 ? Number.NaN : value));
  return {
    ...{ t0: 0, times: [0.2, 0.5, 1] },
    y0: tensor("float64", [2, 2], draw(4)),
    observations: tensor("float64", [3, 2, 2], values),
  };
}

describe("portable files in Python, without revort", () => {
  const field = mlp({ dim: 2, hidden: [4] });
  const parameters = initialParameters(field, Random.seeded(3), "float64");
  const fixed = neuralOde({ field, method: reversible(midpoint), stepSize: 0.1 });
  const chosen = neuralOde({ field, method: explicit(dopri5) });
  const control = pid({ rtol: 1e-6, atol: 1e-6 });
  const options: TrainStartOptions = { optimiser: adamw({ learningRate: 0.05 }), clip: 1, parameters };
  let folder = "";
  const path = (name: string) => join(folder, name);

  before(function () {
    const why = missingModules("onnx", "onnxruntime", "numpy");
    if (why !== null) {
      console.log(`      skipped: ${why}`);
      this.skip();
    }
    folder = mkdtempSync(join(tmpdir(), "revort-portable-"));
    const data = observed();
    const many = { ...options, many: true, updates: 15 };
    const files = {
      field: encodeField(fixed, parameters),
      fixed: encodeSolve(fixed, parameters),
      chosen: encodeSolve(chosen, parameters, { control }),
      required: encodeSolve(chosen, parameters, { control, defaults: false }),
      coupled: encodeSolve({ ...chosen, method: reversible(bosh3, { coupling: 0.9 }) }, parameters, {
        control,
      }),
      float32: encodeSolve({ ...fixed, dtype: "float32" }, parameters),
      step: encodeTrainStep(fixed, data, options),
      direct: encodeTrainStep(fixed, data, { ...options, gradient: "direct", trainY0: true }),
      continuous: encodeTrainStep({ ...fixed, dtype: "float32" }, data, {
        ...options,
        gradient: "continuous",
      }),
      start: encodeTrainStart(trainStart(fixed, data, options)),
      steps: encodeTrainStep(fixed, data, many),
      batches: encodeTrainStep(fixed, data, { ...many, batchSize: 1 }),
      "steps-start": encodeTrainStart(trainStart(fixed, data, many)),
    };
    for (const [name, bytes] of Object.entries(files)) writeFileSync(path(`${name}.onnx`), bytes);
    all = Object.keys(files).map((name) => path(`${name}.onnx`));
  });
  let all: string[] = [];

  after(() => {
    if (folder !== "") rmSync(folder, { recursive: true });
  });

  const run = (script: string, ...args: string[]) => {
    const { ok, stdout, stderr } = python(script, ...args);
    expect(ok, stderr).to.equal(true);
    return JSON.parse(stdout);
  };

  it("pass onnx's checker in full, which infers the shapes that they say", () => {
    type Shapes = Record<string, (number | string)[] | null>;
    const found: Record<string, { declared: Shapes; inferred: Shapes }> = run(checking, ...all);
    expect(Object.keys(found).length).to.equal(all.length);
    let known = 0;
    for (const [name, { declared, inferred }] of Object.entries(found)) {
      for (const [output, shape] of Object.entries(inferred)) {
        // it knows less of what comes out of loops
        if (shape === null || declared[output]!.length !== shape.length) continue;
        shape.forEach((dim, axis) => {
          if (typeof dim !== "number" || dim === 0) return;
          expect(declared[output]![axis], `${name}: ${output}`).to.equal(dim);
          known += 1;
        });
      }
    }
    expect(known).to.be.above(50);
  });

  it("train as revort does, update by update and many in a run", async () => {
    const own = await train(fixed, observed(), { ...options, runtime: await ortNode(), steps: 30 });
    for (const [files, times] of [
      [["step.onnx", "start.onnx"], 30],
      [["steps.onnx", "steps-start.onnx"], 2],
    ] as const) {
      const { losses, count } = run(training, ...files.map(path), String(times));
      expect(losses.length).to.equal(30);
      // another version of ONNX Runtime, perhaps, that rounds another way
      expect(distance(losses, own.losses)).to.be.below(1e-11);
      expect(count).to.equal(31);
    }
  });

  it("solve as revort does, with tolerances to choose, and say where they gave up", async () => {
    const { runs, back } = run(solving, path("chosen.onnx"));
    const solved = async (rtol: number) => {
      const { ys, stats } = await solve(chosen, {
        ...{ runtime: await ortNode(), parameters, control: pid({ rtol, atol: rtol }) },
        y0: tensor("float64", [2, 2], [0.5, -1, 1, 0.25]),
        ...{ t0: 0, saveAt: [0.3, 1, 2, 2.5] },
      });
      return { y: numbers(ys), accepted: stats.accepted };
    };
    const [usual, tight] = [await solved(1e-6), await solved(1e-10)];
    expect(runs[0].accepted).to.equal(usual.accepted);
    expect(distance(runs[0].y, usual.y)).to.be.below(1e-12);
    expect(runs[1].accepted).to.equal(tight.accepted).and.above(usual.accepted);
    expect(distance(runs[1].y, tight.y)).to.be.below(1e-12);
    expect([runs[0].reached, runs[1].reached, runs[2].reached]).to.deep.equal([true, true, false]);
    expect(runs[2].accepted).to.equal(3);
    // the state at t1, which three steps do not reach; JSON has no NaN
    expect(runs[2].y.slice(-4)).to.deep.equal([null, null, null, null]);
    // there and back again, at tolerances of 1e-10
    expect(distance(back, [0.5, -1, 1, 0.25])).to.be.below(1e-8);
  });

  it("mean the same to onnx's own evaluator", async () => {
    const found = run(reference, path("required.onnx"), path("step.onnx"), path("start.onnx"));
    const { runs } = run(solving, path("chosen.onnx"));
    expect(found.accepted).to.equal(runs[0].accepted);
    expect(distance(found.y, runs[0].y)).to.be.below(1e-12);
    const own = await train(fixed, observed(), { ...options, runtime: await ortNode(), steps: 2 });
    expect(distance(found.losses, own.losses)).to.be.below(1e-12);
  });
});
