/** Audits the copy in D1: compares it with the ledger, row by row. The code that compares writes to neither. */
import { compareCopy } from "../../copy/compare.ts";
import type { Ledger } from "../books/ledger.ts";
import type { Projector } from "../copy/projector.ts";
import { snapshotBatches } from "../copy/snapshot.ts";
import { type AuditCheck, checkOf } from "./audit.ts";
import { RUN_HISTORY_MS } from "./pruning.ts";

const MAX_COMPARISONS = 5;

export async function auditCopy(ledger: Ledger, copy: D1Database, projector: Projector): Promise<AuditCheck> {
  try {
    for (let comparison = 1; ; comparison++) {
      await projector.project();
      const { seq } = ledger.books;
      const runsSinceMs = ledger.nowMs() - RUN_HISTORY_MS;
      const { rows, faults } = await compareCopy(copy, ledger.id, snapshotBatches(ledger), runsSinceMs);
      const check = checkOf("copy_equals_ledger", rows, "rows of the copy equal the ledger's", faults);
      // If debits arrived meanwhile, a row may differ only because its change is not in the copy yet. Compare again.
      if (check.ok || seq === ledger.books.seq || comparison === MAX_COMPARISONS) return check;
    }
  } catch (error) {
    return { name: "copy_equals_ledger", ok: false, detail: `the copy cannot be read: ${String(error)}` };
  }
}
