import { arch, platform, release } from "node:os";
import { version } from "../../version.js";
import { type Section, tableOf } from "./page.js";

/** All settings of a run, as `run.json` has them; what is `null` was left out. */
export function settingsSection(settings: object): Section {
  const rows = Object.entries(settings).flatMap(([name, value]) =>
    value === null || (Array.isArray(value) && value.length === 0)
      ? []
      : [[name, typeof value === "object" ? JSON.stringify(value) : String(value)]],
  );
  return { title: "Settings", content: tableOf(rows) };
}

export function versionsSection(runtime: string): Section {
  return {
    title: "Versions",
    content: tableOf([
      ["revort", version],
      ["runtime", runtime],
      ["Node.js", process.version],
      ["system", `${platform()} ${release()}, ${arch()}`],
    ]),
  };
}
