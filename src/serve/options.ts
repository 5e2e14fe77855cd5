/** How much a server logs. */
export const logLevels = ["debug", "info", "warn", "error", "silent"] as const;

/** How a server serves. */
export interface ServeOptions {
  readonly host: string;
  /** 0 for any that is free */
  readonly port: number;
  /** what has to be shown with each request but those about health; `null` for nothing */
  readonly token: string | null;
  /** processes with sessions */
  readonly workers: number;
  /** requests that may wait for a worker */
  readonly queue: number;
  /** seconds that a request may take to come, to wait, and to be run, each */
  readonly timeout: number;
  /** bytes of a request */
  readonly body: number;
  /** rows at most that are put together from several requests for one run */
  readonly batch: number;
  /** seconds between two looks at the folder */
  readonly look: number;
  readonly logLevel: (typeof logLevels)[number];
}

/** Bytes of JSON in a request: reading it holds up everything else for some hundredths of a second. */
export const mostJson = 2 ** 21;
/** Connections at once. */
export const mostConnections = 1000;
