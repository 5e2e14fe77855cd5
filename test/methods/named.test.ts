import { expect } from "chai";
import { DampingError } from "../../src/methods/alf.js";
import { isReversible } from "../../src/methods/method.js";
import { methodNamed, SolverOptionError, solverNames, UnknownSolverError } from "../../src/methods/named.js";
import { CouplingError } from "../../src/methods/reversible.js";
import { tableaux } from "../../src/methods/tableaux.js";

describe("methodNamed", () => {
  it("gives each name the method of that name", () => {
    expect(solverNames).to.have.length(20);
    expect(new Set(solverNames).size).to.equal(20);
    for (const name of solverNames) {
      expect(name).to.match(/^[a-z0-9-]+$/);
      expect(methodNamed(name).name).to.equal(name);
    }
  });

  it("gives a tableau's method plain, or coupled where that or a coupling is asked for", () => {
    for (const { name } of tableaux) {
      expect(isReversible(methodNamed(name)), name).to.equal(false);
      expect(isReversible(methodNamed(name, { reversible: true })), name).to.equal(true);
      expect(methodNamed(name, { coupling: 0.9 }).coupling, name).to.equal(0.9);
    }
    expect(methodNamed("rk4", { reversible: true }).coupling).to.equal(0.999);
  });

  it("gives the other methods, which are reversible whether that is asked for or not", () => {
    for (const name of solverNames.slice(tableaux.length)) {
      expect(isReversible(methodNamed(name, { reversible: false })), name).to.equal(true);
      expect(isReversible(methodNamed(name, { reversible: true })), name).to.equal(true);
    }
    expect(methodNamed("alf", { damping: 0.8 }).order).to.equal(1);
  });

  it("names all solvers and the nearest one where there is none of a name", () => {
    expect(() => methodNamed("dopri6")).to.throw(UnknownSolverError, 'did you mean "dopri5"?');
    for (const name of solverNames) expect(() => methodNamed("radau")).to.throw(UnknownSolverError, name);
    expect(() => methodNamed("radau-iia"))
      .to.throw(UnknownSolverError)
      .with.property("message")
      .not.match(/mean/);
  });

  it("refuses options that the solver does not have, or whose values are out of range", () => {
    expect(() => methodNamed("rk4", { damping: 1 })).to.throw(SolverOptionError, "rk4");
    expect(() => methodNamed("alf", { coupling: 0.9 })).to.throw(SolverOptionError, "alf");
    expect(() => methodNamed("rk4", { reversible: false, coupling: 0.9 })).to.throw(SolverOptionError);
    expect(() => methodNamed("rk4", { coupling: 2 })).to.throw(CouplingError);
    expect(() => methodNamed("alf", { damping: 0.5 })).to.throw(DampingError);
    expect(() => methodNamed("nothing", { damping: 1 })).to.throw(UnknownSolverError);
  });
});
