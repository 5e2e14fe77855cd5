import { expect } from "chai";
import { chanceOf } from "./chance.js";
import { compare } from "./compare.js";
import { fileMutant, finishedRun, useFile } from "./files.js";
import { ownModels, startingModels, untried } from "./models.js";
import { mutateModel } from "./mutate-model.js";
import { type Outcome, useModel } from "./use-model.js";

// A few hundred mutants; `npx tsx scripts/fuzz.ts` runs any number, in processes that are watched.

const seed = 1;

describe("mutants", () => {
  it("start from models that work, of every operator: each is a field that is solved", async () => {
    const starts = ownModels();
    expect(untried(starts)).to.deep.equal(["Constant"]);
    const stuck: string[] = [];
    for (const { name, bytes } of new Map(starts.map((start) => [start.name, start])).values()) {
      const { done, fault } = await useModel(bytes, true);
      if (fault !== null || !done.includes("solve")) stuck.push(`${name}: ${done} ${fault}`);
    }
    expect(stuck, stuck.join("\n")).to.deep.equal([]);
  });

  it("of models are taken, or refused by an error of revort's own", async () => {
    const starts = startingModels();
    const outcomes: Outcome[] = [];
    for (let index = 0; index < 250; index++) {
      const chance = chanceOf(seed, index);
      outcomes.push(await useModel(mutateModel(chance.of(starts), chance)));
    }
    const faults = outcomes.flatMap(({ fault }, index) => (fault === null ? [] : [`${index}: ${fault}`]));
    expect(faults, faults.join("\n")).to.deep.equal([]);
    // mutants that are all refused at once would show nothing
    const solved = outcomes.filter(({ done }) => done.includes("solve")).length;
    const refused = outcomes.filter(({ done }) => !done.includes("import")).length;
    expect(solved).to.be.above(20);
    expect(refused).to.be.above(100);
  });

  it("that run in ONNX Runtime, too, give what they give there", async () => {
    const starts = ownModels();
    const wrong: string[] = [];
    let compared = 0;
    for (let index = 0; index < 250; index++) {
      const chance = chanceOf(seed, index);
      const start = chance.of(starts);
      const found = await compare(mutateModel(start, chance, 1));
      if (found.kind === "agree") compared++;
      if (found.kind === "differ") wrong.push(`${index} (${start.name}): ${found.why}`);
    }
    expect(wrong, wrong.join("\n")).to.deep.equal([]);
    expect(compared).to.be.above(50);
  });

  it("of data, parameters and runs likewise", async () => {
    const run = await finishedRun();
    const faults: string[] = [];
    for (let index = 0; index < 80; index++) {
      const { kind, bytes } = fileMutant(chanceOf(seed, index), run);
      const { fault } = await useFile(kind, bytes, run);
      if (fault !== null) faults.push(`${index}: ${fault}`);
    }
    expect(faults, faults.join("\n")).to.deep.equal([]);
  });
});
