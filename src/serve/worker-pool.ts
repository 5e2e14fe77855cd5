import { type SessionWorker, sessionWorker } from "./session-worker.js";

/** A place for a worker; when that has ended, another takes it. */
export interface Place {
  worker: SessionWorker;
  busy: boolean;
  /** sessions released in its worker */
  released: number;
}

/** Told that a worker was replaced, and why. */
export type Replaced = (reason: string) => void;

/** Sessions released in a worker before it is replaced: ONNX Runtime does not give all of their memory back. */
const mostReleased = 64;
/** Milliseconds between two workers that end as soon as they start. */
const rest = 1000;

/** Workers for sessions, so many at a time. */
export class WorkerPool {
  readonly places: readonly Place[];
  #closed = false;

  /** @param freed  told when there may be something to do for a place */
  constructor(
    count: number,
    readonly replaced: Replaced,
    readonly freed: () => void,
  ) {
    this.places = Array.from({ length: count }, () => ({
      worker: sessionWorker(),
      busy: false,
      released: 0,
    }));
    for (const place of this.places) this.#watch(place);
  }

  get busy(): number {
    return this.places.filter(({ busy }) => busy).length;
  }

  /** A place that has nothing to do. */
  idle(): Place | undefined {
    return this.places.find(({ busy, worker }) => !busy && worker.ready);
  }

  /** What a place did with its worker is done, however it went. */
  free(place: Place, worker: SessionWorker): void {
    if (place.worker !== worker) return;
    place.busy = false;
    if (place.released >= mostReleased) worker.end("it had released many sessions");
    this.freed();
  }

  /** Releases a session wherever it was opened. */
  release(key: string): void {
    for (const place of this.places) {
      if (!place.worker.opened.delete(key)) continue;
      place.released++;
      // of a worker that has ended it is gone already
      place.worker.ask({ kind: "close", key }).catch(() => {});
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all(
      this.places.map(({ worker }) => {
        worker.end("the server stops");
        return worker.ended;
      }),
    );
  }

  #watch(place: Place): void {
    const { worker } = place;
    const started = performance.now();
    worker.started.then(() => this.freed());
    worker.ended.then((reason) => {
      if (this.#closed) return;
      this.replaced(reason);
      // one that cannot even start is not tried without end
      const wait = performance.now() - started < rest ? rest : 0;
      setTimeout(() => this.#renew(place), wait);
    });
  }

  #renew(place: Place): void {
    if (this.#closed) return;
    Object.assign(place, { worker: sessionWorker(), busy: false, released: 0 });
    this.#watch(place);
  }
}
