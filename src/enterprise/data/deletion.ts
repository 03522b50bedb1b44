/**
 * Deletes one enterprise: closes its sockets, deletes its copy in D1 page by page, and last everything in its object. The
 * catalog calls this until it is done. From the first call on, the object answers every other call as if the enterprise
 * did not exist, also in a new instance. It may run in an object that is already empty.
 */
import { COPY_TABLES, closeCopy, deleteHead, deletePage } from "../../copy/delete-copy.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Ledger } from "../books/ledger.ts";
import type { CopyWriter } from "../copy/copy-writer.ts";
import type { Platform } from "../platform.ts";
import { CLOSE_UNAUTHORIZED } from "../sockets/sockets.ts";

/** How many pages of the copy one call deletes. */
const PAGES_PER_CALL = 20;
/** D1 gives up a statement after 30 seconds. A write whose result is unknown can arrive until then. */
const LATE_WRITE_MS = 35_000;

/** `done` means that the copy is deleted, and that the object's storage may be. */
export type DeletionStep = { done: boolean; pauseMs: number };

export class Deletion {
  /** The call that is running, so that two never overlap. Losing it is harmless: each call starts over. */
  #running: Promise<DeletionStep> | null = null;
  /** Whether this instance began the deletion, so that it knows of every write under way. */
  #begunHere = false;

  constructor(
    readonly ledger: Ledger,
    readonly platform: Platform,
    readonly writer: CopyWriter,
  ) {}

  /** Does a part of the deletion. Throws if D1 cannot be reached; then call it again. */
  step(enterprise: string): Promise<DeletionStep> {
    this.#running ??= this.#step(enterprise).finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #step(enterprise: string): Promise<DeletionStep> {
    const { ledger, platform, writer } = this;
    if (ledger.provisioned) {
      ledger.beginDeletion();
      this.#begunHere = true;
    }
    for (const socket of platform.sockets.all()) socket.close(CLOSE_UNAUTHORIZED, "enterprise deleted");
    // A write that is under way ends first. What follows it writes nothing.
    await writer.inTurn(async () => {});
    // The copy is in one database, but a listing or the rest of a move may be in others. An object that is already
    // empty does not know where its copy was.
    const databases = platform.shards().map((shard) => platform.database(shard));
    for (const database of databases) await closeCopy(database, enterprise);
    let pages = 0;
    for (const database of databases) {
      for (let table = 0; table < COPY_TABLES.length; table++) {
        while (await deletePage(database, enterprise, table)) {
          pages += 1;
          if (pages >= PAGES_PER_CALL) return { done: false, pauseMs: 0 };
        }
      }
    }
    const pauseMs = this.#quietAtMs() - platform.clock.realNowMs();
    if (pauseMs > 0) return { done: false, pauseMs };
    for (const database of databases) await deleteHead(database, enterprise);
    return { done: true, pauseMs: 0 };
  }

  /** Returns when no write of this object can reach D1 any more. Until then the closed head must stay. */
  #quietAtMs(): AtMs {
    const { failedAtMs } = this.writer;
    // An instance that did not begin the deletion does not know which writes an earlier one had under way.
    const begunAtMs = this.#begunHere ? null : this.ledger.deletionBegunAtMs;
    return Math.max(failedAtMs ?? 0, begunAtMs ?? 0) + LATE_WRITE_MS;
  }
}
