import type { ChainAdjoint } from "./adjoint.js";
import { checkpointing } from "./checkpoint.js";
import { stored } from "./direct.js";
import { checkpointPlan, planCost, refreshPlan } from "./plan.js";
import { refreshing } from "./refreshed.js";
import { reversing } from "./reversible.js";
import { adjointAmong, parseAmong, positive, showAmong } from "./syntax.js";

/** An adjoint of a chain, with its options. */
export type ChainMethod =
  /** undoes each step; every `refresh` steps, a stored state replaces the reconstructed one */
  | { readonly kind: "reversible"; readonly refresh?: number }
  /** backpropagation through the steps: stores every state */
  | { readonly kind: "direct" }
  /** stores `states` states and takes the steps between them again; by default enough to do that only once */
  | { readonly kind: "checkpoint"; readonly states?: number };

type Of<Kind extends ChainMethod["kind"]> = Extract<ChainMethod, { readonly kind: Kind }>;

/** An adjoint of a chain, or what users type for it. */
export type AdjointSpec = ChainMethod | ChainMethod["kind"] | `checkpoint:${number}` | `reversible:${number}`;

const reversible = {
  name: "reversible",
  syntax: {
    kind: "reversible",
    summary: "undoes each step, and stores nothing but the end",
    parse: (option) => (option === null ? { kind: "reversible" } : null),
    show: ({ refresh }) => (refresh === undefined ? null : undefined),
  },
  exact: true,
  undoes: true,
  rule: reversing,
  cost: () => ({ states: 1, again: 0 }),
} as const satisfies ChainAdjoint<Of<"reversible">>;

const refreshed = {
  name: "refresh",
  syntax: {
    kind: "reversible",
    summary: "undoes each step, from stored states at regular distances",
    example: { typed: "reversible:100", means: "a stored state every 100 steps" },
    parse: (option, text) =>
      option === null
        ? null
        : {
            kind: "reversible",
            refresh: positive(option.replace(/^refresh\s*/, ""), text, "reversible:100"),
          },
    show: ({ refresh }) => (refresh === undefined ? undefined : `${refresh}`),
  },
  exact: true,
  undoes: true,
  rule: refreshing,
  plan: ({ refresh }, steps) => refreshPlan(steps, refresh!),
  cost: ({ refresh }, steps) => costOf(refreshPlan(steps, refresh!)),
} as const satisfies ChainAdjoint<Of<"reversible">>;

const direct = {
  name: "direct",
  syntax: {
    kind: "direct",
    summary: "stores the state before every step",
    parse: (option) => (option === null ? { kind: "direct" } : null),
    show: () => null,
  },
  exact: true,
  undoes: false,
  rule: stored,
  cost: (_, steps) => ({ states: steps + 1, again: 0 }),
} as const satisfies ChainAdjoint<Of<"direct">>;

const checkpoint = {
  name: "checkpoint",
  syntax: {
    kind: "checkpoint",
    summary: "stores some states, and takes the steps between them again",
    example: { typed: "checkpoint:8", means: "8 stored states" },
    parse: (option, text) =>
      option === null
        ? { kind: "checkpoint" }
        : { kind: "checkpoint", states: positive(option, text, "checkpoint:8") },
    show: ({ states }) => (states === undefined ? null : `${states}`),
  },
  exact: true,
  undoes: false,
  rule: checkpointing,
  plan: ({ states }, steps) => checkpointPlan(steps, states),
  cost: ({ states }, steps) => costOf(checkpointPlan(steps, states)),
} as const satisfies ChainAdjoint<Of<"checkpoint">>;

/** The adjoints of chains. */
export const chainAdjoints = [reversible, direct, checkpoint, refreshed] as const;

type ListedAdjoint = (typeof chainAdjoints)[number];
/** The names of the adjoints of chains. */
export type ChainAdjointName = ListedAdjoint["name"];
/** The names of those that go by a schedule of stored states. */
export type ScheduledAdjointName = Extract<ListedAdjoint, { readonly plan: unknown }>["name"];

/** An adjoint of a chain from what users type or write. @throws {GradientMethodError} for what is not understood */
export function chainMethodOf(spec: AdjointSpec): ChainMethod {
  return parseAmong<ChainMethod>(
    chainAdjoints,
    typeof spec === "string" ? spec : showAmong<ChainMethod>(chainAdjoints, spec),
  );
}

/** The adjoint that a method asks for. */
export function chainAdjointFor(method: ChainMethod): ChainAdjoint<ChainMethod> {
  return adjointAmong<ChainMethod, ChainAdjoint<ChainMethod>>(chainAdjoints, method);
}

function costOf(plan: Parameters<typeof planCost>[0]) {
  const { advanced, states } = planCost(plan);
  return { states, again: advanced };
}
