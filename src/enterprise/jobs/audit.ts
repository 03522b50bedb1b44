/**
 * The audit of an enterprise, as a sliced job: first its books, then its copy in D1. It changes nothing. The result is
 * the list of checks. The books are audited as of one moment, while debits go on.
 */
import { MAX_MICROS } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import { beginAsOf, endAsOf, endAsOfTable, loadAsOfPage, loadPage, passAsOf } from "../books/as-of.ts";
import { isErasing } from "../books/erasures.ts";
import type { Ledger } from "../books/ledger.ts";
import type { Sql } from "../books/sql.ts";
import type { Projector } from "../copy/projector.ts";
import { foldOutbox } from "../copy/totals.ts";
import type { Platform } from "../platform.ts";
import { within } from "../within.ts";
import { type AuditReader, auditPage, BOOK_PHASES, type BookPhase, PAGE_ROWS } from "./audit-books.ts";
import { concludeBooks } from "./audit-checks.ts";
import { COPY_PHASES, type CopyPhase, comparePhase, waitsTooMuch } from "./audit-copy.ts";
import { type AuditCheck, type AuditNotes, addFault, checkOf, countIn, newNotes } from "./audit-notes.ts";
import { loadAuditStart } from "./audit-start.ts";
import type { SlicedJob, Step } from "./sliced-job.ts";

export type AuditResult = {
  checkedAtMs: AtMs;
  checks: AuditCheck[];
  /** True if the copy could not be read, so that nothing is known about it. */
  copyUnreadable?: true;
};

type AuditDeps = { platform: Platform; ledger: Ledger; projector: Projector; rebuilder: { owed: boolean } };

/** The first phase, before the books have their moment. */
const FOLD = "fold";
const PHASES: readonly string[] = [FOLD, ...BOOK_PHASES, ...COPY_PHASES];
const COPY_CHECK = "copy_equals_ledger";
const D1_TIMEOUT_MS = 15_000;
const COPY_PAUSE_MS = 1_000;
/** An audit begins when no erasure is replacing rows. */
const ERASE_PAUSE_MS = 200;
/** How often the audit of the copy waits for a rebuild, or tries again after D1 has failed, before it gives up. */
const MAX_WAITS = 600;
const MAX_RETRIES = 6;
/** A small copy that cannot be read is not tried again, so that the caller gets its answer at once. */
const SMALL_ROWS = 10_000;

/** The cursor with which an audit starts. */
export const AUDIT_CURSOR: AuditNotes = newNotes(FOLD);

export const AUDIT: SlicedJob<AuditNotes, AuditDeps> = {
  listed: true,
  maxFailures: 8,
  slice: (deps, notes) => {
    if (notes.phase === FOLD && isErasing(deps.ledger.sql)) return { next: notes, pauseMs: ERASE_PAUSE_MS };
    if (notes.phase === FOLD) return begin(deps.ledger, notes);
    if ((COPY_PHASES as readonly string[]).includes(notes.phase)) return auditCopy(deps, notes);
    return auditSlice(deps.ledger, notes);
  },
  abandon: ({ ledger }) => endAudit(ledger.sql),
};

/** Audits the books in one go. For tests and simulations: the time it takes grows with the books. */
export function auditBooks(ledger: Ledger): AuditCheck[] {
  const notes = { ...newNotes("books"), start: loadAuditStart(ledger) };
  const drawn = new Map<string, bigint>();
  const reader: AuditReader = {
    ledger,
    loadPage: (table, after, limit) => loadPage(ledger.sql, table, after, limit),
    addDrawn: (byGrant) => {
      for (const [id, micros] of byGrant) drawn.set(id, (drawn.get(id) ?? 0n) + micros);
    },
    takeDrawn: (grants) =>
      new Map(
        grants.map((id) => {
          const micros = drawn.get(id) ?? 0n;
          drawn.delete(id);
          return [id, micros];
        }),
      ),
    leftDrawn: () => [...drawn.keys()],
  };
  for (const phase of BOOK_PHASES) {
    notes.after = null;
    while (!auditPage(reader, notes, phase, MAX_MICROS));
  }
  return concludeBooks(notes);
}

/**
 * Folds what waits, so that totals and outbox are easy to add up. When nothing is left, remembers the balances and
 * starts keeping old rows, all in one turn: this is the moment as of which the books are audited.
 */
function begin(ledger: Ledger, notes: AuditNotes): Step<AuditNotes> {
  const { sql } = ledger;
  ledger.settle();
  if (sql.transaction(() => foldOutbox(sql))) return { next: notes, detail: "folding what waits" };
  notes.start = loadAuditStart(ledger);
  const commit = () => {
    endAudit(sql);
    beginAsOf(sql);
    sql.run("CREATE TABLE audit_drawn (id TEXT PRIMARY KEY, micros TEXT NOT NULL) STRICT, WITHOUT ROWID");
  };
  return { ...advance(notes), commit };
}

function auditSlice(ledger: Ledger, notes: AuditNotes): Step<AuditNotes> {
  const { sql } = ledger;
  const phase = notes.phase as BookPhase;
  const commits: (() => void)[] = [];
  let taken = new Set<string>();
  const reader: AuditReader = {
    ledger,
    loadPage: (table, after, limit) => {
      const page = loadAsOfPage(sql, table, after, limit);
      const { last } = page;
      commits.push(() => (last === null ? endAsOfTable(sql, table) : passAsOf(sql, table, last)));
      return page;
    },
    addDrawn: (byGrant) => commits.push(() => addDrawn(sql, byGrant)),
    takeDrawn: (grants) => {
      const list = JSON.stringify(grants);
      const rows = sql.all("SELECT * FROM audit_drawn WHERE id IN (SELECT value FROM json_each(?1))", list);
      const remove = "DELETE FROM audit_drawn WHERE id IN (SELECT value FROM json_each(?1))";
      commits.push(() => sql.run(remove, list));
      taken = new Set(grants);
      return new Map(rows.map((row) => [row.id as string, BigInt(row.micros as string)]));
    },
    leftDrawn: () =>
      sql
        .all("SELECT id FROM audit_drawn LIMIT ?", taken.size + 3)
        .map((row) => row.id as string)
        .filter((id) => !taken.has(id)),
  };
  const complete = auditPage(reader, notes, phase, PAGE_ROWS[phase]);
  const commit = () => {
    for (const act of commits) act();
  };
  return { ...(complete ? advance(notes) : { next: notes, ...progressOf(notes) }), commit };
}

function addDrawn(sql: Sql, byGrant: ReadonlyMap<string, bigint>): void {
  if (byGrant.size === 0) return;
  const list = JSON.stringify([...byGrant.keys()]);
  const known = sql.all("SELECT * FROM audit_drawn WHERE id IN (SELECT value FROM json_each(?1))", list);
  const sums = new Map(byGrant);
  for (const { id, micros } of known) sums.set(id as string, (sums.get(id as string) ?? 0n) + BigInt(micros as string));
  sql.run(
    `INSERT INTO audit_drawn SELECT value ->> 0, value ->> 1 FROM json_each(?1) WHERE true
      ON CONFLICT (id) DO UPDATE SET micros = excluded.micros`,
    JSON.stringify([...sums].map(([id, micros]) => [id, String(micros)])),
  );
}

async function auditCopy(deps: AuditDeps, notes: AuditNotes): Promise<Step<AuditNotes>> {
  const { ledger, platform, projector, rebuilder } = deps;
  try {
    if (rebuilder.owed) return wait(notes, "waiting for the rebuild of the copy");
    if (notes.values.projected !== 1 || waitsTooMuch(ledger)) {
      await within(platform.defer, D1_TIMEOUT_MS, projector.project());
      notes.values.projected = 1;
      if (waitsTooMuch(ledger)) return wait(notes, "waiting for the projection");
    }
    const phase = notes.phase as CopyPhase;
    const compared = await within(
      platform.defer,
      D1_TIMEOUT_MS,
      comparePhase(ledger, platform.copy, phase, notes.after as never),
    );
    // A rebuild that started meanwhile may have removed rows.
    if (rebuilder.owed) return wait(notes, "waiting for the rebuild of the copy");
    for (const fault of compared.faults) addFault(notes, COPY_CHECK, fault);
    countIn(notes, "copy", compared.rows);
    notes.values.failures = 0;
    notes.after = compared.next;
    if (compared.next !== null) return { next: notes, ...progressOf(notes) };
    if (phase !== COPY_PHASES.at(-1)) return advance(notes);
    return finish(
      ledger,
      notes,
      checkOf(notes, COPY_CHECK, notes.counts.copy ?? 0, "rows of the copy equal the ledger's"),
    );
  } catch (error) {
    const failures = Number(notes.values.failures ?? 0) + 1;
    notes.values.failures = failures;
    const small = (notes.counts.meters ?? 0) + (notes.counts.copy ?? 0) < SMALL_ROWS;
    if (!small && failures < MAX_RETRIES) {
      return { next: notes, detail: `D1 has failed: ${String(error)}`, pauseMs: COPY_PAUSE_MS * 2 ** failures };
    }
    return giveUp(ledger, notes, String(error));
  }
}

function wait(notes: AuditNotes, detail: string): Step<AuditNotes> {
  countIn(notes, "waits");
  if ((notes.counts.waits ?? 0) > MAX_WAITS) throw new Error(detail);
  return { next: notes, detail, pauseMs: COPY_PAUSE_MS };
}

function giveUp(ledger: Ledger, notes: AuditNotes, why: string): Step<AuditNotes> {
  return finish(ledger, notes, { name: COPY_CHECK, ok: false, detail: `the copy cannot be read: ${why}` }, true);
}

function finish(ledger: Ledger, notes: AuditNotes, copy: AuditCheck, unreadable = false): Step<AuditNotes> {
  const checks = [...concludeBooks(notes), copy];
  const result: AuditResult = {
    checkedAtMs: notes.start?.checkedAtMs ?? ledger.nowMs(),
    checks,
    ...(unreadable ? { copyUnreadable: true } : {}),
  };
  const failed = checks.filter(({ ok }) => !ok);
  const names = failed.map(({ name }) => name).join(", ");
  const done = failed.length === 0 ? `all ${checks.length} checks passed` : `failed: ${names}`;
  return { done, result, commit: () => endAudit(ledger.sql) };
}

export function endAudit(sql: Sql): void {
  endAsOf(sql);
  sql.run("DROP TABLE IF EXISTS audit_drawn");
}

function advance(notes: AuditNotes): { next: AuditNotes; progress: number; detail: string } {
  notes.phase = PHASES[PHASES.indexOf(notes.phase) + 1] as string;
  notes.after = null;
  notes.values = { ...notes.values, slices: 0 };
  return { next: notes, ...progressOf(notes) };
}

/** Estimates the progress: each phase is an equal part, and a phase approaches its end with the rows it has read. */
function progressOf(notes: AuditNotes): { progress: number; detail: string } {
  const phase = PHASES.indexOf(notes.phase);
  const slices = Number(notes.values.slices ?? 0);
  notes.values.slices = slices + 1;
  const part = slices / (slices + 100);
  const progress = Math.round(((phase + part) / PHASES.length) * 1_000) / 1_000;
  const { meters = 0, copy = 0 } = notes.counts;
  return { progress, detail: `${notes.phase}: ${meters} meters and ${copy} rows of the copy so far` };
}
