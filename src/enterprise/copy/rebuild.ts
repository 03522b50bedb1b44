/**
 * Deletes the copy of this enterprise and writes it again. That a rebuild was asked for is stored first, so one that
 * fails or is cut off starts again by the alarm.
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
  /** The latest rebuild that this instance has started. Losing it is harmless: storage says that one is owed. */
  #latest: Promise<number> | null = null;

  constructor(
    readonly ledger: Ledger,
    readonly platform: Platform,
    readonly projector: Projector,
  ) {}

  /** True from the request for a rebuild until one that started later is done. Durable. */
  get owed(): boolean {
    const { sql } = this.ledger;
    return getProgress(sql, "rebuild_asked") > getProgress(sql, "rebuilt");
  }

  get running(): boolean {
    return this.#latest !== null;
  }

  /** Stores that a rebuild is owed. */
  request(): void {
    nextRevision(this.ledger.sql, "rebuild_asked");
  }

  /** Rebuilds, after the rebuild that is running if there is one; returns how many batches that took. */
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
      // A large history takes minutes: what is charged meanwhile does not wait for the end of the rebuild.
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
      // A ledger that was restored to an earlier time may be behind its copy, whose rows must not win over the new ones.
      setProgress(ledger.sql, "copy", Math.max(head ?? 0, getProgress(ledger.sql, "copy")));
      await deleteCopy(platform.copy, id, head);
      head = await readHead(platform.copy, id);
    }
  }
}
