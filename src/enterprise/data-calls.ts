/**
 * The operator's calls to one enterprise's Durable Object that concern its data as a whole. The core checks the caller of
 * each call.
 */
import type { Caller } from "../access/callers.ts";
import type { Denied } from "../access/refusals.ts";
import { type Refused, refuse } from "../ledger/refusals.ts";
import type { ExportCursor, ExportKind } from "../wire/export.ts";
import type { Ledger } from "./books/ledger.ts";
import type { Deletion, DeletionStep } from "./data/deletion.ts";
import { EXPORT_PAGE_ROWS, type ExportPage, exportPage } from "./data/export.ts";

const OPERATOR: Caller = { kind: "operator" };

type DataDeps = {
  ledger: Ledger;
  deletion: Deletion;
  /** Runs the call, unless its caller is refused in this turn. */
  answer<T>(caller: Caller, act: () => T): T | Refused | Denied;
};

export class DataCalls {
  constructor(readonly deps: DataDeps) {}

  /** Returns the next page of an export, which has fewer than `maxRows` rows if a page has fewer. */
  exportPage(kind: ExportKind, cursor: ExportCursor | null, maxRows: number): ExportPage | Refused | Denied {
    return this.deps.answer(OPERATOR, () => {
      const { ledger } = this.deps;
      ledger.trySettle();
      return (
        exportPage(ledger, kind, cursor, Math.min(maxRows, EXPORT_PAGE_ROWS)) ?? refuse({ code: "cursor_expired" })
      );
    });
  }

  /** Does a part of the enterprise's deletion. The catalog calls this until it is done. */
  deleteStep(enterprise: string): Promise<DeletionStep> {
    return this.deps.deletion.step(enterprise);
  }
}
