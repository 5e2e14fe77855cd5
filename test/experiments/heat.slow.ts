import { scratch } from "../cli/command.js";
import { missingModules } from "../support/python.js";
import { runsInPython, trainsEquation } from "./trained-equation.js";

describe("revort train heat", () => {
  const folder = scratch();

  it("learns its law from snapshots, holds it against the exact solution, and writes fields that run by themselves", function () {
    this.timeout(300_000);
    return trainsEquation("heat", "solutions", folder("heat"));
  });

  it("writes models that Python's onnxruntime runs", function () {
    const missing = missingModules("onnxruntime", "numpy");
    if (missing !== null) {
      console.log(`      skipped: ${missing}`);
      this.skip();
    }
    runsInPython(folder("heat"), "float64", [26]);
  });
});
