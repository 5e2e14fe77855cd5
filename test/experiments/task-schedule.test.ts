import { readFileSync } from "node:fs";
import { expect } from "chai";
import { settingsFor } from "../../src/cli/tasks/settings.js";
import { taskScheduleOf, taskSchedules } from "../../src/experiments/task-schedule.js";
import { taskExperiments } from "../../src/experiments/tasks.js";
import { twoMoons } from "../../src/experiments/two-moons.js";
import { constant } from "../../src/learning/schedules.js";
import { refusal, run, scratch } from "../cli/command.js";

describe("the schedule of a protocol", () => {
  const folder = scratch();
  const factors = (steps: number) =>
    Array.from({ length: steps }, (_, k) => taskSchedules.cosine(steps).factor(k));

  it("by the cosine grows in the first twentieth of the updates, and falls from there to 0", () => {
    const all = factors(100);
    expect(all.slice(0, 6)).to.deep.equal([0.2, 0.4, 0.6, 0.8, 1, 1]);
    expect(all.slice(5).every((factor, k, rest) => k === 0 || factor < rest[k - 1]!)).to.equal(true);
    // half of the way between the sixth and the end: (1 + cos(π / 2 + π / 190)) / 2
    expect(all[53]).to.be.closeTo((1 - Math.sin(Math.PI / 190)) / 2, 1e-12);
    expect(all[99]).to.be.within(0, 1e-3);
  });

  it("is one of a few updates, too", () => {
    for (const steps of [1, 2, 3]) expect(factors(steps)[0]).to.equal(1);
  });

  it("stands before the experiment's own, which is taken where the protocol names none", () => {
    const own = () => constant();
    expect(taskScheduleOf({ schedule: own }, { schedule: "cosine" })).to.equal(taskSchedules.cosine);
    expect(taskScheduleOf({ schedule: own }, { schedule: null })).to.equal(own);
    expect(taskScheduleOf({ schedule: own }, {})).to.equal(own);
    expect(taskScheduleOf({}, {})).to.equal(undefined);
  });

  it("is the one that is asked for, of fields as of tasks", async () => {
    expect(settingsFor(twoMoons, { schedule: "constant" }, []).schedule).to.equal("constant");
    for (const [subject, isConstant] of [
      ["white-dwarf", true],
      ["hare-lynx", false],
    ] as const) {
      const losses = async (...words: string[]) => {
        const place = folder(`${subject} ${words.join(" ")}`);
        const { code, stderr } = await run(["train", subject, "--steps", "4", "--out", place, ...words]);
        expect(code, stderr).to.equal(0);
        return readFileSync(`${place}/losses.csv`, "utf8");
      };
      const own = await losses();
      const constantly = await losses("--schedule", "constant");
      expect(await losses("--schedule", "cosine")).to.not.equal(constantly);
      expect(own === constantly, "the protocol's own is constant").to.equal(isConstant);
    }
    const other = ["train", "--resume", folder("white-dwarf --schedule cosine"), "--steps", "5"];
    expect(await refusal(2, ...other, "--schedule", "constant")).to.include("keeps its settings");
    expect(await refusal(2, ...other, "--schedule", "linear")).to.include("--schedule takes");
  });

  it("is kept with a run, and is not that of the quick protocol with --full", () => {
    expect(settingsFor(twoMoons, {}, []).schedule).to.equal("cosine");
    expect(settingsFor(twoMoons, { full: true }, []).schedule).to.equal(null);
    const quick = taskExperiments.filter(({ protocol }) => protocol.schedule === "cosine");
    for (const { name, full } of quick) expect(full.schedule, name).to.equal(null);
  });
});
