/**
 * Sends changes to the copy in D1, portion by portion, each in one or several batches. Debits may commit while a portion
 * is gathered or written. They stay in the outbox for the next one. Portions and batches get smaller while D1 fails, and
 * rarer while it is slow.
 */
import type { AtMs } from "../../ledger/time.ts";
import type { Ledger } from "../books/ledger.ts";
import type { Platform } from "../platform.ts";
import type { CopyWriter } from "./copy-writer.ts";
import type { Portion } from "./portion.ts";
import { confirmBatch, copyIsBehind, MAX_RUNS, nextPortion, takeBatch } from "./projection.ts";

const MAX_BATCHES = 50;
/** A portion with this many changes is gathered in many slices. */
const MAX_ITEMS = 20_000;
/** Gathering this many changes blocks the Durable Object for about a millisecond. */
const SLICE_ITEMS = 250;
const SLICE_REST_MS = 1;
/** Storing this many totals, and writing them to D1, takes a few milliseconds each. */
const MAX_TOTALS = 400;
/** Far behind, a portion may have twice as many totals. All are stored in one turn: with 16 times as many, it takes 125 ms. */
const MAX_TOTALS_FACTOR = 2;
/** A portion with this many runs is sent in several batches. */
const MAX_PORTION_RUNS = 500;
/** After this many batches in a row, the copy is far behind. Batches then may have twice as many runs, and so on. */
const SMALL_BATCHES = 5;
const MAX_DOUBLINGS = 4;
/** Between two batches, the object and D1 serve others for three times as long as the first took, up to MAX_REST_MS. */
const REST_FACTOR = 3;
const MAX_REST_MS = 100;
/** Portions that take longer are logged: the copy may be at most this far behind (rule R11). */
const SLOW_MS = 5_000;
/** After a write that took longer, D1 gets a pause as long as the write, up to MAX_PAUSE_MS. */
const SLOW_WRITE_MS = 500;
const MAX_PAUSE_MS = 10_000;

export class Projector {
  /** When D1 may be written again, by the real clock. Losing this is harmless: a new instance begins without a pause. */
  notBeforeMs = 0;
  /** How many items the next batch may have. In memory only: a new instance begins with the most. */
  #maxItems = MAX_ITEMS;
  /** Whether the last write was slow. In memory only, like the above. */
  #isSlow = false;
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
    const { clock } = platform;
    let portionStartedMs = clock.realNowMs();
    try {
      let portion: Portion | null = null;
      for (let sent = 0; sent < MAX_BATCHES; sent++) {
        const factor = 2 ** Math.min(MAX_DOUBLINGS, Math.floor(sent / SMALL_BATCHES));
        const current = (portion ??= await this.#gather(factor));
        const batchStartedMs = clock.realNowMs();
        const result = await this.writer.inTurn(() => this.#sendNext(current, MAX_RUNS * factor));
        if (result === "end") return;
        const batchEndedMs = clock.realNowMs();
        if (result === "next portion") {
          this.#logIfSlow(portionStartedMs);
          portion = null;
          portionStartedMs = batchEndedMs;
        }
        if (this.notBeforeMs > batchEndedMs || (portion === null && !copyIsBehind(ledger))) return;
        // Calls that arrived meanwhile go first.
        await this.#rest(Math.min(MAX_REST_MS, REST_FACTOR * Math.max(0, batchEndedMs - batchStartedMs)));
      }
    } finally {
      this.onFinished();
      this.#logIfSlow(portionStartedMs);
    }
  }

  /** A busy enterprise sends many portions in a row, so the time of all of them says nothing about D1. */
  #logIfSlow(portionStartedMs: AtMs): void {
    const { ledger, platform } = this;
    const ms = platform.clock.realNowMs() - portionStartedMs;
    if (ms > SLOW_MS) platform.log.warn({ event: "copy_slow", enterprise: ledger.id, ms });
  }

  /** Gathers the next portion of the outbox, slice by slice. */
  async #gather(factor: number): Promise<Portion> {
    // A slow write is the last one before a pause. If it ended no portion, new runs could delay the totals for ever.
    const maxRuns = this.#isSlow ? MAX_RUNS : MAX_PORTION_RUNS;
    const totals = MAX_TOTALS * Math.min(MAX_TOTALS_FACTOR, factor);
    const limits = { items: this.#maxItems, runs: maxRuns * factor, totals };
    const portion = nextPortion(this.ledger, limits);
    while (portion.gather(SLICE_ITEMS)) await this.#rest(SLICE_REST_MS);
    return portion;
  }

  #rest(ms: number): Promise<void> {
    return new Promise((resolve) => this.platform.defer(resolve, ms));
  }

  /** Sends the next batch of a portion. Returns what comes next; "end" if there is nothing to send now. */
  async #sendNext(portion: Portion, maxRuns: number): Promise<"this portion" | "next portion" | "end"> {
    const { ledger, platform, writer } = this;
    const { clock } = platform;
    const startedMs = clock.realNowMs();
    const limit = Math.min(maxRuns, this.#maxItems);
    const batch = takeBatch(ledger, portion, limit);
    if (batch === null) return portion.lastSeq > 0 ? "next portion" : "end";
    try {
      const head = await writer.write(batch, () => confirmBatch(ledger, batch));
      this.#maxItems = Math.min(MAX_ITEMS, this.#maxItems * 2);
      if (head === null) return "end";
      // Some may have no row any more.
      for (const run of portion.nextRuns(limit)) portion.runs.delete(run);
      return batch.outboxSeq < portion.lastSeq ? "this portion" : "next portion";
    } catch (error) {
      this.#maxItems = Math.ceil(Math.min(this.#maxItems, portion.items || 1) / 2);
      throw error;
    } finally {
      const nowMs = clock.realNowMs();
      const tookMs = nowMs - startedMs;
      this.#isSlow = tookMs > SLOW_WRITE_MS;
      if (this.#isSlow) this.notBeforeMs = nowMs + Math.min(tookMs, MAX_PAUSE_MS);
    }
  }
}
