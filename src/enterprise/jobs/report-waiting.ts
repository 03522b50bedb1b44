/**
 * Reports to the catalog what waits for a price in this enterprise. The catalog then notifies this object about new prices,
 * and operators see what waits. An enterprise is listed before its object first answers that usage has no price. If the
 * catalog does not respond, the object answers nevertheless: the usage is stored, the alarm keeps trying, and when it
 * succeeds, it learns of the prices that were published meanwhile.
 */
import type { WaitingReport } from "../../catalog/waiting-report.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Ledger } from "../books/ledger.ts";
import { loadWaitingNames, loadWaitingState, noteSent, noteTried, noteVersion } from "../books/waiting.ts";
import type { Platform } from "../platform.ts";
import { within } from "../within.ts";
import { NEVER } from "./next-alarm.ts";

/** How many names a report lists, those with the most meters. */
const MAX_NAMES = 100;
const TIMEOUT_MS = 2_000;
const RETRY_MS = 10_000;

export class WaitingReporter {
  /** The call that is under way, which others wait for too. Losing it only costs another call. */
  #current: Promise<void> | null = null;

  constructor(
    readonly ledger: Ledger,
    readonly platform: Platform,
  ) {}

  /** Whether the catalog must know before usage without a price is answered. */
  get isUnlisted(): boolean {
    const { meters, listed } = loadWaitingState(this.ledger.sql);
    return meters > 0 && !listed;
  }

  /** Returns when a report is due, by the real clock; NEVER if it knows. */
  dueAtMs(): AtMs {
    const { revision, sent, triedAtMs, pauseMs } = loadWaitingState(this.ledger.sql);
    return revision <= sent ? NEVER : triedAtMs + pauseMs;
  }

  /** Sends a report if one is due. Throws if the catalog does not respond in time. */
  report(): Promise<void> {
    if (this.#current === null) {
      if (this.dueAtMs() > this.#nowMs()) return Promise.resolve();
      this.#current = this.#send().finally(() => {
        this.#current = null;
      });
    }
    return this.#current;
  }

  /** Notes that the catalog has a new version of the price book, and prices what waits. */
  pricesChanged(version: number): void {
    const { sql } = this.ledger;
    sql.transaction(() => {
      noteVersion(sql, version);
      this.ledger.startPricing();
    });
  }

  async #send(): Promise<void> {
    const { sql, id } = this.ledger;
    const { revision, meters } = loadWaitingState(sql);
    const report: WaitingReport = { enterprise: id, revision, meters, names: loadWaitingNames(sql, MAX_NAMES) };
    noteTried(sql, this.#nowMs(), RETRY_MS);
    const sent = this.platform.waitingUsage.report(report);
    const { version, pauseMs } = await within(this.platform.defer, TIMEOUT_MS, sent);
    sql.transaction(() => {
      noteTried(sql, this.#nowMs(), meters === 0 ? 0 : pauseMs);
      noteSent(sql, revision, meters > 0);
      // The usage was found to have no price in some version. It may be priced in a later one.
      if (noteVersion(sql, version)) this.ledger.startPricing();
    });
  }

  #nowMs(): AtMs {
    return this.platform.clock.realNowMs();
  }
}
