import type { Backend } from "../../src/graph-model/backends.js";
import type { Known, Refusal } from "../ops/agreement.js";

type Given = Parameters<Known["holds"]>[0];

const areZeros = ({ ours, theirs }: Given) => ours === 0 && theirs === 0;
const isNear =
  (distance: number): Known["holds"] =>
  ({ ours, theirs }) =>
    Math.abs(Number(ours) - Number(theirs)) < distance;

/** What TensorFlow.js 4.22 computes otherwise on a processor, and why that is left as it is. */
const onProcessor: readonly Known[] = [
  {
    operators: /^(Mod|Round|Relu|ReduceMax|ReduceMin|CumSum)$/,
    holds: areZeros,
    why: "remainders, rounded numbers, rectified ones and extrema do not tell −0 from 0",
  },
  {
    operators: /^Mish$/,
    holds: isNear(1e-40),
    why: "a subnormal factor has few digits",
  },
];

const isSubnormal = (x: number | bigint) => x !== 0 && Math.abs(Number(x)) < 1.2e-38;

/** On a GPU: what GLSL and WGSL leave open. */
const onGpu: readonly Known[] = [
  {
    operators: /./,
    holds: ({ ours, sources }) => [ours, ...sources].some(isSubnormal),
    why: "subnormal numbers are taken for 0",
  },
  { operators: /./, holds: areZeros, why: "the sign of a zero is left open" },
  {
    operators: /^(Sin|Cos|Tan)$/,
    holds: ({ sources: [x], ours, theirs }) =>
      Math.abs(x!) > 1000 || Math.abs(Number(theirs) - Number(ours)) < 1e-3 * (1 + Number(ours) ** 2),
    why: "angles have an error of 2⁻¹¹, and large ones any",
  },
  {
    operators: /^(Sinh|Tanh|Atanh|Elu|Selu|Celu|Mish)$/,
    holds: isNear(1e-6),
    why: "small results are differences of others near 1",
  },
  {
    operators: /^(Pow|Softmax)$/,
    holds: ({ ours, theirs }) => Math.abs(Number(theirs) / Number(ours) - 1) < 1e-5,
    why: "powers and exponentials have errors that grow with the exponent",
  },
  {
    operators: /^Pow$/,
    holds: ({ sources }) => sources.some((x) => Math.abs(x) > 1e38),
    why: "powers go by way of the logarithm, which the largest numbers do not come back from",
  },
  {
    operators: /^ReduceL2$/,
    holds: ({ sources }) => sources.every((x) => Math.abs(x) < 1e-19),
    why: "squares are subnormal",
  },
];

const own: Readonly<Record<Backend, readonly Known[]>> = {
  cpu: [],
  wasm: [
    { operators: /^(Max|Min)$/, holds: areZeros, why: "of two zeros the second is taken" },
    { operators: /^Sigmoid$/, holds: isNear(1e-40), why: "the exponential is cut off below" },
  ],
  webgl: onGpu,
  webgpu: [
    ...onGpu,
    { operators: /./, holds: ({ ours }) => Number.isNaN(ours), why: "NaN may be taken for a number" },
  ],
};

export function knownOf(backend: Backend): readonly Known[] {
  return isGpu(backend) ? own[backend] : [...onProcessor, ...own[backend]];
}

export const isGpu = (backend: Backend) => backend === "webgl" || backend === "webgpu";

/** Why there is nothing to compare with: what is asked of integers does not provably fit, or there is no float64. */
export function refusalsOf(backend: Backend): readonly Refusal[] {
  return [
    { says: /TensorFlow\.js has no float64/, why: "has no float64" },
    {
      says: /which should be from .*: its integers are exact no further/,
      why: "has no integers of more bits",
    },
    {
      says: /which should be from .*: integers do not wrap around there/,
      why: "does not wrap integers around",
    },
    { says: /Input "x\d" holds/, why: "takes no integers that are larger than its own" },
    { says: /TensorFlow\.js has no operator for Bit/, why: "has no operators on bits" },
    ...(!isGpu(backend)
      ? [
          {
            says: /it divides integers that may be larger than/,
            why: "divides no integers that are as large",
          },
        ]
      : []),
    ...(isGpu(backend)
      ? [{ says: /its remainders of floats have few digits/, why: "has few digits of remainders" }]
      : []),
  ];
}
