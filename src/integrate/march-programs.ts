import { memoryParts } from "../control/controller.js";
import { type DType, scalar } from "../core/tensor.js";
import { type AdaptiveSetting, carriesSlope } from "../programs/adaptive-setting.js";
import {
  crossedName,
  adaptiveNames as names,
  nextName,
  recordName,
  signalName,
  stateName,
} from "../programs/names.js";
import type { DeviceTensor, DeviceTensors, Executable, Runtime } from "../runtime/runtime.js";

/** What a solve that chooses its steps is carried out by. */
export interface Programs {
  /** from y0 on */
  readonly launch: Executable;
  /** from where another run has got to; compiled when it is first needed */
  readonly go: () => Promise<Executable>;
  /** where there are events */
  readonly locate: Executable | null;
  readonly names: ProgramNames;
  readonly numbers: Numbers;
}

/** Numbers on a device that each solve takes anew, and mostly the same ones: the last for each input is kept. */
export class Numbers {
  readonly #runtime: Runtime;
  readonly #last = new Map<string, { readonly value: number; readonly tensor: DeviceTensor }>();

  constructor(runtime: Runtime) {
    this.#runtime = runtime;
  }

  of(input: string, dtype: DType, value: number): DeviceTensor {
    const last = this.#last.get(input);
    if (last !== undefined && Object.is(last.value, value)) return last.tensor;
    const tensor = this.#runtime.upload(scalar(dtype, value));
    this.#last.set(input, { value, tensor });
    return tensor;
  }
}

/** What goes into the programs of a solve and comes out of them, by name. */
export interface ProgramNames {
  /** what one run hands to the next: as it goes in, and as it comes out */
  readonly carried: readonly { readonly name: string; readonly next: string }[];
  /** what is read after each run */
  readonly reported: readonly string[];
  /** what is recorded of each attempt */
  readonly recorded: readonly string[];
}

/** @param outputs  of the program that goes on */
export function programNames(setting: AdaptiveSetting, outputs: object): ProgramNames {
  const { method, control, record, chained = false, events = [] } = setting;
  const pid = control.kind === "pid";
  const watched = method.companion !== undefined;
  const carried = [
    ...Array.from({ length: method.width }, (_, k) => stateName(k)),
    ...(carriesSlope(setting) ? [names.slope] : []),
    ...[names.t, names.h],
    ...(control.kind === "pid" ? memoryParts(control).map((part) => names[part]) : []),
    ...events.map((_, k) => signalName(k)),
  ];
  return {
    carried: carried.map((name) => ({ name, next: nextName(name) })),
    reported: [
      ...[names.times, names.failed],
      ...(chained && record === "nothing" ? [names.states] : []),
      ...(pid ? [names.lastNorm] : []),
      ...(watched && pid ? [names.norm] : []),
      ...(watched ? [names.drift, names.size] : []),
      ...events.map((_, k) => crossedName(k)),
    ],
    recorded: Object.keys(outputs).filter((name) => name.startsWith(recordName(""))),
  };
}

/** The inputs that an executable takes, each from the first that has it. */
export function pick({ inputs }: Executable, ...sources: readonly DeviceTensors[]): DeviceTensors {
  const picked: Record<string, DeviceTensor> = {};
  for (const name in inputs) {
    for (const source of sources) {
      const value = source[name];
      if (value === undefined) continue;
      picked[name] = value;
      break;
    }
  }
  return picked;
}
