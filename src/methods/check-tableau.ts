import { RevortError } from "../core/errors.js";
import { elementaryWeights, type RootedTree, rootedTrees, showTree } from "./rooted-trees.js";
import type { Tableau } from "./tableaux.js";

/** A tableau that is not what it says. */
export class TableauError extends RevortError {
  constructor(
    readonly tableau: string,
    problem: string,
  ) {
    super(`The tableau "${tableau}" is wrong: ${problem}`);
  }
}

/**
 * Checks a tableau: its shape, c = Σⱼ aᵢⱼ, all conditions of its order, that its error estimate is O(h^k) for the k it
 * says, that its dense output leads from y0 to y1 with the order it says, and that a step back undoes a step to the order
 * it says.
 *
 * @throws {TableauError} naming the first thing that does not hold
 */
export function checkTableau(tableau: Tableau): void {
  const fail = (problem: string): never => {
    throw new TableauError(tableau.name, problem);
  };
  checkShape(tableau, fail);
  checkSymmetry(tableau, fail);
  const { a, b, c, order, error, dense } = tableau;
  for (const [i, row] of a.entries()) {
    if (!close(total(row), c[i]!, row)) {
      fail(`c[${i}] = ${c[i]} must be the sum of row ${i} of a, ${total(row)}.`);
    }
  }
  const trees = rootedTrees(Math.max(order, dense?.order ?? 0, (error?.order ?? 1) - 1));
  // the stages and, as one more, f(t1, y1)
  const stages = [...a, b];
  for (const tree of trees) {
    const phi = elementaryWeights(stages, tree);
    const against = (weights: readonly number[], expected: number, what: string) => {
      const terms = weights.map((weight, i) => weight * phi[i]!);
      if (!close(total(terms), expected, terms)) {
        fail(
          `${what} fails the condition of the tree ${showTree(tree)} of order ${tree.order}: ` +
            `Σ bᵢ Φᵢ is ${total(terms)}, not ${expected}.`,
        );
      }
    };
    if (tree.order <= order) against(b, 1 / tree.density, `b, said to be of order ${order},`);
    if (error !== undefined && tree.order < error.order) {
      against(error.weights, 0, `the error estimate, said to be O(h^${error.order}),`);
    }
    if (dense !== undefined && tree.order <= dense.order) checkDense(dense, tree, against);
  }
  if (dense !== undefined) {
    for (const [i, row] of dense.weights.entries()) {
      if (!close(total(row), b[i] ?? 0, row)) {
        fail(
          `the dense output must give y1 at θ = 1, but its weights of stage ${i} add up to ${total(row)}.`,
        );
      }
    }
  }
}

/**
 * A step with h and then one with −h is a method of 2 s stages, with weights (b, −b). It leads back but for O(h^(m+1))
 * where Σᵢ bᵢ Φᵢ(τ) = 0 for all trees of up to m vertices.
 */
function checkSymmetry({ a, b, antisymmetricOrder }: Tableau, fail: (problem: string) => never): void {
  if (antisymmetricOrder === undefined) return;
  const forth = a.map((row) => [...row, ...zeros(2 * b.length - row.length)]);
  const back = a.map((row) => [...b, ...row.map((aij) => -aij), ...zeros(b.length - row.length)]);
  const weights = [...b, ...b.map((weight) => -weight)];
  for (const tree of rootedTrees(antisymmetricOrder)) {
    const phi = elementaryWeights([...forth, ...back], tree);
    const terms = weights.map((weight, i) => weight * phi[i]!);
    if (close(total(terms), 0, terms)) continue;
    fail(
      `a step back, said to undo a step but for O(h^${antisymmetricOrder + 1}), fails the condition of the tree ` +
        `${showTree(tree)} of order ${tree.order}: Σ bᵢ Φᵢ is ${total(terms)}, not 0.`,
    );
  }
}

const zeros = (count: number) => new Array<number>(count).fill(0);

/** Σᵢ bᵢ(θ) Φᵢ(τ) = θ^|τ| / γ(τ), power by power of θ. */
function checkDense(
  { order, weights }: NonNullable<Tableau["dense"]>,
  tree: RootedTree,
  against: (weights: readonly number[], expected: number, what: string) => void,
): void {
  const degree = Math.max(...weights.map((row) => row.length));
  for (let j = 1; j <= degree; j++) {
    against(
      weights.map((row) => row[j - 1] ?? 0),
      j === tree.order ? 1 / tree.density : 0,
      `the dense output, said to be of order ${order}, at θ^${j}`,
    );
  }
}

function checkShape({ a, b, c, order, error, dense }: Tableau, fail: (problem: string) => never): void {
  const s = b.length;
  if (!(Number.isInteger(order) && order >= 1)) fail(`its order must be a positive integer, not ${order}.`);
  if (s === 0 || a.length !== s || c.length !== s) {
    fail(`a has ${a.length} rows, b ${s} weights and c ${c.length} entries; there must be as many of each.`);
  }
  a.forEach((row, i) => {
    if (row.length !== i)
      fail(`row ${i} of a must have ${i} entries (strictly lower triangle), not ${row.length}.`);
  });
  for (const [what, weights] of [
    ["the error estimate", error?.weights],
    ["the dense output", dense?.weights],
  ] as const) {
    if (weights !== undefined && weights.length !== s && weights.length !== s + 1) {
      fail(`${what} must have ${s} weights, or ${s + 1} with that of f(t1, y1), not ${weights.length}.`);
    }
  }
  const all = [...a.flat(), ...b, ...c, ...(error?.weights ?? []), ...(dense?.weights.flat() ?? [])];
  if (!all.every(Number.isFinite)) fail("all its numbers must be finite.");
  const last = s - 1;
  if (s > 1 && b[last] === 0 && c[last] === 1 && a[last]!.every((aij, j) => aij === b[j])) {
    fail(
      "its last stage is f(t1, y1), which the step does not need. Leave the row out; the weights of `error` and " +
        "`dense` may have one entry more than b for it.",
    );
  }
}

/** Equal up to the rounding of coefficients that are given to 15 digits. */
function close(value: number, expected: number, terms: readonly number[]): boolean {
  return Math.abs(value - expected) <= 1e-13 * (1 + terms.reduce((sum, term) => sum + Math.abs(term), 0));
}

function total(terms: readonly number[]): number {
  return terms.reduce((sum, term) => sum + term, 0);
}
