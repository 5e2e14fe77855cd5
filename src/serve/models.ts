import { type FoundFile, modelFiles } from "./folder.js";
import type { Description, ModelFile, Opened, SolveSetting } from "./messages.js";
import { badRequest, RequestError } from "./request-error.js";
import type { Scheduler } from "./scheduler.js";
import { SessionFailure } from "./session-worker.js";
import type { Served } from "./shared-run.js";

/** A model that answers. */
export interface ServedModel {
  readonly name: string;
  readonly version: string;
  readonly description: Description;
  readonly infer: Served;
  /** why its samples do not share runs, if they do not */
  readonly alone: string | null;
  /** The session for its solves. @throws {RequestError} where it has none */
  solver(setting: SolveSetting): Promise<Served>;
}

/** What there is to say of a name. */
export interface ModelState {
  readonly name: string;
  readonly path: string;
  readonly state: "READY" | "LOADING" | "UNAVAILABLE";
  /** why it is not available, or why what it has become is not served */
  readonly reason: string;
}

export interface ModelEvents {
  readonly loaded: (name: string, model: ServedModel) => void;
  readonly unloaded: (name: string) => void;
  readonly failed: (name: string, reason: string) => void;
}

interface Entry {
  file: FoundFile;
  model: (ServedModel & { keys: string[] }) | null;
  reason: string;
  loading: boolean;
}

/** There is one version of each model: the file as it is now. */
export const onlyVersion = "1";

/** The model that a session is of. */
export function modelOfKey(key: string): string {
  return /^(.*)#\d+/s.exec(key)?.[1] ?? key;
}

/** Ways to solve that are kept open for a model. */
const mostSolvers = 8;

/** The models of a folder, which follow its files. */
export class Models {
  readonly #entries = new Map<string, Entry>();
  #generation = 0;
  #looking: Promise<void> = Promise.resolve();

  constructor(
    readonly folder: string,
    readonly scheduler: Scheduler,
    readonly events: ModelEvents,
  ) {}

  get states(): ModelState[] {
    return [...this.#entries.values()].map(({ file, model, reason, loading }) => ({
      ...{ name: file.name, path: file.path, reason },
      state: model !== null ? "READY" : loading ? "LOADING" : "UNAVAILABLE",
    }));
  }

  /** @throws {RequestError} 404 for a model that there is not, 503 for one that is being loaded or cannot be */
  named(name: string, version?: string): ServedModel {
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      const names = [...this.#entries.keys()].sort().slice(0, 20).join(", ");
      throw new RequestError(
        404,
        `There is no model ${JSON.stringify(name.slice(0, 80))}; there are: ${names || "none"}.`,
      );
    }
    if (version !== undefined && version !== onlyVersion)
      throw new RequestError(404, `The model ${JSON.stringify(name)} has the version ${onlyVersion} alone.`);
    if (entry.model !== null) return entry.model;
    if (entry.loading)
      throw new RequestError(503, `The model ${JSON.stringify(name)} is being loaded.`, {
        "retry-after": "1",
      });
    throw new RequestError(503, `The model ${JSON.stringify(name)} cannot be served: ${entry.reason}`, {
      "retry-after": "10",
    });
  }

  /** Looks at the folder, and loads and unloads what has changed. */
  look(): Promise<void> {
    // whatever was wrong before is not wrong with this look
    this.#looking = this.#looking.catch(() => {}).then(() => this.#look());
    return this.#looking;
  }

  async #look(): Promise<void> {
    const files = await modelFiles(this.folder).catch(() => null);
    // a folder that cannot be read for a moment (a mount, say) is no order to forget everything
    if (files === null) return;
    const names = new Set(files.map(({ name }) => name));
    for (const name of [...this.#entries.keys()]) if (!names.has(name)) this.#unload(name);
    for (const file of files) {
      const known = this.#entries.get(file.name);
      if (known?.file.signature === file.signature && known.file.path === file.path) {
        if (known.file.problem === file.problem) continue;
      }
      await this.#load(file, known);
    }
  }

  async #load(file: FoundFile, known: Entry | undefined): Promise<void> {
    const { name, path, problem } = file;
    const entry: Entry = { file, model: known?.model ?? null, reason: "", loading: true };
    this.#entries.set(name, entry);
    try {
      if (problem !== null) throw new SessionFailure(problem, "twins");
      const model = await this.#open(name, { path, signature: file.signature });
      const before = entry.model;
      entry.model = model;
      this.events.loaded(name, model);
      if (before !== null) this.#retire(before.keys);
    } catch (cause) {
      entry.reason = (cause as Error).message;
      this.events.failed(name, entry.reason);
    }
    entry.loading = false;
  }

  #unload(name: string): void {
    const { model } = this.#entries.get(name)!;
    this.#entries.delete(name);
    if (model !== null) this.#retire(model.keys);
    this.events.unloaded(name);
  }

  #retire(keys: readonly string[]): void {
    for (const key of keys) void this.scheduler.retire(key);
  }

  async #open(name: string, file: ModelFile): Promise<ServedModel & { keys: string[] }> {
    const { scheduler } = this;
    const description = await scheduler.ask<Description>({ kind: "describe", file });
    const generation = ++this.#generation;
    const keys: string[] = [];
    const served = async (
      solve: SolveSetting | null,
      rowInputs: readonly string[] | null,
    ): Promise<Served> => {
      const key = `${name}#${generation}${solve === null ? "" : JSON.stringify(solve)}`;
      const source = { file, solve };
      const { tile } = await scheduler.ask<Opened>({ kind: "open", key, source, rowInputs });
      keys.push(key);
      return { key, source, rowInputs: rowInputs ?? [], tile };
    };
    const { rows, field } = description;
    const isShared = "reason" in rows ? null : rows;
    const infer = await served(null, isShared);
    const untried = "rows beside a sample change its answer, or a run takes so long that nothing is gained";
    const solvers = new Map<string, Promise<Served>>();
    return {
      ...{ name, version: onlyVersion, description, infer, keys },
      alone: "reason" in rows ? rows.reason : infer.tile === null ? untried : null,
      solver(setting) {
        if (description.kind === "solve") return Promise.resolve({ ...infer, tile: null, rowInputs: ["y0"] });
        if ("reason" in field)
          throw badRequest(`The model ${JSON.stringify(name)} cannot be solved: ${field.reason}`);
        const key = JSON.stringify(setting);
        const open = () =>
          served(setting, !setting.adaptive && typeof field.state[0] === "string" ? ["y0"] : null);
        const known = solvers.get(key) ?? open().catch(refused);
        solvers.delete(key);
        solvers.set(key, known);
        known.catch(() => solvers.delete(key));
        const [oldest] = solvers;
        if (solvers.size > mostSolvers) {
          solvers.delete(oldest![0]);
          oldest![1].then(({ key: old }) => scheduler.retire(old));
        }
        return known.then((found) => (setting.adaptive ? { ...found, rowInputs: ["y0"] } : found));
      },
    };
  }
}

/** What a solver has against what it is to solve is the fault of who asks for it. */
function refused(cause: Error): never {
  throw cause instanceof SessionFailure ? badRequest(cause.message) : cause;
}
