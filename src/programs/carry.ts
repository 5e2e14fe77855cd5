import { type Memory, memoryOf } from "../control/controller.js";
import type { Value, ValueType } from "../graph/graph.js";
import type { State } from "../methods/method.js";
import { type AdaptiveSetting, carriesSlope, timeShape } from "./adaptive-setting.js";
import { inputType } from "./program.js";

/** What a solve that chooses its steps hands from one attempt to the next, and from one run to the next. */
export interface Carry<X = Value> {
  readonly state: State<X>;
  /** f(t, y), where the next step starts with it */
  readonly slope: X | null;
  readonly t: X;
  /** the step size to try next, signed */
  readonly h: X;
  readonly memory: Memory<X> | null;
  /** of the events */
  readonly signals: readonly X[];
}

/** The types of what is carried. */
export function carryTypes(setting: AdaptiveSetting): Carry<ValueType> {
  const { method, control, dtype, state, events = [] } = setting;
  const time = inputType(dtype, timeShape(setting));
  const array = inputType(dtype, state);
  return {
    state: Array.from({ length: method.width }, () => array) as unknown as State<ValueType>,
    slope: carriesSlope(setting) ? array : null,
    t: time,
    h: time,
    memory: memoryOf(control, (part) => (part === "rejected" ? inputType("bool", time.shape) : time)),
    signals: events.map(() => time),
  };
}
