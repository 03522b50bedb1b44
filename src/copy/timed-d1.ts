/**
 * A D1 database whose every call ends within a time limit. D1 sets no limit that a caller can rely on, and a call that
 * never ends would block whoever waits for it. A write that has exceeded the limit may still be applied later, so
 * writers must be idempotent.
 */

/** Runs `act` later; may return a function that cancels it. */
type Timer = (act: () => void, delayMs: number) => unknown;

/** RPC keeps only the message of an error, so the message starts with the error's name: isCopyError recognizes it. */
class CopyTimeout extends Error {
  constructor(limitMs: number) {
    super(`CopyTimeout: D1 has not answered within ${limitMs} ms`);
  }
}

/** Whether this error says that a call of D1 took too long. */
export function isTimeout(error: unknown): boolean {
  return error instanceof CopyTimeout;
}

const workerTimer: Timer = (act, delayMs) => {
  const timer = setTimeout(act, delayMs);
  return () => clearTimeout(timer);
};

/** Returns D1 with a time limit for each call. @param current returns the binding, which tests may replace. */
export function timedD1(current: () => D1Database, limitMs: number, timer: Timer = workerTimer): D1Database {
  const limited = <T>(call: () => Promise<T>) => withLimit(call, limitMs, timer);
  const database = {
    prepare: (text: string) => new TimedStatement(current().prepare(text), limited),
    batch: (statements: TimedStatement[]) =>
      limited(() => current().batch(statements.map((statement) => statement.inner))),
  };
  return database as unknown as D1Database;
}

type Limited = <T>(call: () => Promise<T>) => Promise<T>;

class TimedStatement {
  constructor(
    readonly inner: D1PreparedStatement,
    readonly limited: Limited,
  ) {}

  bind(...values: unknown[]): TimedStatement {
    return new TimedStatement(this.inner.bind(...values), this.limited);
  }

  all(): Promise<unknown> {
    return this.limited(() => this.inner.all());
  }

  run(): Promise<unknown> {
    return this.limited(() => this.inner.run());
  }

  raw(): Promise<unknown> {
    return this.limited(() => this.inner.raw());
  }

  first(column: string): Promise<unknown> {
    return this.limited(() => this.inner.first(column));
  }
}

async function withLimit<T>(call: () => Promise<T>, limitMs: number, timer: Timer): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const cancel = timer(() => reject(new CopyTimeout(limitMs)), limitMs);
  try {
    return await Promise.race([call(), promise]);
  } finally {
    if (typeof cancel === "function") cancel();
    // Without a handler, a limit that ends after the call would be an unhandled rejection.
    promise.catch(() => {});
  }
}
