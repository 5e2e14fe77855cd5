import { RevortError } from "../../core/errors.js";
import { Random } from "../../core/random.js";
import type { FloatDType } from "../../core/tensor.js";
import type { Job, Work } from "./workload.js";

/** What a job is made for. */
export interface JobSize {
  readonly batch: number;
  /** of a solve and a gradient of a field */
  readonly steps: number;
  readonly dtype: FloatDType;
}

/** What is compared on runtimes. */
export interface Subject {
  readonly name: string;
  /** what of it is timed; the last is the whole of it */
  readonly works: readonly Work[];
  /** the type that it is made for; where it is none, it is compared in float32, which all runtimes have */
  readonly dtype?: FloatDType;
  /** what a run of it is, where that does not go without saying */
  readonly about?: string;
  /** whether it takes batches */
  readonly batched: boolean;
  readonly job: (size: JobSize) => Job;
}

/** What cannot be compared. */
export class SubjectError extends RevortError {}

/** Normal numbers, the same each time. */
export function normal(count: number): number[] {
  const random = Random.seeded(1);
  return Array.from({ length: count }, () => random.normal());
}

/** States near one: each number is off by about a hundredth. */
export function around(first: readonly number[], batch: number): number[] {
  return normal(first.length * batch).map((x, i) => first[i % first.length]! * (1 + 0.01 * x));
}
