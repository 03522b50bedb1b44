/**
 * Sends the copy what it lacks, batch by batch. Debits go on while a batch is on its way, and only what was sent leaves
 * the outbox.
 */
import { writeBatch } from "../../copy/write.ts";
import type { Ledger } from "../books/ledger.ts";
import type { Platform } from "../platform.ts";
import { confirmBatch, takeBatch } from "./projection.ts";

const MAX_BATCHES = 50;
/** The copy may be this far behind (rule R11). */
const SLOW_MS = 5_000;

export class Projector {
  /** The projection that is running, so that two never overlap. Losing it is harmless: a batch may be written twice. */
  #running: Promise<void> | null = null;

  constructor(
    readonly ledger: Ledger,
    readonly platform: Platform,
    /** Called when a projection is done or has failed: what is left, or came in meanwhile, needs another one. */
    readonly onFinished: () => void,
  ) {}

  /** Sends everything that the copy lacks, or waits for the projection that is running. */
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
