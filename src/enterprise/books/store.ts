/**
 * Every statement on the ledger's own books: plain SQL over the small Sql interface. It loads values and commits
 * values; it decides nothing. Loading is by key and never grows with history; new rows of a table are one statement.
 */
import { type Books, byDrawOrder, type Cycle, type Grant, type Meter, type Run } from "../../ledger/books.ts";
import type { Entry, EntryFacts } from "../../ledger/entries.ts";
import type { AtMs } from "../../ledger/time.ts";
import {
  balancesToList,
  CYCLE_COLUMNS,
  cycleOfRow,
  cycleToList,
  enterpriseOfRow,
  enterpriseToList,
  type Identity,
  PUT_BALANCES,
  PUT_ENTERPRISE,
} from "./enterprise-row.ts";
import {
  GRANT_COLUMNS,
  grantOfRow,
  grantToList,
  insertOf,
  METER_CHANGES,
  METER_COLUMNS,
  meterChangesToList,
  meterOfRow,
  meterToList,
  RUN_CHANGES,
  RUN_COLUMNS,
  runChangesToList,
  runOfRow,
  runToList,
  updateOf,
  upsertOf,
} from "./rows.ts";
import type { Sql } from "./sql.ts";

const ADD_METERS = insertOf("meters", METER_COLUMNS);
const PUT_METER = updateOf("meters", METER_CHANGES, ["run", "model"]);
const ADD_RUNS = insertOf("runs", RUN_COLUMNS);
const PUT_RUN = updateOf("runs", RUN_CHANGES, ["run"]);
const PUT_GRANTS = upsertOf("grants", GRANT_COLUMNS, ["id"], ["granted_at_ms", "seq"]);
const PUT_CYCLES = upsertOf("cycles", CYCLE_COLUMNS, ["starts_at_ms"]);
const DEBTORS_PAGE = 200;

export class Store {
  constructor(readonly sql: Sql) {}

  loadEnterprise(): { identity: Identity; books: Books } | null {
    const row = this.sql.all("SELECT * FROM enterprise")[0];
    if (row === undefined) return null;
    const { identity, books } = enterpriseOfRow(row);
    return { identity, books: { ...books, grants: this.#loadOpenGrants() } };
  }

  loadRuns(runs: readonly string[]): Run[] {
    return this.sql.all(`SELECT * FROM runs WHERE run IN ${LIST}`, JSON.stringify(runs)).map(runOfRow);
  }

  /** The meters of these runs, each run's in the order of their first reports. */
  loadMeters(runs: readonly string[]): Meter[] {
    const statement = `SELECT * FROM meters WHERE run IN ${LIST} ORDER BY run, first_report_at_ms, model`;
    return this.sql.all(statement, JSON.stringify(runs)).map(meterOfRow);
  }

  loadGrants(ids: readonly string[]): Grant[] {
    return this.sql.all(`SELECT * FROM grants WHERE id IN ${LIST}`, JSON.stringify(ids)).map(grantOfRow);
  }

  /** Grants newest first, those that arrived before `beforeSeq`. */
  loadGrantPage(beforeSeq: number, limit: number): Grant[] {
    const statement = "SELECT * FROM grants WHERE seq < ? ORDER BY seq DESC LIMIT ?";
    return this.sql.all(statement, beforeSeq, limit).map(grantOfRow);
  }

  /** Meters that owe in the cycle, oldest first: as many as a page holds. */
  loadDebtors(cycleStartsAtMs: AtMs): Meter[] {
    const statement = `SELECT * FROM meters WHERE debt_cycle_ms = ? ORDER BY first_report_at_ms, run, model LIMIT ${DEBTORS_PAGE}`;
    return this.sql.all(statement, cycleStartsAtMs).map(meterOfRow);
  }

  /** Runs whose hold has ended by now, soonest first. */
  loadEndedHolds(nowMs: AtMs): Run[] {
    const statement = "SELECT * FROM runs WHERE hold_expires_at_ms <= ? ORDER BY hold_expires_at_ms, run";
    return this.sql.all(statement, nowMs).map(runOfRow);
  }

  /** When the next hold ends; null when there is none. */
  nextHoldEnd(): AtMs | null {
    const row = this.sql.all(
      "SELECT min(hold_expires_at_ms) AS at_ms FROM runs WHERE hold_expires_at_ms IS NOT NULL",
    )[0];
    return (row?.at_ms ?? null) as AtMs | null;
  }

  /** Entries newest first, those before `beforeSeq`. */
  loadEntryPage(beforeSeq: number, limit: number): Entry[] {
    return this.sql
      .all("SELECT * FROM entries WHERE seq < ? ORDER BY seq DESC LIMIT ?", beforeSeq, limit)
      .map(entryOfRow);
  }

  /** Entries oldest first, those after `afterSeq`. */
  loadEntriesAfter(afterSeq: number, limit: number): Entry[] {
    return this.sql.all("SELECT * FROM entries WHERE seq > ? ORDER BY seq LIMIT ?", afterSeq, limit).map(entryOfRow);
  }

  /** When the ended cycle that held the instant began; null when there was none yet. */
  endedCycleAt(atMs: AtMs): AtMs | null {
    const row = this.sql.all("SELECT max(starts_at_ms) AS at_ms FROM cycles WHERE starts_at_ms <= ?", atMs)[0];
    return (row?.at_ms ?? null) as AtMs | null;
  }

  loadCycles(): Cycle[] {
    return this.sql.all("SELECT * FROM cycles ORDER BY starts_at_ms").map(cycleOfRow);
  }

  putEnterprise(identity: Identity, books: Books): void {
    this.sql.run(PUT_ENTERPRISE, ...enterpriseToList(identity, books));
  }

  /** The same without what only an operator changes: all that a debit moves. */
  putBalances(identity: Identity, books: Books): void {
    this.sql.run(PUT_BALANCES, ...balancesToList(identity, books));
  }

  addMeters(meters: readonly Meter[]): void {
    if (meters.length > 0) this.sql.run(ADD_METERS, JSON.stringify(meters.map(meterToList)));
  }

  /** What can change of a stored meter. A statement of its own: it costs less than a row of a list does. */
  putMeter(meter: Meter): void {
    this.sql.run(PUT_METER, ...meterChangesToList(meter), meter.run, meter.model);
  }

  addRuns(runs: readonly Run[]): void {
    if (runs.length > 0) this.sql.run(ADD_RUNS, JSON.stringify(runs.map(runToList)));
  }

  /** What can change of a stored run. */
  putRun(run: Run): void {
    this.sql.run(PUT_RUN, ...runChangesToList(run), run.run);
  }

  putGrants(grants: readonly Grant[]): void {
    if (grants.length > 0) this.sql.run(PUT_GRANTS, JSON.stringify(grants.map(grantToList)));
  }

  putCycles(cycles: readonly Cycle[]): void {
    if (cycles.length > 0) this.sql.run(PUT_CYCLES, JSON.stringify(cycles.map(cycleToList)));
  }

  putEntries(entries: readonly Entry[]): void {
    if (entries.length === 0) return;
    const lists = entries.map((entry) => [entry.seq, entry.atMs, entry.by, JSON.stringify(entry.facts)]);
    this.sql.run(
      `INSERT INTO entries (seq, at_ms, caused_by, facts)
        SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?1)`,
      JSON.stringify(lists),
    );
  }

  /** The group that the directory gives a workspace. */
  groupOfWorkspace(workspace: string): string | null {
    const row = this.sql.all("SELECT group_id FROM names WHERE kind = 'workspace' AND id = ?", workspace)[0];
    return (row?.group_id ?? null) as string | null;
  }

  #loadOpenGrants(): Grant[] {
    const open = "SELECT * FROM grants WHERE drawn_micros + expired_micros + voided_micros < amount_micros";
    return this.sql.all(open).map(grantOfRow).sort(byDrawOrder);
  }
}

const LIST = "(SELECT value FROM json_each(?1))";

function entryOfRow(row: Record<string, unknown>): Entry {
  return {
    seq: row.seq as number,
    atMs: row.at_ms as number,
    by: row.caused_by as string,
    facts: JSON.parse(row.facts as string) as EntryFacts,
  };
}
