import { drawChart } from "./chart.js";
import { control, element, fileLink, say, term } from "./elements.js";
import type { Helper } from "./helper.js";
import type { Catalogue, Ended, Kept, News, Progress } from "./messages.js";
import { showKept, showTime } from "./shown.js";
import { TrainForm } from "./train-form.js";

/** What a training is doing. */
type State = "idle" | "reading" | "training" | "stopped";

/** Trains what is asked for, and shows how it goes. */
export class TrainSection {
  readonly #form: TrainForm;
  #step = 0;

  constructor(
    catalogue: Catalogue,
    readonly helper: Helper,
  ) {
    this.#form = new TrainForm(catalogue);
    const { form } = this.#form;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#start();
    });
    this.#button("stop").addEventListener("click", () => helper.ask({ kind: "stop" }));
    this.#button("resume").addEventListener("click", () => this.#resume());
    this.#become("idle");
    say("train-status", "Ready.");
  }

  #button(name: string): HTMLButtonElement {
    return control(this.#form.form, name);
  }

  #become(state: State): void {
    this.#button("start").disabled = state === "reading" || state === "training";
    this.#button("stop").disabled = state !== "training";
    this.#button("resume").disabled = state !== "stopped";
  }

  /** Nothing is trained: what was reached before, if anything, may go on. */
  #rest(): void {
    this.#become(element("ended").hidden ? "idle" : "stopped");
  }

  async #start(): Promise<void> {
    // a chosen file takes a moment to read: till then there is nothing to stop, and nothing of the run before to believe
    this.#become("reading");
    say("train-status", "Reading what is asked for …");
    try {
      const request = await this.#form.request();
      this.#become("training");
      this.#step = 0;
      element("ended").hidden = true;
      clearNumbers();
      element("notes").replaceChildren();
      element("charts").replaceChildren();
      say("train-status", `Preparing on ${request.runtime} …`);
      this.helper.ask({ kind: "train", request });
    } catch (cause) {
      this.#rest();
      say("train-status", (cause as Error).message, true);
    }
  }

  /** Goes on; where all updates are done already, with as many again. */
  #resume(): void {
    const { steps } = this.#form;
    this.#become("training");
    say("train-status", "Going on …");
    this.helper.ask({ kind: "resume", steps: steps > this.#step ? steps : this.#step + steps });
  }

  hear(news: News): void {
    if (news.kind === "begun") this.#showKept(news.kept);
    else if (news.kind === "progress") this.#showProgress(news.progress);
    else if (news.kind === "charts") this.#showCharts(news.charts);
    else if (news.kind === "note") addNote(news.message, false);
    else if (news.kind === "ended") this.#end(news);
    else if (news.kind === "failed") {
      this.#rest();
      say("train-status", `${news.name}: ${news.message}`, true);
    }
  }

  #showKept(kept: Kept | null): void {
    element("number-kept").textContent = kept === null ? "–" : showKept(kept);
  }

  #showProgress({ step, steps, loss, secondsPerStep, drift, reconstructionError }: Progress): void {
    this.#step = step;
    const small = (value: number | null) => (value === null ? "–" : value.toExponential(1));
    element<HTMLProgressElement>("train-progress").value = step / steps;
    element("number-step").textContent = `${step} of ${steps}`;
    element("number-loss").textContent = loss.toPrecision(6);
    element("number-time").textContent = showTime(secondsPerStep);
    element("number-drift").textContent = small(drift);
    element("number-undone").textContent = small(reconstructionError);
    if (element("train-status").textContent !== "Training …") say("train-status", "Training …");
  }

  #showCharts(charts: Extract<News, { kind: "charts" }>["charts"]): void {
    const host = element("charts");
    for (const [i, chart] of charts.entries()) {
      const figure = host.children[i] ?? host.appendChild(document.createElement("figure"));
      drawChart(figure, chart);
    }
  }

  #end({ how, step, kept, findings, warnings, files }: Ended): void {
    this.#showKept(kept);
    this.#step = step;
    this.#become("stopped");
    say("train-status", how === "done" ? `Done: ${step} updates.` : `Stopped after update ${step}.`);
    for (const warning of warnings) addNote(`Warning: ${warning}`, true);
    element("findings").replaceChildren(...findings.map(([name, value]) => term(name, value)));
    const list = element("files");
    for (const old of list.querySelectorAll("a")) URL.revokeObjectURL(old.href);
    const entries = Object.entries(files).map(([name, bytes]) => {
      const entry = document.createElement("li");
      entry.append(fileLink(name, bytes));
      return entry;
    });
    list.replaceChildren(...entries);
    element("ended").hidden = false;
  }
}

/** Nothing is known yet of what is about to be trained. */
function clearNumbers(): void {
  for (const number of element("numbers").querySelectorAll("dd")) number.textContent = "–";
  element<HTMLProgressElement>("train-progress").value = 0;
}

function addNote(message: string, isWarning: boolean): void {
  const entry = document.createElement("li");
  entry.textContent = message;
  entry.classList.toggle("warning", isWarning);
  element("notes").append(entry);
}
