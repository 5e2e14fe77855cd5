import { experiments } from "../experiments/all.js";
import { gradientKinds } from "../gradients/method.js";
import { isReversible } from "../methods/method.js";
import { methodNamed, solverNames } from "../methods/named.js";
import { sdeMethodNamed, sdeMethodNamesFor } from "../methods/sde-named.js";
import type { Catalogue, SolverOffer, SubjectOffer } from "./messages.js";
import { offeredRuntimes } from "./runtimes.js";
import { ownTasks } from "./tasks.js";

/** What there is to choose from: all that needs no files but a visitor's series. */
export async function catalogue(): Promise<Catalogue> {
  const own = experiments.filter(({ needs }) => needs === null);
  return {
    subjects: [
      ...own.map(
        ({ name, about, protocol }): SubjectOffer => ({
          ...{ name, about, ...settingsOf(protocol), sdeSolvers: null },
        }),
      ),
      ...ownTasks.map(
        ({ name, about, protocol, sde }): SubjectOffer => ({
          ...{ name, about, ...settingsOf(protocol) },
          sdeSolvers: sde === undefined ? null : sdeMethodNamesFor(sde).map(sdeSolver),
        }),
      ),
    ],
    solvers: solverNames.map((name) => ({
      name,
      undone: isReversible(methodNamed(name)) ? "by itself" : "coupled",
    })),
    gradients: ["auto", ...gradientKinds],
    runtimes: await offeredRuntimes(),
  };
}

function sdeSolver(name: string): SolverOffer {
  const { undo, calculus } = sdeMethodNamed(name);
  if (undo !== undefined) return { name, undone: "by itself" };
  return { name, undone: calculus === "ito" ? "never" : "coupled" };
}

type Settings = Omit<SubjectOffer, "name" | "about" | "sdeSolvers">;

function settingsOf({ solver, coupling, gradient, dtype, steps }: Settings): Settings {
  const undoes = isReversible(methodNamed(solver));
  return { solver, coupling: undoes ? null : coupling, gradient, dtype, steps };
}
