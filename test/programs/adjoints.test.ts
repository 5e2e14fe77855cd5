import { readFileSync } from "node:fs";
import { expect } from "chai";
import { GradientMethodError } from "../../src/chains/syntax.js";
import { gradientMethodOf, parseGradientMethod, showGradientMethod } from "../../src/gradients/method.js";
import { adjointFor, solveAdjoints } from "../../src/programs/adjoints.js";
import type { GradientMethod, SolveAdjoint } from "../../src/programs/solve-adjoint.js";

const steps = 1000;

/** An adjoint as users type it: without an option where it takes none, or can do without. */
function typed({ syntax }: SolveAdjoint): string {
  return syntax.parse(null, "") === null ? syntax.example!.typed : syntax.kind;
}

/** What the documents say of an adjoint: a row of their table. */
function rowOf(adjoint: SolveAdjoint): string {
  const { syntax, exact, undoes } = adjoint;
  const names = [typed(adjoint), syntax.example?.typed ?? typed(adjoint)];
  const { states, again } = adjoint.cost(parseGradientMethod(typed(adjoint)), steps);
  const cells = [
    [...new Set(names)].map((name) => `\`${name}\``).join(", "),
    syntax.summary,
    exact ? "yes" : "no",
    undoes ? "yes" : "no",
    `${states}`,
    `${again}`,
  ];
  return `| ${cells.join(" | ")} |`;
}

describe("the list of adjoints", () => {
  for (const adjoint of solveAdjoints) {
    const { name, syntax } = adjoint;

    it(`has ${name} under what users type for it, and shows it so`, () => {
      for (const text of new Set([typed(adjoint), syntax.example?.typed ?? typed(adjoint)])) {
        const method = parseGradientMethod(text);
        expect(showGradientMethod(method)).to.equal(text);
        expect(gradientMethodOf(method)).to.deep.equal(method);
        expect(adjointFor(method).syntax.kind).to.equal(syntax.kind);
      }
      expect(adjointFor(parseGradientMethod(typed(adjoint))).name).to.equal(name);
    });

    it(`has ${name} in the table of the documents, as it is: ${rowOf(adjoint)}`, () => {
      const page = readFileSync(new URL("../../docs/decisions/chains.md", import.meta.url), "utf8");
      expect(page.split("\n")).to.include(rowOf(adjoint));
      const listed = readFileSync(new URL("../../docs/how-to/command-line.md", import.meta.url), "utf8");
      expect(listed, "docs/how-to/command-line.md").to.include(`\`${typed(adjoint)}`);
    });

    it(`counts no fewer steps taken again for ${name} than its plan takes`, () => {
      const method = parseGradientMethod(typed(adjoint));
      let again = 0;
      for (const action of adjoint.plan?.(method, steps).actions() ?? []) {
        if (action.kind === "advance") again += action.to - action.from;
        if (action.kind === "reverse") again += Math.max(0, action.to - action.from - 1);
      }
      expect(adjoint.cost(method, steps).again).to.equal(again);
    });
  }

  it("refuses what is in it by no name", () => {
    const stored = { kind: "stored" } as unknown as GradientMethod;
    expect(() => adjointFor(stored)).to.throw(
      GradientMethodError,
      'There is no gradient "stored". Use one of reversible, direct, checkpoint, continuous (where it may be left to ' +
        "revort, auto), with checkpoint:8 for 8 stored states, reversible:100 for a stored state every 100 steps, or " +
        "continuous:seminorm for",
    );
  });
});
