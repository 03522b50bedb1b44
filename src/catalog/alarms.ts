/**
 * The catalog's single alarm, shared by what it has to do later. Each task says when it is due; the alarm is set to the
 * first of them.
 */
import type { AtMs } from "../ledger/time.ts";

type CatalogTask = {
  /** Returns when the task is due; null if it has nothing to do. Read from storage. */
  nextDueAtMs(): AtMs | null;
  /** Does what is due. What it leaves is due again. Does not throw. */
  run(): Promise<void>;
};

/** After an alarm, the next one is at least this much later, so that other calls of the catalog run in between. */
const PAUSE_MS = 10;

export class CatalogAlarm {
  constructor(
    readonly storage: DurableObjectStorage,
    readonly tasks: readonly CatalogTask[],
  ) {}

  /** Sets the alarm to when the first task is due. Call this after every change of what is due. */
  schedule(pauseMs = 0): void {
    const due = this.tasks.flatMap((task) => task.nextDueAtMs() ?? []);
    if (due.length > 0) void this.storage.setAlarm(Math.max(Math.min(...due), Date.now() + pauseMs));
  }

  async run(): Promise<void> {
    const nowMs = Date.now();
    try {
      for (const task of this.tasks) if ((task.nextDueAtMs() ?? Number.POSITIVE_INFINITY) <= nowMs) await task.run();
    } finally {
      this.schedule(PAUSE_MS);
    }
  }
}
