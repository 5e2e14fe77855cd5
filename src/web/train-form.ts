import { control, element, fill } from "./elements.js";
import type { Catalogue, RuntimeName, SolverOffer, TrainRequest } from "./messages.js";

/** The choice that stands for the visitor's own data. */
const ownData = "own data";

/** What a visitor's data are trained with unless told otherwise, as on the command line. */
const usual = {
  solver: "midpoint",
  coupling: null,
  gradient: "auto",
  dtype: "float64",
  steps: 1000,
} as const;

/** The form that says what is trained: what goes with what, and what is asked for. */
export class TrainForm {
  readonly form = element<HTMLFormElement>("train-form");
  readonly #subject = control<HTMLSelectElement>(this.form, "subject");
  readonly #data = control<HTMLInputElement>(this.form, "data");
  readonly #missing = control<HTMLInputElement>(this.form, "missing");
  readonly #runtime = control<HTMLSelectElement>(this.form, "runtime");
  readonly #dtype = control<HTMLSelectElement>(this.form, "dtype");
  readonly #solver = control<HTMLSelectElement>(this.form, "solver");
  readonly #gradient = control<HTMLSelectElement>(this.form, "gradient");
  readonly #coupled = control<HTMLInputElement>(this.form, "coupled");
  readonly #coupling = control<HTMLInputElement>(this.form, "coupling");
  readonly #steps = control<HTMLInputElement>(this.form, "steps");

  constructor(readonly catalogue: Catalogue) {
    const { subjects, gradients, runtimes } = catalogue;
    fill(this.#subject, [
      ...subjects.map(({ name }) => ({ value: name })),
      { value: ownData, label: "your own data (CSV)" },
    ]);
    fill(
      this.#runtime,
      runtimes.map(({ name, reason }) => ({ value: name, reason })),
    );
    fill(
      this.#gradient,
      gradients.map((value) => ({ value })),
    );
    this.#subject.addEventListener("change", () => this.#settle());
    for (const each of [this.#runtime, this.#solver, this.#gradient, this.#coupled]) {
      each.addEventListener("change", () => this.#agree());
    }
    this.#subject.value = "white-dwarf";
    this.#settle();
  }

  get steps(): number {
    return this.#steps.valueAsNumber;
  }

  /** What is asked for. @throws {Error} saying what is missing */
  async request(): Promise<TrainRequest> {
    const isOwn = this.#subject.value === ownData;
    const file = isOwn ? this.#data.files?.[0] : undefined;
    if (isOwn && file === undefined) throw new Error("Choose a CSV file first.");
    const missing = isOwn ? numbersIn(this.#missing.value) : [];
    return {
      subject: isOwn ? null : this.#subject.value,
      data: file === undefined ? null : { name: file.name, text: await file.text(), missing },
      runtime: this.#runtime.value as RuntimeName,
      solver: this.#solver.value,
      coupling: this.#coupled.checked ? this.#coupling.valueAsNumber : null,
      gradient: this.#gradient.value,
      dtype: this.#dtype.value as TrainRequest["dtype"],
      ...{ steps: this.steps, seed: 0 },
    };
  }

  /** Takes over what the protocol of an experiment has. */
  #settle(): void {
    const offer = this.#offer();
    fill(
      this.#solver,
      this.#solvers().map(({ name }) => ({ value: name })),
    );
    const { solver, coupling, gradient, dtype, steps } = offer ?? usual;
    element("about").textContent = offer?.about ?? "Your series stays on this machine.";
    for (const id of ["data-label", "missing-label"]) element(id).hidden = offer !== undefined;
    this.#solver.value = solver;
    this.#gradient.value = gradient;
    this.#coupled.checked = coupling !== null;
    if (coupling !== null) this.#coupling.value = String(coupling);
    this.#dtype.value = dtype;
    this.#steps.value = String(steps);
    this.#agree();
  }

  #offer() {
    return this.catalogue.subjects.find(({ name }) => name === this.#subject.value);
  }

  /** Those of the equations that are chosen. */
  #solvers(): readonly SolverOffer[] {
    return this.#offer()?.sdeSolvers ?? this.catalogue.solvers;
  }

  /** Makes what was chosen go together: a reversible gradient needs steps that can be undone, a GPU float32. */
  #agree(): void {
    const undone = this.#solvers().find(({ name }) => name === this.#solver.value)?.undone ?? "coupled";
    for (const option of this.#gradient.options) {
      option.disabled = option.value === "reversible" && undone === "never";
    }
    if (this.#gradient.selectedOptions[0]?.disabled) this.#gradient.value = "auto";
    const isReversible = this.#gradient.value === "reversible";
    if (undone !== "coupled") this.#coupled.checked = false;
    else if (isReversible) this.#coupled.checked = true;
    this.#coupled.disabled = undone !== "coupled" || isReversible;
    this.#coupling.disabled = !this.#coupled.checked;
    const offer = this.catalogue.runtimes.find(({ name }) => name === this.#runtime.value);
    const { dtypes = [] } = offer ?? {};
    for (const option of this.#dtype.options) option.disabled = !dtypes.includes(option.value as "float32");
    if (!dtypes.includes(this.#dtype.value as "float32") && dtypes[0] !== undefined) {
      this.#dtype.value = dtypes[0];
    }
    const missing = this.catalogue.runtimes.filter(({ reason }) => reason !== null);
    element("runtime-reason").textContent = missing
      .map(({ name, reason }) => `${name}: ${reason}.`)
      .join(" ");
  }
}

/** Numbers separated by commas. @throws {Error} naming what is none */
function numbersIn(text: string): readonly number[] {
  const parts = text.split(",").map((part) => part.trim());
  return parts
    .filter((part) => part !== "")
    .map((part) => {
      if (Number.isFinite(Number(part))) return Number(part);
      throw new Error(`Missing values are numbers separated by commas, such as -999, but "${part}" is none.`);
    });
}
