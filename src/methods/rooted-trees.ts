/** A rooted tree, as the trees that hang off its root. */
export interface RootedTree {
  /** number of vertices, |τ| */
  readonly order: number;
  /** γ(τ): |τ| times the densities of the branches */
  readonly density: number;
  readonly branches: readonly RootedTree[];
}

/**
 * All rooted trees of up to `order` vertices: 1, 1, 2, 4, 9, 20, 48, 115, … of each size. A method has order p if for
 * each tree of up to p vertices Σᵢ bᵢ Φᵢ(τ) = 1 / γ(τ).
 *
 * @see Hairer, Nørsett & Wanner II.2
 */
export function rootedTrees(order: number): RootedTree[] {
  const all: RootedTree[] = [];
  for (let n = 1; n <= order; n++) {
    const found: RootedTree[] = [];
    // multisets of smaller trees with n − 1 vertices: branches are taken in the order of the list
    const grow = (branches: readonly RootedTree[], from: number, left: number): void => {
      if (left === 0) {
        found.push({ order: n, density: branches.reduce((p, { density }) => p * density, n), branches });
        return;
      }
      for (let i = from; i < all.length; i++) {
        const branch = all[i]!;
        if (branch.order <= left) grow([...branches, branch], i, left - branch.order);
      }
    };
    grow([], 0, n - 1);
    all.push(...found);
  }
  return all;
}

/** Φᵢ(τ) = Πₖ Σⱼ aᵢⱼ Φⱼ(τₖ) over the branches τₖ, for each stage i. */
export function elementaryWeights(a: readonly (readonly number[])[], tree: RootedTree): number[] {
  const below = tree.branches.map((branch) => elementaryWeights(a, branch));
  return a.map((row) =>
    below.reduce((product, phi) => product * row.reduce((sum, aij, j) => sum + aij * phi[j]!, 0), 1),
  );
}

/** A tree as nested brackets, [] for a leaf. */
export function showTree({ branches }: RootedTree): string {
  return `[${branches.map(showTree).join("")}]`;
}
