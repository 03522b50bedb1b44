/**
 * Loads and stores the values of the books. It decides nothing. It loads by key or by page, so the cost of a load does
 * not grow with history.
 */
import type { Cycle, Grant, GrantList, Meter, Run, Settings } from "../../ledger/books.ts";
import type { Entry } from "../../ledger/entries.ts";
import { listGrants } from "../../ledger/grant-list.ts";
import type { Micros } from "../../ledger/micros.ts";
import { MAX_LISTED_DRAWS, type MeterSummary, summarizeMeter } from "../../ledger/receipt.ts";
import type { AtMs } from "../../ledger/time.ts";
import { assertMeter } from "./assertions.ts";
import { Channels } from "./channels.ts";
import { CYCLES, ENTERPRISE, type Enterprise } from "./enterprise-row.ts";
import { Erasures } from "./erasures.ts";
import { ExpiredHolds } from "./expired-holds.ts";
import { furtherRatesOf } from "./further-kinds.ts";
import { OlderDrawPages } from "./older-draws.ts";
import { differsInUse, ENTRIES, GRANT_DRAWS, GRANTS, METER_PRICES, METER_USE, METERS, RUNS } from "./rows.ts";
import type { Sql, SqlValue } from "./sql.ts";

/**
 * Ending this many holds takes about ten milliseconds and writes an outbox row of at most 200 KB. So does expiring this many
 * grants, which writes about 300 KB of entries.
 */
const MAX_ENDED = { holds: 1_000, grants: 1_000 };

/** A page of debtors is about 200 KB, or 3 MB if each of them has drawn on very many buckets. */
const DEBTORS_PER_PAGE = 200;

export class Store {
  readonly channels: Channels;
  readonly erasures: Erasures;
  readonly olderDraws: OlderDrawPages;
  readonly expired: ExpiredHolds;
  /** How many of what is due one change ends. Tests lower this. */
  maxEnded = MAX_ENDED;
  /** The meter up to which pruning has looked, and when it may begin again. Losing this is harmless: it begins again. */
  readonly pruning: { after: readonly SqlValue[] | null; notBeforeMs: AtMs } = { after: null, notBeforeMs: 0 };

  constructor(readonly sql: Sql) {
    this.channels = new Channels(sql);
    this.erasures = new Erasures(sql);
    this.olderDraws = new OlderDrawPages(sql);
    this.expired = new ExpiredHolds(sql);
  }

  loadEnterprise(): Enterprise | null {
    const row = this.sql.all("SELECT * FROM enterprise")[0];
    if (row === undefined) return null;
    const { identity, books } = ENTERPRISE.read(row);
    return { identity, books: { ...books, grants: this.#loadOpenGrants() } };
  }

  loadRuns(runs: readonly string[]): Run[] {
    return this.sql.all(`SELECT * FROM runs WHERE run IN ${LIST}`, JSON.stringify(runs)).map(RUNS.read);
  }

  /** Loads the meters of these runs. The meters of each run are in the order of their first reports. */
  loadMeters(runs: readonly string[]): Meter[] {
    const statement = `SELECT * FROM meter_rows WHERE run IN ${LIST} ORDER BY run, first_report_at_ms, model`;
    return this.sql.all(statement, JSON.stringify(runs)).map(METERS.read);
  }

  /** Loads the meters of a run as its receipt shows them. */
  loadReceipt(run: string): MeterSummary[] {
    return this.loadMeters([run]).map((stored) => {
      const { meter, olderSums } = this.olderDraws.newest(stored, MAX_LISTED_DRAWS);
      return summarizeMeter(meter, olderSums);
    });
  }

  loadGrants(ids: readonly string[]): Grant[] {
    return this.sql.all(`SELECT * FROM grants WHERE id IN ${LIST}`, JSON.stringify(ids)).map(GRANTS.read);
  }

  /** Loads those of these grants that can be used now. */
  loadUsableGrants(ids: readonly string[], nowMs: AtMs): Grant[] {
    const statement = `SELECT * FROM grants
      WHERE id IN ${LIST} AND voided = 0 AND (expires_at_ms IS NULL OR expires_at_ms > ?2)`;
    return this.sql.all(statement, JSON.stringify(ids), nowMs).map(GRANTS.read);
  }

  /** Loads grants with a seq below `beforeSeq`, newest first. */
  loadGrantPage(beforeSeq: number, limit: number): Grant[] {
    const statement = "SELECT * FROM grants WHERE seq < ? ORDER BY seq DESC LIMIT ?";
    return this.sql.all(statement, beforeSeq, limit).map(GRANTS.read);
  }

  /** Loads one page of the meters with debt in this cycle, oldest first. */
  loadDebtors(cycleStartsAtMs: AtMs): Meter[] {
    const statement = `SELECT * FROM meter_rows WHERE debt_cycle_ms = ? ORDER BY first_report_at_ms, run, model LIMIT ${DEBTORS_PER_PAGE}`;
    return this.sql.all(statement, cycleStartsAtMs).map(METERS.read);
  }

  /** Loads runs whose hold has expired, in the order of the index, which begins with the expiry. */
  loadExpiredHolds(nowMs: AtMs, limit: number): Run[] {
    const statement =
      "SELECT * FROM runs WHERE hold_expires_at_ms <= ? ORDER BY hold_expires_at_ms, hold_unit, hold_micros, run LIMIT ?";
    return this.sql.all(statement, nowMs, limit).map(RUNS.read);
  }

  /** Loads the time at which the next hold expires; null if there is no hold. */
  loadNextHoldEndMs(): AtMs | null {
    const row = this.sql.all(
      "SELECT min(hold_expires_at_ms) AS at_ms FROM runs WHERE hold_expires_at_ms IS NOT NULL",
    )[0];
    return (row?.at_ms ?? null) as AtMs | null;
  }

  /** Loads entries before `beforeSeq`, newest first. */
  loadEntryPage(beforeSeq: number, limit: number): Entry[] {
    return this.sql
      .all("SELECT * FROM entries WHERE seq < ? ORDER BY seq DESC LIMIT ?", beforeSeq, limit)
      .map(ENTRIES.read);
  }

  /** Loads entries after `afterSeq`, oldest first. */
  loadEntriesAfter(afterSeq: number, limit: number): Entry[] {
    return this.sql.all("SELECT * FROM entries WHERE seq > ? ORDER BY seq LIMIT ?", afterSeq, limit).map(ENTRIES.read);
  }

  /** Loads the start of the ended cycle that contains this time; null if there is none. */
  loadEndedCycleStartMs(atMs: AtMs): AtMs | null {
    const row = this.sql.all("SELECT max(starts_at_ms) AS at_ms FROM cycles WHERE starts_at_ms <= ?", atMs)[0];
    return (row?.at_ms ?? null) as AtMs | null;
  }

  /** Loads the start of the first cycle that has ended; null if none has. */
  loadFirstCycleStartMs(): AtMs | null {
    return (this.sql.all("SELECT min(starts_at_ms) AS at_ms FROM cycles")[0]?.at_ms ?? null) as AtMs | null;
  }

  /** Loads cycles that have ended and started before `beforeMs`, newest first. */
  loadCyclePage(beforeMs: AtMs, limit: number): Cycle[] {
    const statement = "SELECT * FROM cycles WHERE starts_at_ms < ? ORDER BY starts_at_ms DESC LIMIT ?";
    return this.sql.all(statement, beforeMs, limit).map(CYCLES.read);
  }

  /** Loads the time zones of these cycles, except the current one. */
  loadCycleZones(startsAtMs: readonly AtMs[]): [AtMs, string][] {
    const statement =
      "SELECT starts_at_ms, time_zone FROM cycles WHERE starts_at_ms IN (SELECT value FROM json_each(?1))";
    const rows = this.sql.all(statement, JSON.stringify(startsAtMs));
    return rows.map((row) => [row.starts_at_ms as AtMs, row.time_zone as string]);
  }

  /** Loads the time zone of the first cycle; null if that is the current one. */
  loadFirstCycleZone(): string | null {
    const row = this.sql.all("SELECT time_zone FROM cycles ORDER BY starts_at_ms LIMIT 1")[0];
    return (row?.time_zone ?? null) as string | null;
  }

  loadCycles(): Cycle[] {
    return this.sql.all("SELECT * FROM cycles ORDER BY starts_at_ms").map(CYCLES.read);
  }

  addEnterprise(enterprise: Enterprise): void {
    ENTERPRISE.add(this.sql, [enterprise]);
  }

  /** Updates the enterprise's row, except the settings. */
  putBalances(enterprise: Enterprise): void {
    ENTERPRISE.update(this.sql, enterprise);
  }

  putSettings(settings: Settings): void {
    this.sql.run("UPDATE enterprise SET settings = ?", JSON.stringify(settings));
  }

  addMeters(meters: readonly Meter[]): void {
    meters.forEach(assertMeter);
    METERS.add(this.sql, meters);
    this.#addFurtherRates(meters);
    const waiting = meters.filter((meter) => meter.price === null);
    if (waiting.length === 0) return;
    const statement = "INSERT INTO waiting_meters (run, model) SELECT value ->> 0, value ->> 1 FROM json_each(?1)";
    this.sql.run(statement, keysOf(waiting));
  }

  /** @param stored the meter as it is stored, if that is known */
  putMeter(meter: Meter, stored?: Meter): void {
    assertMeter(meter);
    const table = stored !== undefined && differsInUse(stored, meter) ? METER_USE : METERS;
    table.update(this.sql, meter);
  }

  /** Writes the prices of stored meters that have waited for one. */
  putPrices(meters: readonly Meter[]): void {
    if (meters.length === 0) return;
    for (const meter of meters) METER_PRICES.update(this.sql, meter);
    this.#addFurtherRates(meters);
    this.deleteWaiting(meters);
  }

  /** Loads one page of the meters that wait for a price, in the order of their runs and keys. */
  loadWaiting(after: { run: string; key: string } | null, limit: number): Meter[] {
    const statement = `SELECT m.* FROM (SELECT * FROM waiting_meters WHERE (run, model) > (?, ?) ORDER BY run, model LIMIT ?)
      AS w JOIN meter_rows AS m ON m.run = w.run AND m.model = w.model ORDER BY m.run, m.model`;
    return this.sql.all(statement, after?.run ?? "", after?.key ?? "", limit).map(METERS.read);
  }

  deleteWaiting(meters: readonly Meter[]): void {
    if (meters.length === 0) return;
    const listed = "(SELECT value ->> 0, value ->> 1 FROM json_each(?1))";
    this.sql.run(`DELETE FROM waiting_meters WHERE (run, model) IN ${listed}`, keysOf(meters));
  }

  deleteMeters(meters: readonly Meter[]): void {
    if (meters.length === 0) return;
    const listed = "(SELECT value ->> 0, value ->> 1 FROM json_each(?1))";
    this.sql.run(`DELETE FROM meters WHERE (run, model) IN ${listed}`, keysOf(meters));
  }

  addRuns(runs: readonly Run[]): void {
    RUNS.add(this.sql, runs);
  }

  putRun(run: Run): void {
    RUNS.update(this.sql, run);
  }

  addGrants(grants: readonly Grant[]): void {
    GRANTS.add(this.sql, grants);
  }

  putGrants(grants: readonly Grant[]): void {
    const { true: whole = [], false: ended = [] } = Object.groupBy(grants, (grant) => String(isWhole(grant)));
    GRANT_DRAWS.updateAll(this.sql, whole);
    GRANTS.updateAll(this.sql, ended);
  }

  /** Stores cycles that have ended, with the cap at their end. */
  putCycles(cycles: readonly Cycle[], capMicros: Micros | null): void {
    CYCLES.put(this.sql, cycles);
    for (const { startsAtMs } of cycles) {
      this.sql.run("UPDATE cycles SET cap_micros = ? WHERE starts_at_ms = ?", capMicros, startsAtMs);
    }
  }

  addEntries(entries: readonly Entry[]): void {
    ENTRIES.add(this.sql, entries);
  }

  /** Stores the further rates of these meters, unless they are stored already. */
  #addFurtherRates(meters: readonly Meter[]): void {
    const sets = meters.flatMap(({ price }) => (price === null ? [] : (furtherRatesOf(price.rates) ?? [])));
    if (sets.length === 0) return;
    const statement =
      "INSERT OR IGNORE INTO further_rates (id, rates) SELECT value ->> 0, value ->> 1 FROM json_each(?1)";
    this.sql.run(statement, JSON.stringify([...new Set(sets)].map(({ id, text }) => [id, text])));
  }

  #loadOpenGrants(): GrantList {
    const open = "SELECT g.* FROM open_grants AS o JOIN grants AS g ON g.id = o.id";
    return listGrants(this.sql.all(open).map(GRANTS.read));
  }
}

/** Whether nothing of a grant has expired or was voided, so that only what is drawn on it can have changed. */
function isWhole({ expiredMicros, voided }: Grant): boolean {
  return expiredMicros === 0 && !voided;
}

function keysOf(meters: readonly Meter[]): string {
  return JSON.stringify(meters.map((meter) => [meter.run, meter.key]));
}

const LIST = "(SELECT value FROM json_each(?1))";
