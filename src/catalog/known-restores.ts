/**
 * Which enterprises are being restored, as one isolate knows it. The list is at most 30 seconds old, and a restore begins a
 * minute after it was listed. If the list cannot be read, the last one stays in use; an isolate that has never read one
 * refuses calls. It has no Workers types, so that tests run it in Node.
 */
import type { AtMs } from "../ledger/time.ts";
import { within } from "./within.ts";

const MAX_AGE_MS = 30_000;
const RENEW_AGE_MS = 20_000;
/** How long a request waits for the list, and for how long the last list stays in use after a failure. */
const LIMIT_MS = 1_000;
/** How long a request waits in an isolate that has no list yet. */
const FIRST_LIMIT_MS = 10_000;
const LOG_EVERY_MS = 60_000;
const MAX_LOGGED = 1_000;

type ReadList = () => Promise<readonly string[]>;

/** The message starts with the name that isTransient recognizes, because RPC keeps only the message. */
class Restoring extends Error {
  constructor(why: string) {
    super(`LedgerBusy: ${why}`);
  }
}

export class KnownRestores {
  #listed: ReadonlySet<string> = new Set();
  /** When the list was last read; null before the first time. */
  #readAtMs: AtMs | null = null;
  #failedAtMs: AtMs | null = null;
  #renewalStartedAtMs: AtMs = 0;

  constructor(readonly nowMs: () => AtMs) {}

  /** Throws if this enterprise is being restored, or if this isolate could not find out yet. */
  refuse(enterprise: string): void {
    if (this.#listed.has(enterprise)) throw new Restoring(`${enterprise} is being restored`);
    if (this.#readAtMs === null && this.#failedAtMs !== null) {
      throw new Restoring("the list of restores could not be read");
    }
  }

  /** Notes that the restore of an enterprise was listed by this isolate. */
  note(enterprise: string): void {
    this.#listed = new Set([...this.#listed, enterprise]);
  }

  /** Reads the list if it is too old. Renews it in the background before then, so a request rarely waits. */
  async renew(readList: ReadList, waitUntil: (work: Promise<unknown>) => void): Promise<void> {
    const nowMs = this.nowMs();
    const ageMs = nowMs - (this.#readAtMs ?? Number.NEGATIVE_INFINITY);
    if (ageMs < RENEW_AGE_MS) return;
    if (ageMs < MAX_AGE_MS) {
      if (nowMs - this.#renewalStartedAtMs < LIMIT_MS) return;
      this.#renewalStartedAtMs = nowMs;
      waitUntil(this.#read(readList, LIMIT_MS));
    } else if (this.#readAtMs === null) {
      await this.#read(readList, FIRST_LIMIT_MS);
    } else if (nowMs - (this.#failedAtMs ?? 0) >= LIMIT_MS) {
      // Each request reads the list itself. It must not go on with an old list while another request reads the new one,
      // and a promise of another request may never resolve.
      await this.#read(readList, LIMIT_MS);
    }
  }

  async #read(readList: ReadList, limitMs: number): Promise<void> {
    try {
      this.#listed = new Set(await within(limitMs, readList));
      this.#readAtMs = this.nowMs();
    } catch (error) {
      this.#failedAtMs = this.nowMs();
      console.error(JSON.stringify({ event: "restores_not_read", error: String(error) }));
    }
  }
}

/** Decides which refused calls an isolate logs: during a restore, agents repeat their calls for minutes. */
export class RefusalLog {
  /** When a call of each enterprise was last logged. Losing this only costs further lines. */
  readonly #loggedAtMs = new Map<string, AtMs>();

  /** Whether to log this error. Of the calls that a restore refuses, that is one per enterprise and minute. */
  shouldLog(error: Error, enterprise: string, nowMs: AtMs): boolean {
    if (!(error instanceof Restoring)) return true;
    const lastMs = this.#loggedAtMs.get(enterprise);
    if (lastMs !== undefined && nowMs - lastMs < LOG_EVERY_MS) return false;
    if (this.#loggedAtMs.size >= MAX_LOGGED) this.#loggedAtMs.clear();
    this.#loggedAtMs.set(enterprise, nowMs);
    return true;
  }
}
