import { type Target, target, unmeasured } from "./result.js";

/** One contender in one case, as peers.ts measures it. */
export interface PeerRow {
  /** `white-dwarf`, `large` or `small` */
  readonly case: string;
  readonly library: string;
  /** `coupled`: the reversible scheme, twice the work of `midpoint` */
  readonly scheme: string;
  readonly gradient: string;
  /** how it is done, or on which runtime */
  readonly variant: string;
  /** `gradient`, or `update`: the gradient, the optimiser, and the loss on the host */
  readonly work: string;
  readonly threads: number;
  readonly usPerStep: number;
}

type Choice = (row: PeerRow) => boolean;

const libraries = ["diffrax", "torchdiffeq", "torchode"];
const isOurs: Choice = ({ library }) => library === "revort";
const isTheirs: Choice = ({ library }) => libraries.includes(library);
/** what was written for this benchmark in place of diffrax's own midpoint rule */
const isWrittenOut: Choice = ({ variant }) => variant === "midpoint unrolled";

/** A ratio that is asked for: the fastest of theirs over the fastest of ours. */
interface Question {
  readonly name: string;
  readonly what: string;
  readonly atLeast: number;
  readonly work?: string;
  readonly ours: Choice;
  readonly theirs: Choice;
}

const reversible: Choice = (row) => isOurs(row) && row.gradient === "reversible";
const kind =
  (gradient: string): Choice =>
  (row) =>
    row.gradient === gradient;
const both =
  (...choices: readonly Choice[]): Choice =>
  (row) =>
    choices.every((choice) => choice(row));
const not =
  (choice: Choice): Choice =>
  (row) =>
    !choice(row);

const questions: Readonly<Record<string, readonly Question[]>> = {
  "white-dwarf": [
    {
      name: "diffrax",
      what: "white dwarf, per update: faster than diffrax, by our reversible add-on to it or its checkpointing",
      atLeast: 10,
      work: "update",
      ours: reversible,
      theirs: both(
        ({ library, gradient }) => library === "diffrax" && ["reversible", "checkpoint"].includes(gradient),
        not(isWrittenOut),
      ),
    },
    {
      name: "diffrax-any",
      what: "white dwarf, per update: faster than any gradient in diffrax, also with its steps unrolled by us, exact or not",
      atLeast: 10,
      work: "update",
      ours: reversible,
      theirs: ({ library }) => library === "diffrax",
    },
  ],
  large: [
    {
      name: "diffrax-reversible",
      what: "batch 512, width 64: faster than our reversible add-on to diffrax",
      atLeast: 2,
      ours: reversible,
      theirs: both(({ library }) => library === "diffrax", kind("reversible"), not(isWrittenOut)),
    },
    {
      name: "any",
      what: "batch 512, width 64: reversible, parity with the fastest gradient of diffrax, torchdiffeq and torchode",
      atLeast: 1,
      ours: reversible,
      theirs: isTheirs,
    },
    ...["direct", "checkpoint", "continuous"].map((gradient) => ({
      name: gradient,
      what: `batch 512, width 64: ${gradient}, faster than its counterparts`,
      atLeast: 1.5,
      ours: both(isOurs, kind(gradient), ({ scheme }) => scheme === "midpoint"),
      theirs: both(isTheirs, kind(gradient)),
    })),
  ],
  small: [
    {
      name: "any",
      what: "batch 16, width 32: reversible, faster than the fastest gradient of diffrax, torchdiffeq and torchode",
      atLeast: 4,
      ours: reversible,
      theirs: isTheirs,
    },
  ],
};

/** What the rows of a case say about its targets. Of each side the fastest counts, on however many threads. */
export function peerTargets(name: string, rows: readonly PeerRow[]): Target[] {
  return (questions[name] ?? []).map(({ name: short, what, atLeast, work = "gradient", ours, theirs }) => {
    const asked = { name: `${name}/${short}`, what, wanted: { atLeast } };
    const fastest = (choice: Choice) =>
      rows
        .filter((row) => row.work === work && choice(row))
        .reduce<PeerRow | null>((best, row) => (best && best.usPerStep <= row.usPerStep ? best : row), null);
    const [own, other] = [fastest(ours), fastest(theirs)];
    if (own === null || other === null) {
      return unmeasured(asked, `${own === null ? "revort" : "the peers"} could not be measured`);
    }
    return target(asked, other.usPerStep / own.usPerStep, `${showRow(other)} ÷ ${showRow(own)}`);
  });
}

/** `diffrax, coupled, reversible (Midpoint), 2 threads`. */
export function showRow({ library, scheme, gradient, variant, threads }: PeerRow): string {
  return `${library}, ${scheme}, ${gradient} (${variant})${threads > 1 ? `, ${threads} threads` : ""}`;
}
