import { allowFusedMultiplyAdd } from "../runtimes/relaxed-simd.js";
import { described } from "./description.js";
import { type Description, hello, type Message, type Opened, type Reply, type Request } from "./messages.js";
import { exampleOf, fileSession, openSession, type Session } from "./sessions.js";
import { solveRows } from "./solve-rows.js";
import { tileOf } from "./tile.js";

// The process in which sessions run: one request after the other. `session.run` blocks its process, and nothing else.

allowFusedMultiplyAdd();
const sessions = new Map<string, Session>();

async function answer(request: Request): Promise<unknown> {
  switch (request.kind) {
    case "describe": {
      const session = await fileSession(request.file);
      const { inputs, outputs } = session;
      await session.release();
      return { inputs, outputs, ...(await described(request.file)) } satisfies Description;
    }
    case "open": {
      const { key, source, rowInputs } = request;
      const session = await openSession(source);
      const { inputs, outputs, runtime } = session;
      const tile = rowInputs === null ? null : await tileFor(session, source.solve !== null, rowInputs);
      sessions.set(key, session);
      return { inputs, outputs, tile, runtime } satisfies Opened;
    }
    case "run":
      return sessions.get(request.key)!.run(request.feeds);
    case "solve":
      return solveRows(sessions.get(request.key)!.run, request.feeds, request.tile);
    case "close":
      await sessions.get(request.key)?.release();
      sessions.delete(request.key);
      return;
  }
}

async function tileFor(
  session: Session,
  isSolve: boolean,
  rowInputs: readonly string[],
): Promise<number | null> {
  if (!isSolve) return tileOf(session.run, session.inputs, rowInputs);
  const { y0: _, ...given } = exampleOf(session, false);
  const run = (feeds: Parameters<Session["run"]>[0]) => solveRows(session.run, feeds, 1);
  return tileOf(run, session.inputs, rowInputs, given);
}

let last: Promise<void> = Promise.resolve();
process.on("message", ({ id, request }: Message) => {
  last = last.then(async () => {
    let reply: Reply;
    try {
      reply = { id, result: await answer(request) };
    } catch (cause) {
      const error = cause as Error;
      reply = { id, failure: { name: error.constructor.name, message: error.message } };
    }
    process.send!(reply);
  });
});
process.send!({ id: hello } satisfies Reply);
// the server ends its workers itself when it has answered; a terminal sends Ctrl-C to all of them
process.on("SIGINT", () => {});
process.on("SIGTERM", () => {});
process.on("disconnect", () => process.exit());
