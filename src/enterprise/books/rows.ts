/**
 * How values of the ledger lie in rows, and back. Only this file and the store know the columns. Bulk writes go as one
 * JSON parameter, a list of lists in the order of the columns, so a commit of any size is one statement per table.
 */
import type { Draw, Grant, GrantSource, Meter, Run, Surface } from "../../ledger/books.ts";
import type { Unit } from "../../ledger/micros.ts";
import type { SqlRow, SqlValue } from "./sql.ts";

/** What can change of a meter once it is stored; its price, its unit and its beginning are pinned. */
export const METER_CHANGES = [
  "reported_as",
  "input_tokens",
  "output_tokens",
  "cache_read_tokens",
  "cache_write_tokens",
  "charged_micros",
  "final",
  "draws",
  "debt_cycle_ms",
  "last_report_at_ms",
] as const;

export const METER_COLUMNS = [
  "run",
  "model",
  "unit",
  "book_version",
  "credits_per_usd",
  "rate_input",
  "rate_output",
  "rate_cache_read",
  "rate_cache_write",
  "first_report_at_ms",
  ...METER_CHANGES,
] as const;

/** What can change of a run once it is stored: its group at the first charge, and its hold. */
export const RUN_CHANGES = [
  "group_id",
  "reported",
  "hold_unit",
  "hold_micros",
  "hold_ttl_ms",
  "hold_expires_at_ms",
] as const;

export const RUN_COLUMNS = ["run", "surface", "workspace", "user", "started_at_ms", ...RUN_CHANGES] as const;

export const GRANT_COLUMNS = [
  "id",
  "amount_micros",
  "drawn_micros",
  "expired_micros",
  "voided_micros",
  "source",
  "note",
  "granted_at_ms",
  "expires_at_ms",
  "voided",
  "seq",
] as const;

/** INSERT … SELECT … FROM json_each: rows that are not there yet. */
export function insertOf(table: string, columns: readonly string[]): string {
  const values = columns.map((_, i) => `value ->> ${i}`).join(", ");
  return `INSERT INTO ${table} (${columns.join(", ")}) SELECT ${values} FROM json_each(?1) WHERE true`;
}

/** The same, replacing what changed of a row that is there. */
export function upsertOf(
  table: string,
  columns: readonly string[],
  keys: readonly string[],
  fixed: readonly string[] = [],
): string {
  const changing = columns.filter((column) => !keys.includes(column) && !fixed.includes(column));
  const set = changing.map((column) => `${column} = excluded.${column}`).join(", ");
  return `${insertOf(table, columns)} ON CONFLICT (${keys.join(", ")}) DO UPDATE SET ${set}`;
}

/**
 * UPDATE of one row: the changes, then the keys, are its parameters; without keys, of a table's only row. An index of
 * which no column is named costs nothing.
 */
export function updateOf(table: string, changes: readonly string[], keys: readonly string[]): string {
  const set = changes.map((column) => `${column} = ?`).join(", ");
  const where = keys.map((key) => `${key} = ?`).join(" AND ");
  return `UPDATE ${table} SET ${set}${where === "" ? "" : ` WHERE ${where}`}`;
}

export function meterToList(meter: Meter): SqlValue[] {
  const { price } = meter;
  return [
    meter.run,
    meter.model,
    meter.unit,
    price.bookVersion,
    price.creditsPerUsd,
    price.rates.input,
    price.rates.output,
    price.rates.cacheRead,
    price.rates.cacheWrite,
    meter.firstReportAtMs,
    ...meterChangesToList(meter),
  ];
}

export function meterChangesToList(meter: Meter): SqlValue[] {
  const { tokens } = meter;
  return [
    JSON.stringify(meter.reportedAs),
    tokens.input,
    tokens.output,
    tokens.cacheRead,
    tokens.cacheWrite,
    meter.chargedMicros,
    Number(meter.final),
    JSON.stringify(meter.draws.map(drawToList)),
    debtCycle(meter),
    meter.lastReportAtMs,
  ];
}

export function meterOfRow(row: SqlRow): Meter {
  return {
    run: row.run as string,
    model: row.model as string,
    reportedAs: JSON.parse(row.reported_as as string) as string[],
    unit: row.unit as Unit,
    price: {
      bookVersion: row.book_version as number,
      creditsPerUsd: row.credits_per_usd as number,
      rates: {
        input: row.rate_input as number,
        output: row.rate_output as number,
        cacheRead: row.rate_cache_read as number,
        cacheWrite: row.rate_cache_write as number,
      },
    },
    tokens: {
      input: row.input_tokens as number,
      output: row.output_tokens as number,
      cacheRead: row.cache_read_tokens as number,
      cacheWrite: row.cache_write_tokens as number,
    },
    chargedMicros: row.charged_micros as number,
    final: row.final === 1,
    draws: (JSON.parse(row.draws as string) as DrawList[]).map(drawOfList),
    firstReportAtMs: row.first_report_at_ms as number,
    lastReportAtMs: row.last_report_at_ms as number,
  };
}

export function runToList(run: Run): SqlValue[] {
  return [run.run, run.surface, run.workspace, run.user, run.startedAtMs, ...runChangesToList(run)];
}

export function runChangesToList({ group, reported, hold }: Run): SqlValue[] {
  return [
    group,
    Number(reported),
    hold?.unit ?? null,
    hold?.micros ?? null,
    hold?.ttlMs ?? null,
    hold?.expiresAtMs ?? null,
  ];
}

export function runOfRow(row: SqlRow): Run {
  return {
    run: row.run as string,
    surface: row.surface as Surface,
    workspace: row.workspace as string,
    user: row.user as string,
    group: row.group_id as string | null,
    startedAtMs: row.started_at_ms as number,
    reported: row.reported === 1,
    hold:
      row.hold_unit === null
        ? null
        : {
            unit: row.hold_unit as Unit,
            micros: row.hold_micros as number,
            ttlMs: row.hold_ttl_ms as number,
            expiresAtMs: row.hold_expires_at_ms as number,
          },
  };
}

export function grantToList(grant: Grant): SqlValue[] {
  return [
    grant.id,
    grant.amountMicros,
    grant.drawnMicros,
    grant.expiredMicros,
    grant.voidedMicros,
    grant.source,
    grant.note,
    grant.grantedAtMs,
    grant.expiresAtMs,
    Number(grant.voided),
    grant.seq,
  ];
}

export function grantOfRow(row: SqlRow): Grant {
  return {
    id: row.id as string,
    amountMicros: row.amount_micros as number,
    drawnMicros: row.drawn_micros as number,
    expiredMicros: row.expired_micros as number,
    voidedMicros: row.voided_micros as number,
    source: row.source as GrantSource,
    note: row.note as string | null,
    grantedAtMs: row.granted_at_ms as number,
    expiresAtMs: row.expires_at_ms as number | null,
    voided: row.voided === 1,
    seq: row.seq as number,
  };
}

type DrawList = [Draw["bucket"], string | null, number, number, number];

function drawToList(draw: Draw): DrawList {
  return [draw.bucket, draw.grantId, draw.cycleStartsAtMs, draw.micros, draw.lapsedMicros];
}

function drawOfList([bucket, grantId, cycleStartsAtMs, micros, lapsedMicros]: DrawList): Draw {
  return { bucket, grantId, cycleStartsAtMs, micros, lapsedMicros };
}

/** The latest cycle in which the meter owes: the index of debtors goes by it. */
function debtCycle(meter: Meter): number | null {
  return meter.draws.findLast((draw) => draw.bucket === "debt" && draw.micros > 0)?.cycleStartsAtMs ?? null;
}
