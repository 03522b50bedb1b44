/**
 * The part of the audit that compares what is held of each workspace, group and user with the holds of the runs. Both
 * sides are read page by page. Each amount is weighted with a hash of its id, so that the two sums differ also if an
 * amount belongs to another id.
 */

import { NO_GROUP } from "../../ledger/books.ts";
import { DIMENSIONS, type Dimension } from "../../ledger/dimensions.ts";
import { UNITS, type Unit } from "../../ledger/micros.ts";
import { heldNames } from "../books/budget-faults.ts";
import { weighted } from "../books/checksum.ts";
import { groupOfWorkspace } from "../books/directory.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress } from "../books/progress.ts";
import type { SqlRow } from "../books/sql.ts";
import { type AuditNotes, addFault, addTo, sumOf } from "./audit-notes.ts";
import type { AuditStart } from "./audit-start.ts";

/** Adds rows of the stored sums. */
export function addHeldSums(notes: AuditNotes, rows: readonly SqlRow[]): void {
  for (const row of rows) {
    for (const unit of UNITS) {
      const { sum, weightedSum } = heldNames(row.dimension as Dimension, unit);
      addTo(notes, sum, row[unit] as number);
      addTo(notes, weightedSum, weighted(row.id as string, row[unit] as number));
    }
  }
}

/** Subtracts the holds of runs. */
export function subtractHolds(notes: AuditNotes, rows: readonly SqlRow[], ledger: Ledger): void {
  const { sql } = ledger;
  const held = notes.start?.heldSums ?? null;
  if (held === null) return;
  // Without the directory as it was, nobody knows the groups of runs without a report.
  if (getProgress(sql, "names_revision") !== held.namesRevision) notes.values.directoryChanged = 1;
  const groups = new Map<string, string>();
  for (const { hold_unit, hold_micros, workspace, group_id, user } of rows) {
    if (hold_micros === null) continue;
    const place = workspace as string;
    if (group_id === null && !groups.has(place)) groups.set(place, groupOfWorkspace(sql, place) ?? NO_GROUP);
    const ids = { workspace: place, group: (group_id ?? groups.get(place)) as string, user: user as string };
    for (const dimension of DIMENSIONS) {
      const { weightedSum } = heldNames(dimension, hold_unit as Unit);
      addTo(notes, weightedSum, -weighted(ids[dimension], hold_micros as number));
    }
  }
}

/** Adds a fault for each dimension in which the sums are not those of the holds, in all or by id. */
export function compareHeld(notes: AuditNotes): void {
  const { heldSums = null, held } = notes.start as AuditStart;
  if (heldSums === null) return;
  const summed = (name: string) => sumOf(notes, name) + BigInt(heldSums.waiting[name] ?? "0");
  for (const dimension of DIMENSIONS) {
    for (const unit of UNITS) {
      const { sum, weightedSum } = heldNames(dimension, unit);
      if (summed(sum) !== BigInt(held[unit])) {
        addFault(notes, "budgets", `${sum}: ${summed(sum)}, in all ${held[unit]}`);
      }
      if (dimension === "group" && notes.values.directoryChanged === 1) continue;
      if (summed(weightedSum) === 0n) continue;
      addFault(notes, "budgets", `${weightedSum}: not what the holds of its runs sum to`);
    }
  }
}
