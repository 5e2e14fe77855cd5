import type { ExperimentRecord } from "./record.js";

// What stands on the page of experiments beside the numbers: which of them, what was published, and why they differ.

/** A number of `result.json`, and what it is called. */
export interface Shown {
  /** its path: "test.metrics.accuracy" */
  readonly at: string;
  readonly as: string;
  /** what it is multiplied by, to be in the unit of what was published */
  readonly times?: number;
  readonly unit?: string;
  /** as it was published */
  readonly published?: string;
}

export interface Entry {
  /** of its file and on the page */
  readonly id: string;
  readonly experiment: string;
  /** in the names of its data, where one experiment has several */
  readonly data?: string;
  /** what its --data is, where it has such */
  readonly files?: string;
  readonly shown: readonly Shown[];
  /** where ours differs from what was published, and by what; sentences */
  readonly why: string;
  /** the page with its numbers, as long as there is no record of a sweep */
  readonly elsewhere?: string;
}

const accuracy = (published?: string): Shown => ({
  ...{ at: "test.metrics.accuracy", as: "test accuracy" },
  ...(published === undefined ? {} : { published }),
});

/** Of a problem of the UEA archive. */
const uea = (id: string, data: string, why: string): Entry => ({
  ...{ id: `uea-${id}`, experiment: "uea", data, shown: [accuracy()] },
  why:
    `${why} torchcde has the same model, solver and number of updates, by \`scripts/experiments/torchcde-uea.py\`; ` +
    "the nearest neighbour, the archive's baseline, is found by `scripts/experiments/dtw-uea.py`.",
  files: `${data}_TRAIN.ts,${data}_TEST.ts`,
});

export const entries: readonly Entry[] = [
  {
    ...{ id: "white-dwarf", experiment: "white-dwarf" },
    shown: [
      { at: "loss.min", as: "lowest loss × 10⁵", times: 1e5, published: "8.73 ± 3.06, midpoint, reversible" },
    ],
    why:
      "The full protocol is the quick one. Seeds draw other initial weights than the published ones; from those, each published minimum is reached to " +
      "its last printed digit (`test/experiments/white-dwarf.test.ts`).",
  },
  {
    ...{ id: "coupled-oscillator", experiment: "coupled-oscillator", files: "real_double_linear_h_1.txt" },
    shown: [
      { at: "loss.min", as: "lowest loss × 10³", times: 1e3, published: "1.00 ± 0.18, midpoint, reversible" },
    ],
    why:
      "The full protocol is the quick one. From the published initial weights of seeds 0 and 1 the minimum is the published one to 1 %; " +
      "weights of our own seeds lead to plateaus that 10 000 updates may or may not leave.",
    elsewhere: "/decisions/latent-and-images",
  },
  {
    ...{ id: "double-pendulum", experiment: "double-pendulum", files: "real_double_pend_h_1.txt" },
    shown: [{ at: "loss.min", as: "lowest loss × 10³", times: 1e3, published: "8.25 ± 3.24 (5 seeds)" }],
    why:
      "From the published initial weights of seed 0 the minimum is 8.85 × 10⁻³. Steps end at the times of the data, where the published " +
      "code interpolates states linearly.",
    elsewhere: "/decisions/latent-and-images",
  },
  {
    ...{ id: "influenza", experiment: "influenza" },
    shown: [
      { at: "fitted.b", as: "b per day", published: "1.66 (Murray)" },
      { at: "fitted.k", as: "k per day", published: "0.44 (Murray)" },
    ],
    why: "The field has two parameters, which do not depend on a seed.",
  },
  {
    ...{ id: "hare-lynx", experiment: "hare-lynx" },
    shown: [{ at: "loss.last", as: "last loss, thousands of pelts²" }],
    why: "A universal differential equation in the sense of Rackauckas et al. 2020; no such fit of these data with a published loss is known to us.",
  },
  {
    ...{ id: "two-moons", experiment: "two-moons" },
    shown: [
      { at: "training.loss", as: "−log p, training", published: "0.888 (10 seeds)" },
      { at: "test.loss", as: "−log p, test" },
    ],
    why:
      "1200 updates of 256 points with steps of 0.05, at a rate that falls from 0.01 to 0, where 5000 updates of all points with steps of 0.01 at 0.001 are published. The first ten updates of the full protocol are " +
      "those of the published scheme in JAX to 10⁻⁵ (`test/experiments/two-moons.test.ts`). A thousand points can be learnt by heart, so that the number of new points is the one to look at. At λ = 0.999, as published, y and its companion part; steps a quarter as long add some 0.02.",
  },
  {
    ...{ id: "character-trajectories", experiment: "character-trajectories", files: "uciCT_mv_100.json" },
    shown: [accuracy("0.785 ± 0.05–0.07, the best of 1000 test accuracies")],
    why:
      "A hundred series, five of each of twenty letters, of which some three of each are trained on; 2240 are published. The published " +
      "accuracy is the best on the test data over all updates; ours is that of the parameters that a validation set of its own chose. " +
      "The full protocol is the quick one.",
  },
  uea("pen-digits", "PenDigits", "Digits as eight points of a pen, 600 updates are three epochs."),
  uea("libras", "Libras", "Fifteen signs of a hand, of which there are 180 series to train on."),
  uea(
    "japanese-vowels",
    "JapaneseVowels",
    "Nine speakers, of which there are 270 series to train on: the network memorises all of them within 300 updates.",
  ),
  uea(
    "basic-motions",
    "BasicMotions",
    "Four motions by six sensors, of which there are 40 series to train on. Steps over two observations, which see slopes at some places alone, get half of it right.",
  ),
  uea(
    "uwave-gestures",
    "UWaveGestureLibrary",
    "Eight gestures of a hand by 315 accelerations each, of which there are 120 series to train on.",
  ),
  {
    ...{ id: "ou-sde-gan", experiment: "ou-sde-gan" },
    shown: [
      { at: "findings.real.mean.3", as: "mean at t = 63, real" },
      { at: "findings.generated.mean.3", as: "generated" },
      { at: "findings.real.deviation.3", as: "deviation at t = 63, real" },
      { at: "findings.generated.deviation.3", as: "generated" },
    ],
    why:
      "diffrax's example publishes a figure and no numbers. 4000 updates of 128 paths at a rate that falls from five times the published one to 0, where 10 000 of 1024 are published. " +
      "Real paths do not depend on the seed.",
  },
  {
    ...{ id: "latent-sde", experiment: "latent-sde" },
    shown: [
      { at: "test.loss", as: "−evidence, test" },
      { at: "test.metrics.logLikelihood", as: "log p(x | z)" },
      { at: "test.metrics.pathDivergence", as: "divergence of paths" },
    ],
    why: "torchsde's example publishes figures and no numbers. 800 updates of 32 series with steps of 0.05, at a rate that falls from 0.01 to 0, where 5000 of 1024 with 0.01 are published.",
  },
  {
    ...{ id: "spirals", experiment: "spirals" },
    shown: [{ at: "findings.wholePathError", as: "mean error over the whole path" }],
    why: "The published demonstration shows figures and no numbers. 20 000 updates at a rate that falls to 0: in the 2000 at a constant one that are published, RMSprop does not settle, and seeds differ.",
    elsewhere: "/decisions/latent-and-images",
  },
  {
    ...{ id: "latent-spirals", experiment: "latent-spirals" },
    shown: [
      {
        at: "test.metrics.odeErrorBeyond",
        as: "latent ODE beyond what is seen",
        published: "0.1642, 30 points, in a setting of its own (Chen et al. 2018)",
      },
      { at: "test.metrics.rnnErrorBeyond", as: "recurrent network", published: "0.3937" },
      { at: "test.metrics.odeErrorWithin", as: "latent ODE within" },
    ],
    why: "The published errors are of prediction at a hundred later times of one spiral each; ours extrapolate for as long as the observed window, which may start anywhere. 20 000 updates at a rate that falls from 0.01 to 0. The latent ODE is closer to the truth in both.",
    elsewhere: "/decisions/latent-and-images",
  },
  {
    ...{ id: "irregular-periodic", experiment: "irregular-periodic" },
    shown: [
      { at: "test.metrics.latentOdeError", as: "latent ODE" },
      { at: "test.metrics.odeRnnError", as: "ODE-RNN" },
      { at: "test.metrics.gruDError", as: "GRU-D" },
      { at: "test.metrics.rnnGapsError", as: "RNN with time gaps" },
      { at: "test.metrics.rnnVaeError", as: "RNN-VAE" },
    ],
    why: "Rubanova et al. 2019 show this toy as figures; their tables are of other data. Which model is ahead depends on the length of training: those that encode a whole wave in six numbers learn later.",
    elsewhere: "/decisions/latent-and-images",
  },
  {
    ...{ id: "heat", experiment: "heat" },
    shown: [
      { at: "findings.errors.learnt.10", as: "error at t = 0.5", times: 100, unit: "%" },
      { at: "findings.errors.learnt.20", as: "error at t = 1", times: 100, unit: "%" },
    ],
    why:
      "The authors' dissipative example, y_t = (1 − y) y_xx by Tsit5 with λ = 0.5, is about memory and gradients, both of which " +
      "[are reproduced](/decisions/pde); here, its law k(y) is learnt from snapshots as well, on 26 points with steps of 5 · 10⁻⁴. Data end at 0.5.",
    elsewhere: "/decisions/pde",
  },
  {
    ...{ id: "burgers", experiment: "burgers" },
    shown: [
      { at: "findings.errors.learnt.15", as: "error at t = 1.5", times: 100, unit: "%" },
      { at: "findings.errors.learnt.30", as: "error at t = 3", times: 100, unit: "%" },
      { at: "findings.errors.differences.15", as: "by central differences, t = 1.5", times: 100, unit: "%" },
    ],
    why: "Named in the talks without a protocol; exact solutions are those of Cole and Hopf. Data end at 1.5.",
    elsewhere: "/decisions/pde",
  },
  {
    ...{ id: "gray-scott", experiment: "gray-scott" },
    shown: [
      { at: "findings.learnt.feed.0", as: "F", published: "0.04, by which the data are made" },
      { at: "findings.learnt.kill.0", as: "k", published: "0.06" },
      { at: "findings.errors.learnt.80", as: "error at t = 800", times: 100, unit: "%" },
    ],
    why: "Named in the talks without a protocol: the four numbers of the equation from snapshots of its solution.",
    elsewhere: "/decisions/pde",
  },
  {
    ...{ id: "mnist-ode", experiment: "mnist-ode", files: "mnist" },
    shown: [
      {
        at: "test.metrics.odeAccuracy",
        as: "ODE-Net",
        published: "0.9958 (Chen et al. 2018)",
      },
      { at: "test.metrics.residualAccuracy", as: "residual network", published: "0.9959" },
    ],
    why:
      "16 channels, 10 000 images and 2000 updates of 32, where 64 channels and 160 epochs of 60 000 images are published; " +
      "four coupled midpoint steps in place of dopri5, so few that y and its companion part. At this size the two networks, with equal numbers of parameters, are equally accurate; " +
      "the published residual network has 0.60 million, its ODE-Net 0.22 million.",
    elsewhere: "/decisions/latent-and-images",
  },
  {
    ...{ id: "cifar-ode", experiment: "cifar-ode", files: "cifar10" },
    shown: [
      { at: "test.metrics.odeAccuracy", as: "ODE-Net" },
      { at: "test.metrics.residualAccuracy", as: "residual network" },
    ],
    why: "As mnist-ode, on 10 000 images that were once JPEGs, by 2000 updates, about six times through them: far from what such networks reach with all images and hundreds of times.",
  },
  {
    ...{ id: "deq-mnist", experiment: "deq-mnist", files: "mnist" },
    shown: [accuracy()],
    why: "The small single DEQ of 7466 parameters on 10 000 images, 1000 updates of 32 at a rate that falls from 0.01 to 0.",
    elsewhere: "/decisions/latent-and-images",
  },
  {
    ...{ id: "deq-cifar", experiment: "deq-cifar", files: "cifar10" },
    shown: [accuracy("0.944, ImplicitResNet of 10 million parameters (McCallum, Arora & Foster 2025)")],
    why: "The small single DEQ on a thousand images, 200 updates; the published network is `--network implicit-resnet`.",
  },
  {
    ...{ id: "turbulence", experiment: "turbulence" },
    shown: [
      { at: "findings.models.not closed.spectrumOff", as: "spectrum off (log₂), not closed" },
      { at: "findings.models.network.spectrumOff", as: "network" },
      { at: "findings.models.latent SDE.spectrumOff", as: "latent SDE" },
    ],
    why:
      "niLES (Boral et al. 2023) has no public code and a flow that two cores cannot simulate; this is Sabra's shell model. " +
      "Both closures bring the spectra far closer to the resolved flow. After so few updates, the stochastic one is not the better one, as it is in the paper.",
    elsewhere: "/decisions/sde",
  },
];

/** What the page says of an experiment. @throws {Error} for one that it says nothing of */
export function entryOf({ experiment, data }: Pick<ExperimentRecord, "experiment" | "data">): Entry {
  const found = entries.find(
    (entry) =>
      entry.experiment === experiment && (entry.data === undefined || data.join().includes(entry.data)),
  );
  if (found === undefined)
    throw new Error(`scripts/experiments/entries.ts says nothing of ${experiment} ${data.join()}.`);
  return found;
}
