/**
 * Why something is lost, where it is: by the names of targets and of rows, or of a family of them (what stands before
 * the last slash). Which of them are lost, the data say; a reason is printed only then.
 */
const reasons: Readonly<Record<string, string>> = {
  "white-dwarf/c":
    "WebAssembly has vectors of 128 bits; C that is compiled for the machine has what the machine has.",
  "white-dwarf/diffrax":
    "XLA compiles a loop over steps well: 10× faster than that would be close to C written by hand.",
  "white-dwarf/diffrax-any":
    "Unrolled, without diffrax's loop over stages, its midpoint rule is a loop that XLA compiles to little more than the arithmetic: 10× would beat C written by hand.",
  "white-dwarf/training":
    "Most of it is the gradient; the rest is compiling and one round to the host in each update.",
  large:
    "At this size nearly all time is spent in products of matrices and tanh, which ONNX Runtime and XLA both do near what the processor can; there is little between operators left to save.",
  "large/diffrax-reversible":
    "At this size nearly all time is spent in products of matrices and tanh, which ONNX Runtime and XLA both do near what the processor can; a factor of two would have to come from them.",
  "small/any":
    "The competitor uses the plain midpoint rule, with half as many evaluations of the field, and XLA has vectors of 512 bits where WebAssembly's have 128: products of matrices alone take about half of a step here, and are close to what such vectors can do. revort's own gradient of the plain midpoint rule is twice as fast as its reversible one.",
  "large/any":
    "The competitor uses the plain midpoint rule; the reversible scheme evaluates the field twice as often, and at this size evaluations are all that costs.",
  "training/fastest":
    "The competitor uses the plain midpoint rule; the reversible scheme evaluates the field twice as often, and at this size evaluations are all that costs.",
  small:
    "The field is too small for ONNX Runtime, and large enough for XLA to use vectors wider than the 128 bits of WebAssembly's.",
  "work-precision":
    "diffrax's whole solve is one compiled loop as revort's is. A step is six evaluations one after the other, an error norm and a power, each waiting for the one before, and neither can take less than their latencies add up to.",
  "experiments/two-moons/memory":
    "Stored steps are the states before them, and all else is computed again on the way back: 2.4 MB here, beside some 120 MB of a process and 100 MB of one step. What the published gigabytes hold is all that a solver computed.",
  "experiments/character-trajectories/memory":
    "Stored steps are the states before them, and all else is computed again on the way back: 57 MB here, beside some 120 MB of a process, the paths, and what one step takes. What the published gigabyte holds is all that a solver computed.",
  "experiment-peers/character-trajectories/any":
    "The competitor takes the plain midpoint rule, half as many evaluations, and stores all that it computed, so that it does none again on the way back. ONNX Runtime reads and writes each intermediate: its products, with the functions that it takes along with them, are a little more than half of an update, and what is between them the rest.",
  "experiment-peers/heat/any":
    "The competitor takes plain steps of tsit5 and has the whole batch as one state; the reversible scheme takes two steps of the tableau for each, undoes them, and pulls cotangents through both.",
  "experiment-peers/mnist-ode/any":
    "The competitor takes the plain midpoint rule and stores all that it computed: for each convolution of a stage it takes three, itself and two gradients. The reversible scheme evaluates the field twice as often, and again on the way back: eight. Each of them takes no longer than PyTorch's: by single operators of this size, on one thread, a convolution 1.9 ms and its gradients 4.1, where PyTorch takes 2.8 and 4.9. Group normalisation and relu are a pass over memory for each operation in them.",
  "experiment-peers/latent-spirals/any":
    "Both take the same sixty steps one after the other, of products of 20 columns and fewer: what is between them, read and written one by one, is most of an update. On a processor with vectors of 512 bits it was 2.12×.",
  "experiment-peers/ou-sde-gan/any":
    "All three take reversible Heun's 63 steps one after the other, on networks of 16 units, of which threads have little to share. By processor time revort needs three fifths of torchsde's and three quarters of diffrax's.",
  "experiment-peers/character-trajectories/memory":
    "The reversible update holds what one step takes of all 2240 series, and their paths.",
  "experiment-peers/character-trajectories/plain":
    "Between its products, of 32 columns each, ONNX Runtime reads and writes each intermediate; and revort stores states alone here, as products of all steps would take more than 64 MiB, so that the field is evaluated once more on the way back. The competitor stores all that it computed, three times the memory.",
  "experiment-peers/mnist-ode/plain":
    "Both store the results of convolutions, and take three for each. On one thread an update takes revort 0.70 s of processor time, where PyTorch's takes 0.76 on two; in parts for two threads, whose products are smaller, it takes 0.85.",
  "experiment-peers":
    "The reversible scheme evaluates a field twice as often as the plain one that the competitor takes, and both spend most of their time in products and elementary functions that are near what the processor can.",
  kernels:
    "WebAssembly's vectors have 128 bits, ONNX Runtime's on this machine up to 512: where its kernels come near what these can do, they are more than twice as fast.",
  auto: "Prices of operators differ from machine to machine, and near the crossing both runtimes are about as fast.",
  "scaling/memory-jit":
    "States do not add to it, but the times of the steps do: where each starts and ends and how long it is, as arrays and as inputs of the graph.",
  "scaling/memory-ort-cpu":
    "States do not add to it, but the times of the steps do: where each starts and ends and how long it is, as arrays and as inputs of the graph.",
  "scaling/time-jit":
    "Each step costs the same; what bends the line is a processor that grows warm or is shared.",
  "scaling/time-ort-cpu":
    "Each step costs the same; what bends the line is a processor that grows warm or is shared.",
  "start-up":
    "Building the graphs is JavaScript that runs for the first time, before the engine has optimised it.",
  "language-model/tiny/transformer/training":
    "Four tenths of an update are products of matrices, which ONNX Runtime and PyTorch both take as fast as the processor can; a factor of two over all of it would leave nothing for the rest. By processor time the two are about equal; the machine was shared.",
  "language-model/tiny/revdeq/training":
    "Undoing the steps takes eight more evaluations of the cell than PyTorch's backprop through stored ones, 33 products where that has 24: what memory that does not grow with the steps costs.",
  "language-model": "Products of matrices, which both libraries take as fast as the processor can.",
  "javascript-peers": "A single compiled product of large matrices, which theirs is better at.",
};

/** The reason for a loss, as sentences. */
export function whyLost(name: string): string {
  const family = name.slice(0, name.lastIndexOf("/"));
  return reasons[name] ?? reasons[family] ?? reasons[name.split("/")[0]!] ?? "Nobody has looked into it yet.";
}
