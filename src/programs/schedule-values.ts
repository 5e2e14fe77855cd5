import type { Schedule } from "../chains/tables.js";
import type { Value } from "../graph/graph.js";

/** Which states a gradient stores on its way, and how it comes back from them. */
export type ScheduleValues = Schedule<Value>;
