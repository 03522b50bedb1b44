/**
 * Deletes this enterprise's copy in D1 and writes it again. The request for a rebuild is stored first, so the alarm can
 * restart a rebuild that fails or is cut off.
 */
import { CopyBusy } from "../../copy/copy-busy.ts";
import { deleteCopy, readHead, writeBatch } from "../../copy/write.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress, nextRevision, setProgress } from "../books/progress.ts";
import type { Platform } from "../platform.ts";
import type { Projector } from "./projector.ts";
import { snapshotBatches } from "./snapshot.ts";

const MAX_DELETIONS = 5;

export class Rebuilder {
  /** The latest rebuild that this instance has started. Losing this is harmless: the request for it is in storage. */
  #latest: Promise<number> | null = null;

  constructor(
    readonly ledger: Ledger,
    readonly platform: Platform,
    readonly projector: Projector,
  ) {}

  /** Whether a rebuild was requested and no rebuild that started after the request has finished. Read from storage. */
  get owed(): boolean {
    const { sql } = this.ledger;
    return getProgress(sql, "rebuild_asked") > getProgress(sql, "rebuilt");
  }

  get running(): boolean {
    return this.#latest !== null;
  }

  /** Stores a request for a rebuild. */
  request(): void {
    nextRevision(this.ledger.sql, "rebuild_asked");
  }

  /** Rebuilds the copy and returns the number of batches. If a rebuild is running, waits for it to end first. */
  async rebuild(): Promise<number> {
    const before = this.#latest ?? Promise.resolve(0);
    const next = before.then(
      () => this.#rebuildAll(),
      () => this.#rebuildAll(),
    );
    this.#latest = next;
    try {
      return await next;
    } finally {
      if (this.#latest === next) this.#latest = null;
    }
  }

  async #rebuildAll(): Promise<number> {
    const { ledger, platform, projector } = this;
    ledger.settle();
    const asked = getProgress(ledger.sql, "rebuild_asked");
    await this.#deleteCopy();
    let batches = 0;
    for (const batch of snapshotBatches(ledger)) {
      await writeBatch(platform.copy, batch);
      batches += 1;
      // Rebuilding a large history takes minutes. New charges must reach the copy before that.
      await projector.project();
    }
    setProgress(ledger.sql, "rebuilt", Math.max(asked, getProgress(ledger.sql, "rebuilt")));
    return batches;
  }

  async #deleteCopy(): Promise<void> {
    const { ledger, platform } = this;
    const { id } = ledger.identity;
    let head = await readHead(platform.copy, id);
    for (let deletions = 0; deletions === 0 || head !== null; deletions++) {
      if (deletions === MAX_DELETIONS) throw new CopyBusy();
      // If the ledger was restored to an earlier time, the copy may have higher revisions. Continue from the higher
      // one, so that old rows in the copy do not win over new ones.
      setProgress(ledger.sql, "copy", Math.max(head ?? 0, getProgress(ledger.sql, "copy")));
      await deleteCopy(platform.copy, id, head);
      head = await readHead(platform.copy, id);
    }
  }
}
