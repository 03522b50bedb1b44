/**
 * Sends changes to the copy in D1, batch by batch. Debits may commit while a batch is being written. They stay in the
 * outbox for the next batch. Batches get smaller while D1 fails, and rarer while it is slow.
 */
import type { Ledger } from "../books/ledger.ts";
import type { Platform } from "../platform.ts";
import type { CopyWriter } from "./copy-writer.ts";
import { confirmBatch, copyIsBehind, MAX_ITEMS, MAX_RUNS, takeBatch } from "./projection.ts";

const MAX_BATCHES = 50;
/** After this many batches in a row, the copy is far behind. Batches then may have twice as many runs, and so on. */
const SMALL_BATCHES = 5;
const MAX_DOUBLINGS = 4;
/** Between two batches, the object and D1 serve others for three times as long as the first took, up to MAX_REST_MS. */
const REST_FACTOR = 3;
const MAX_REST_MS = 100;
/** Projections that take longer are logged: the copy may be at most this far behind (rule R11). */
const SLOW_MS = 5_000;
/** After a write that took longer, D1 gets a pause as long as the write, up to MAX_PAUSE_MS. */
const SLOW_WRITE_MS = 500;
const MAX_PAUSE_MS = 10_000;

export class Projector {
  /** When D1 may be written again, by the real clock. Losing this is harmless: a new instance begins without a pause. */
  notBeforeMs = 0;
  /** How many items the next batch may have. In memory only: a new instance begins with the most. */
  #maxItems = MAX_ITEMS;
  /**
   * The projection that is running, so that two never overlap. Losing this is harmless: a batch may be written twice.
   */
  #running: Promise<void> | null = null;

  constructor(
    readonly ledger: Ledger,
    readonly platform: Platform,
    readonly writer: CopyWriter,
    /** Called when a projection has succeeded or failed. Remaining and newer changes need another projection. */
    readonly onFinished: () => void,
  ) {}

  /** Sends the changes that the copy lacks. If a projection is already running, waits for that one instead. */
  project(): Promise<void> {
    this.#running ??= this.#sendAll().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #sendAll(): Promise<void> {
    const { ledger, platform } = this;
    const { clock, defer, log } = platform;
    const startedMs = clock.realNowMs();
    try {
      for (let sent = 0; sent < MAX_BATCHES; sent++) {
        const batchStartedMs = clock.realNowMs();
        const maxRuns = MAX_RUNS * 2 ** Math.min(MAX_DOUBLINGS, Math.floor(sent / SMALL_BATCHES));
        if (!(await this.writer.inTurn(() => this.#sendNext(maxRuns)))) return;
        const batchEndedMs = clock.realNowMs();
        if (this.notBeforeMs > batchEndedMs || !copyIsBehind(ledger)) return;
        // Calls that arrived meanwhile go first.
        const restMs = Math.min(MAX_REST_MS, REST_FACTOR * Math.max(0, batchEndedMs - batchStartedMs));
        await new Promise<void>((resolve) => defer(resolve, restMs));
      }
    } finally {
      this.onFinished();
      const ms = clock.realNowMs() - startedMs;
      if (ms > SLOW_MS) log.warn({ event: "copy_slow", enterprise: ledger.id, ms });
    }
  }

  /** Sends the next batch. Returns whether there may be more to send now. */
  async #sendNext(maxRuns: number): Promise<boolean> {
    const { ledger, platform, writer } = this;
    const { clock } = platform;
    const startedMs = clock.realNowMs();
    const batch = takeBatch(ledger, this.#maxItems, maxRuns);
    if (batch === null) return false;
    try {
      const head = await writer.write(batch, () => confirmBatch(ledger, batch));
      this.#maxItems = Math.min(MAX_ITEMS, this.#maxItems * 2);
      return head !== null;
    } catch (error) {
      this.#maxItems = Math.ceil(this.#maxItems / 2);
      throw error;
    } finally {
      const nowMs = clock.realNowMs();
      const tookMs = nowMs - startedMs;
      if (tookMs > SLOW_WRITE_MS) this.notBeforeMs = nowMs + Math.min(tookMs, MAX_PAUSE_MS);
    }
  }
}
