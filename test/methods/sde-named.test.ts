import { expect } from "chai";
import { methodNamed, ofItoAlone, UnknownSolverError } from "../../src/methods/named.js";
import { CalculusError } from "../../src/methods/sde-method.js";
import { sdeMethodFor, sdeMethodNamed, sdeMethodNames } from "../../src/methods/sde-named.js";

const general = { calculus: "stratonovich", noise: "general" } as const;

describe("sdeMethodFor", () => {
  it("gives each method of the calculus, plain or coupled", () => {
    for (const name of sdeMethodNames.filter((one) => sdeMethodNamed(one).calculus === "stratonovich")) {
      expect(sdeMethodFor(name, general, "a model").name).to.equal(name);
    }
    expect(sdeMethodFor("heun", general, "a model", { coupling: 0.9 }).coupling).to.equal(0.9);
    expect(sdeMethodFor("lawson:heun:-50", general, "a model").calculus).to.equal("stratonovich");
    for (const name of ["euler-maruyama", "milstein"]) {
      expect(sdeMethodFor(name, { calculus: "ito", noise: "diagonal" }, "a model").name).to.equal(name);
    }
  });

  it("gives any method where noise is additive, which is the same in both calculi", () => {
    for (const calculus of ["ito", "stratonovich"] as const) {
      for (const name of sdeMethodNames) {
        expect(sdeMethodFor(name, { calculus, noise: "additive" }, "a model").name).to.equal(name);
      }
    }
  });

  for (const [name, kind, why] of [
    [
      "euler-maruyama",
      general,
      /of a model are of Stratonovich, with general noise.*"euler-maruyama" is of Itô/,
    ],
    ["milstein", general, /"milstein" takes scalar, diagonal, additive noise alone/],
    ["euler", general, /"euler" has order 1, and tends to no solution of Stratonovich/],
    ["alf", general, /"alf" keeps what belongs to the noise of the step before/],
    ["lawson:euler:-1", general, /has order 1/],
    [
      "heun",
      { calculus: "ito", noise: "diagonal" },
      /are of Itô, with diagonal noise.*"heun" is of Stratonovich/,
    ],
    ["milstein", { calculus: "ito", noise: "general" }, /takes scalar, diagonal, additive noise alone/],
  ] as const) {
    it(`says why ${name} is none for ${kind.calculus} with ${kind.noise} noise, and names those that are`, () => {
      const refused = () => sdeMethodFor(name, kind, "a model");
      expect(refused).to.throw(CalculusError, why);
      const those = sdeMethodNames.filter((other) => {
        const { calculus, noises } = sdeMethodNamed(other);
        return calculus === kind.calculus && noises.includes(kind.noise);
      });
      expect(refused).to.throw(`Take ${those.join(", ")}`);
    });
  }

  it("names the solvers that go, and the nearest, for a name that none has", () => {
    expect(() => sdeMethodFor("reversible-huen", general, "a model"))
      .to.throw(UnknownSolverError, 'did you mean "reversible-heun"?')
      .with.property("message")
      .that.does.not.include("milstein");
  });
});

describe("solvers of Itô", () => {
  it("are known to those of ordinary equations, which refuse them as such", () => {
    const ito = sdeMethodNames.filter((name) => sdeMethodNamed(name).calculus === "ito");
    expect([...ofItoAlone]).to.have.members(ito);
    for (const name of ito) {
      expect(() => methodNamed(name)).to.throw(
        UnknownSolverError,
        "is for stochastic equations of Itô alone",
      );
    }
  });
});
