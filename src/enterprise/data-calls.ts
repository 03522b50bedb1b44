/**
 * The operator's calls to one enterprise's Durable Object that concern its data as a whole. The core checks the caller of
 * each call.
 */
import { byOf, type Caller, OPERATOR } from "../access/callers.ts";
import type { Denied } from "../access/refusals.ts";
import type { By } from "../ledger/entries.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import type { ExportCursor, ExportKind } from "../wire/export.ts";
import type { ImportRequest } from "../wire/history.ts";
import { eraseUser } from "./books/commands.ts";
import { ERASE } from "./books/erasures.ts";
import type { Ledger } from "./books/ledger.ts";
import type { Deletion, DeletionStep } from "./data/deletion.ts";
import { EXPORT_PAGE_ROWS, type ExportPage, exportPage } from "./data/export.ts";
import { importHistory, prepareImport } from "./data/history.ts";
import type { JobRunner } from "./jobs/runner.ts";
import type { Platform } from "./platform.ts";
import { CLOSE_UNAUTHORIZED } from "./sockets/sockets.ts";

/** How many slices of an erasure run in the call. This takes a second at most, and is enough for small books. */
const SLICES_IN_CALL = 60;

/** How long an import waits for the copy: ten seconds in all. If D1 does not write by then, the import goes on. */
const MAX_IMPORT_WAITS = 200;
const IMPORT_WAIT_MS = 50;

type DataDeps = {
  platform: Platform;
  jobs: JobRunner;
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

  /**
   * Erases a person: ends what the person is signed in with, and replaces the person's id and name everywhere. Small books
   * are done when this returns. Returns the job, which also erases others that were asked for meanwhile.
   * @param by who asked for it; a Worker of the last release does not send it
   */
  async eraseUser(user: string, by: By = byOf(OPERATOR)): Promise<{ job: string } | Refused | Denied> {
    const { ledger, platform, jobs } = this.deps;
    const begun = this.deps.answer(OPERATOR, () => {
      try {
        const realNowMs = platform.clock.realNowMs();
        return { begun: ledger.apply((change) => eraseUser(change, user, by, realNowMs)) !== null };
      } finally {
        ledger.store.erasures.forget();
      }
    });
    if (isRefusal(begun)) return begun;
    for (const socket of platform.sockets.of(`user:${user}`)) socket.close(CLOSE_UNAUTHORIZED, "signed out");
    const { id } = await jobs.start(ERASE, null);
    await jobs.runSlices(ERASE, SLICES_IN_CALL);
    return { job: id };
  }

  /** Imports usage from before the first cycle: all rows, or none. Waits while the copy is far behind. */
  async importHistory(request: ImportRequest): Promise<{ rows: number } | Refused | Denied> {
    const { ledger, platform } = this.deps;
    for (let waits = 0; waits < MAX_IMPORT_WAITS; waits++) {
      const ready = this.deps.answer(OPERATOR, () => prepareImport(ledger));
      if (ready === true) break;
      if (ready !== false) return ready;
      await new Promise<void>((resolve) => platform.defer(resolve, IMPORT_WAIT_MS));
    }
    return this.deps.answer(OPERATOR, () => importHistory(ledger, request));
  }

  /** Does a part of the enterprise's deletion. The catalog calls this until it is done. */
  deleteStep(enterprise: string): Promise<DeletionStep> {
    return this.deps.deletion.step(enterprise);
  }
}
