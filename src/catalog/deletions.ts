/**
 * The enterprises that are being deleted, or were deleted in the last 35 days. The catalog drives each deletion: it calls
 * the enterprise's object until nothing is left, whatever fails meanwhile, and once more later, because a write may have
 * arrived after the end. Afterwards a row only blocks the id.
 */
import type { AtMs } from "../ledger/time.ts";

const BLOCKED_MS = 35 * 86_400_000;
const CHECK_AFTER_MS = 600_000;
const FIRST_PAUSE_MS = 1_000;
const MAX_PAUSE_MS = 60_000;
/** An alarm makes at most this many calls. The next alarm continues. */
const CALLS_PER_ALARM = 20;
const PRUNED_AT_ONCE = 100;

type DeletionRow = {
  enterprise: string;
  object_id: string;
  job: string;
  /** `ended` means that nothing is left, and only the last check follows. */
  state: "running" | "ended" | "checked";
  failures: number;
  due_at_ms: AtMs | null;
  begun_at_ms: AtMs;
};

export class Deletions {
  constructor(readonly sql: SqlStorage) {
    sql.exec(
      `CREATE TABLE IF NOT EXISTS deletions (enterprise TEXT PRIMARY KEY, object_id TEXT NOT NULL, job TEXT NOT NULL,
        state TEXT NOT NULL, failures INTEGER NOT NULL, due_at_ms INTEGER, begun_at_ms INTEGER NOT NULL) STRICT, WITHOUT ROWID`,
    );
    sql.exec("CREATE INDEX IF NOT EXISTS deletions_due ON deletions (due_at_ms) WHERE due_at_ms IS NOT NULL");
    sql.exec("CREATE INDEX IF NOT EXISTS deletions_by_age ON deletions (begun_at_ms)");
  }

  /** Whether this id was deleted less than 35 days ago, so that it cannot be created again. */
  isBlocked(enterprise: string, nowMs: AtMs): boolean {
    const found = "SELECT 1 FROM deletions WHERE enterprise = ? AND (begun_at_ms > ? OR state <> 'checked')";
    return this.sql.exec(found, enterprise, nowMs - BLOCKED_MS).toArray().length > 0;
  }

  /** Begins a deletion, which is due at once. Also forgets some deletions of more than 35 days ago. */
  begin({ enterprise, objectId, job }: { enterprise: string; objectId: string; job: string }, nowMs: AtMs): void {
    const old = "SELECT enterprise FROM deletions WHERE begun_at_ms <= ? AND state = 'checked' LIMIT ?";
    this.sql.exec(`DELETE FROM deletions WHERE enterprise IN (${old})`, nowMs - BLOCKED_MS, PRUNED_AT_ONCE);
    const row = "INSERT OR REPLACE INTO deletions VALUES (?, ?, ?, 'running', 0, ?, ?)";
    this.sql.exec(row, enterprise, objectId, job, nowMs, nowMs);
  }

  nextDueAtMs(): AtMs | null {
    const first = "SELECT min(due_at_ms) AS at_ms FROM deletions WHERE due_at_ms IS NOT NULL";
    return this.sql.exec<{ at_ms: AtMs | null }>(first).one().at_ms;
  }

  /**
   * Continues the deletions that are due, one call after another.
   * @param step calls the object; see Deletion.step
   * @param onEnded called once nothing is left
   */
  async runDue(
    nowMs: () => AtMs,
    step: (enterprise: string, objectId: string) => Promise<{ done: boolean; pauseMs: number }>,
    onEnded: (row: DeletionRow) => void,
  ): Promise<void> {
    for (let calls = 0; calls < CALLS_PER_ALARM; calls++) {
      const due = "SELECT * FROM deletions WHERE due_at_ms <= ? ORDER BY due_at_ms LIMIT 1";
      const row = this.sql.exec<DeletionRow>(due, nowMs()).toArray()[0];
      if (row === undefined) return;
      try {
        const { done, pauseMs } = await step(row.enterprise, row.object_id);
        if (!done) this.#put({ ...row, failures: 0, due_at_ms: nowMs() + pauseMs });
        else if (row.state === "ended") this.#put({ ...row, state: "checked", due_at_ms: null });
        else {
          this.#put({ ...row, state: "ended", failures: 0, due_at_ms: nowMs() + CHECK_AFTER_MS });
          onEnded(row);
        }
      } catch (error) {
        const failures = row.failures + 1;
        const pauseMs = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(failures - 1, 10));
        this.#put({ ...row, failures, due_at_ms: nowMs() + pauseMs });
        const { enterprise } = row;
        console.error(JSON.stringify({ event: "deletion_failed", enterprise, failures, error: String(error) }));
      }
    }
  }

  #put({ enterprise, state, failures, due_at_ms }: DeletionRow): void {
    const update = "UPDATE deletions SET state = ?, failures = ?, due_at_ms = ? WHERE enterprise = ?";
    this.sql.exec(update, state, failures, due_at_ms, enterprise);
  }
}
