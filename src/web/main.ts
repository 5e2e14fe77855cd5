import { BenchmarkSection } from "./benchmark-section.js";
import { say } from "./elements.js";
import { type Helper, openHelper } from "./helper.js";
import type { News } from "./messages.js";
import { stabilitySection } from "./stability-section.js";
import { TrainSection } from "./train-section.js";

/** Puts the page together: a worker for training and one for the benchmark, so that they do not wait for each other. */
function open(): void {
  let train: TrainSection | null = null;
  let benchmark: BenchmarkSection | null = null;
  const timing: Helper = openHelper((news) => benchmark?.hear(news));
  const training: Helper = openHelper((news: News) => {
    if (news.kind === "catalogue") {
      train = new TrainSection(news.catalogue, training);
      benchmark = new BenchmarkSection(news.catalogue, timing);
    } else if (train === null && news.kind === "failed") {
      say("train-status", `The page cannot start its worker: ${news.message}`, true);
    } else train?.hear(news);
  });
  training.ask({ kind: "catalogue" });
  stabilitySection();
}

open();
