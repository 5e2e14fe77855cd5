import { Random } from "../../core/random.js";

/** Something to time: its name, and one run of it. */
export interface Contender {
  readonly name: string;
  readonly run: () => Promise<unknown>;
}

/** Something in another process, which times its own work: the seconds of so many runs. */
export interface RemoteContender {
  readonly name: string;
  readonly time: (repeats: number) => Promise<Sample>;
}

/** Seconds on the clock, and of processor time. */
export interface Sample {
  readonly clock: number;
  readonly processor: number;
}

/**
 * Seconds of one run: the median, the quartiles as a measure of the noise, the least, and the median of processor time.
 * On a busy machine the last two say more: other work only ever adds to the time on the clock, and hardly any to
 * processor time, which counts all threads.
 */
export interface Timing {
  readonly median: number;
  readonly least: number;
  readonly quartiles: readonly [number, number];
  readonly processor: number;
}

export interface MeasureOptions {
  /** rounds, each of which gives every contender a turn */
  readonly rounds: number;
  /** seconds of warm running before the first round, for each contender */
  readonly warmUp?: number;
  /** shortest time of a turn in seconds: what takes less is run several times over */
  readonly turn?: number;
  /** longest time of all turns of a contender in seconds; what would take longer sits rounds out */
  readonly limit?: number;
  /** seconds between turns, for threads of others that spin a while before they sleep */
  readonly rest?: number;
  /** seconds that a contender runs at the beginning of each turn without being timed, if it runs so shortly: cores that
   * have been idle are slow at first */
  readonly lead?: number;
  /** told how far it has come */
  readonly progress?: (text: string) => void;
}

/** Times contenders in turns, so that a machine that slows down slows all of them alike. */
export async function measure(
  contenders: readonly (Contender | RemoteContender)[],
  options: MeasureOptions,
): Promise<Timing[]> {
  const { rounds, warmUp = 0.5, turn = 0.01, limit = Number.POSITIVE_INFINITY } = options;
  const { rest = 0, lead = 0, progress = () => {} } = options;
  const pause = () => new Promise((resolve) => setTimeout(resolve, rest * 1000));
  const plans: { before: number; repeats: number; every: number }[] = [];
  for (const contender of contenders) {
    progress(`warming up ${contender.name}`);
    const start = performance.now();
    let last: Sample;
    do last = await sample(contender, 1);
    while (performance.now() - start < warmUp * 1000);
    const repeats = Math.max(1, Math.ceil(turn / last.clock));
    const before = Math.floor(lead / last.clock);
    plans.push({ before, repeats, every: Math.ceil((last.clock * repeats * rounds) / limit) || 1 });
  }
  const samples = contenders.map((): Sample[] => []);
  // another order in each round, so that nobody always follows the same one
  const order = Random.seeded(1);
  for (let round = 0; round < rounds; round++) {
    progress(`round ${round + 1} of ${rounds}`);
    for (const i of order.permutation(contenders.length)) {
      const { before, repeats, every } = plans[i]!;
      if (round % every !== 0) continue;
      if (rest > 0) await pause();
      if (before > 0) await sample(contenders[i]!, before);
      samples[i]!.push(await sample(contenders[i]!, repeats));
    }
  }
  return samples.map((own) => {
    const clock = own.map((one) => one.clock).sort((a, b) => a - b);
    const processor = own.map((one) => one.processor).sort((a, b) => a - b);
    return {
      median: at(clock, 0.5),
      least: clock[0]!,
      quartiles: [at(clock, 0.25), at(clock, 0.75)],
      processor: at(processor, 0.5),
    };
  });
}

/** Seconds of one run, out of several. */
async function sample(contender: Contender | RemoteContender, repeats: number): Promise<Sample> {
  if ("time" in contender) {
    const { clock, processor } = await contender.time(repeats);
    return { clock: clock / repeats, processor: processor / repeats };
  }
  const [start, busy] = [performance.now(), ownProcessor()];
  for (let i = 0; i < repeats; i++) await contender.run();
  return {
    clock: (performance.now() - start) / 1000 / repeats,
    processor: (ownProcessor() - busy) / repeats,
  };
}

function ownProcessor(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) * 1e-6;
}

function at(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}
