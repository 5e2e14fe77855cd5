import { experiments } from "../experiments/all.js";
import { gradientKinds } from "../gradients/method.js";
import { isReversible } from "../methods/method.js";
import { methodNamed, solverNames } from "../methods/named.js";
import type { Catalogue, SubjectOffer } from "./messages.js";
import { offeredRuntimes } from "./runtimes.js";
import { ownTasks } from "./tasks.js";

/** What there is to choose from: all that needs no files but a visitor's series. */
export async function catalogue(): Promise<Catalogue> {
  const own = experiments.filter(({ needs }) => needs === null);
  return {
    subjects: [
      ...own.map(({ name, about, protocol }): SubjectOffer => ({ name, about, ...settingsOf(protocol) })),
      ...ownTasks.map(
        ({ name, about, protocol }): SubjectOffer => ({ name, about, ...settingsOf(protocol) }),
      ),
    ],
    solvers: solverNames.map((name) => ({ name, undoes: isReversible(methodNamed(name)) })),
    gradients: ["auto", ...gradientKinds],
    runtimes: await offeredRuntimes(),
  };
}

type Settings = Omit<SubjectOffer, "name" | "about">;

function settingsOf({ solver, coupling, gradient, dtype, steps }: Settings): Settings {
  const undoes = isReversible(methodNamed(solver));
  return { solver, coupling: undoes ? null : coupling, gradient, dtype, steps };
}
