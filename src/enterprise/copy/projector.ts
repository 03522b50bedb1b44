/**
 * Sends changes to the copy in D1, batch by batch. Debits may commit while a batch is being written. They stay in the
 * outbox for the next batch.
 */
import { writeBatch } from "../../copy/write.ts";
import type { Ledger } from "../books/ledger.ts";
import type { Platform } from "../platform.ts";
import { confirmBatch, takeBatch } from "./projection.ts";

const MAX_BATCHES = 50;
/** Projections that take longer are logged: the copy may be at most this far behind (rule R11). */
const SLOW_MS = 5_000;

export class Projector {
  /**
   * The projection that is running, so that two never overlap. Losing this is harmless: a batch may be written twice.
   */
  #running: Promise<void> | null = null;

  constructor(
    readonly ledger: Ledger,
    readonly platform: Platform,
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
    const { clock, log } = platform;
    const startedMs = clock.realNowMs();
    try {
      for (let sent = 0; sent < MAX_BATCHES; sent++) {
        const batch = takeBatch(ledger);
        if (batch === null) return;
        await writeBatch(platform.copy, batch);
        confirmBatch(ledger, batch);
      }
    } finally {
      this.onFinished();
      const ms = clock.realNowMs() - startedMs;
      if (ms > SLOW_MS) log.warn({ event: "copy_slow", enterprise: ledger.identity.id, ms });
    }
  }
}
