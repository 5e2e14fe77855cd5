import { control, element, say } from "./elements.js";
import type { Helper } from "./helper.js";
import type { Catalogue, News, RuntimeName, Timing } from "./messages.js";

/** Times gradients on the runtimes that are ticked, in a table. */
export class BenchmarkSection {
  readonly #form = element<HTMLFormElement>("benchmark-form");
  readonly #start = control<HTMLButtonElement>(this.#form, "start");

  constructor({ runtimes }: Catalogue, helper: Helper) {
    const boxes = runtimes.map(({ name, reason }) => {
      const label = document.createElement("label");
      const box = document.createElement("input");
      Object.assign(box, { type: "checkbox", name: "runtime", value: name });
      box.checked = reason === null;
      box.disabled = reason !== null;
      label.append(box, reason === null ? name : `${name}: ${reason}`);
      return label;
    });
    element("benchmark-runtimes").replaceChildren(...boxes);
    this.#start.disabled = false;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      const chosen = new FormData(this.#form).getAll("runtime") as RuntimeName[];
      if (chosen.length === 0) return say("benchmark-status", "Tick a runtime first.", true);
      this.#start.disabled = true;
      element("timings").hidden = false;
      element<HTMLTableElement>("timings").tBodies[0]!.replaceChildren();
      say("benchmark-status", "Measuring …");
      helper.ask({ kind: "benchmark", runtimes: chosen });
    });
  }

  hear(news: News): void {
    if (news.kind === "timing") addRow(news.timing);
    const isFailure = news.kind === "failed" && news.of === "benchmark";
    if (news.kind !== "timed" && !isFailure) return;
    this.#start.disabled = false;
    if (isFailure) say("benchmark-status", `${news.name}: ${news.message}`, true);
    else say("benchmark-status", "Measured. Medians; other pages and programs share the machine.");
  }
}

function addRow({ model, runtime, dtype, first, each, error }: Timing): void {
  const row = element<HTMLTableElement>("timings").tBodies[0]!.insertRow();
  for (const text of [model, runtime, dtype]) row.insertCell().textContent = text;
  const numbers = [
    first.toFixed(0),
    String(Number(each.toPrecision(3))),
    error === 0 ? "0" : error.toExponential(0),
  ];
  for (const text of numbers) {
    const cell = row.insertCell();
    cell.className = "number";
    cell.textContent = text;
  }
}
