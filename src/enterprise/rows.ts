/**
 * How values of the ledger lie in rows, and back. Only this file and the store know the columns. Bulk writes go as one
 * JSON parameter, a list of lists in the order of the columns, so a commit of any size is one statement per table.
 */
import type { Books, Cycle, Draw, Grant, GrantSource, Meter, Run, Settings, Surface } from "../ledger/books.ts";
import type { Unit } from "../ledger/micros.ts";
import type { Told } from "../ledger/thresholds.ts";
import type { SqlRow, SqlValue } from "./sql.ts";

/** What the object knows of its enterprise beside the books. */
export type Identity = {
  id: string;
  createdAtMs: number;
  /** Null: the enterprise goes by the real clock. */
  testClockMs: number | null;
  demo: boolean;
  /** The latest instant that the books have seen: a clock that steps back is not followed. */
  lastAtMs: number;
};

export const METER_COLUMNS = [
  "run",
  "model",
  "reported_as",
  "unit",
  "book_version",
  "credits_per_usd",
  "rate_input",
  "rate_output",
  "rate_cache_read",
  "rate_cache_write",
  "input_tokens",
  "output_tokens",
  "cache_read_tokens",
  "cache_write_tokens",
  "charged_micros",
  "final",
  "draws",
  "debt_cycle_ms",
  "first_report_at_ms",
  "last_report_at_ms",
] as const;

export const RUN_COLUMNS = [
  "run",
  "surface",
  "workspace",
  "user",
  "group_id",
  "started_at_ms",
  "reported",
  "hold_unit",
  "hold_micros",
  "hold_ttl_ms",
  "hold_expires_at_ms",
] as const;

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

export const CYCLE_COLUMNS = [
  "starts_at_ms",
  "ends_at_ms",
  "time_zone",
  "allowance_micros",
  "monthly_used_micros",
  "bonus_used_micros",
  "debt_micros",
  "returned_micros",
  "spend_used_micros",
] as const;

/** INSERT … SELECT … FROM json_each, replacing what changed of a row that is there. */
export function upsertOf(
  table: string,
  columns: readonly string[],
  keys: readonly string[],
  fixed: readonly string[] = [],
): string {
  const values = columns.map((_, i) => `value ->> ${i}`).join(", ");
  const changing = columns.filter((column) => !keys.includes(column) && !fixed.includes(column));
  const set = changing.map((column) => `${column} = excluded.${column}`).join(", ");
  return `INSERT INTO ${table} (${columns.join(", ")}) SELECT ${values} FROM json_each(?1) WHERE true
    ON CONFLICT (${keys.join(", ")}) DO UPDATE SET ${set}`;
}

export function meterToList(meter: Meter): SqlValue[] {
  const { price, tokens } = meter;
  return [
    meter.run,
    meter.model,
    JSON.stringify(meter.reportedAs),
    meter.unit,
    price.bookVersion,
    price.creditsPerUsd,
    price.rates.input,
    price.rates.output,
    price.rates.cacheRead,
    price.rates.cacheWrite,
    tokens.input,
    tokens.output,
    tokens.cacheRead,
    tokens.cacheWrite,
    meter.chargedMicros,
    Number(meter.final),
    JSON.stringify(meter.draws.map(drawToList)),
    debtCycle(meter),
    meter.firstReportAtMs,
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
  const { hold } = run;
  return [
    run.run,
    run.surface,
    run.workspace,
    run.user,
    run.group,
    run.startedAtMs,
    Number(run.reported),
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

export function cycleToList(cycle: Cycle): SqlValue[] {
  return [
    cycle.startsAtMs,
    cycle.endsAtMs,
    cycle.timeZone,
    cycle.allowanceMicros,
    cycle.monthlyUsedMicros,
    cycle.bonusUsedMicros,
    cycle.debtMicros,
    cycle.returnedMicros,
    cycle.spendUsedMicros,
  ];
}

export function cycleOfRow(row: SqlRow): Cycle {
  return {
    startsAtMs: row.starts_at_ms as number,
    endsAtMs: row.ends_at_ms as number,
    timeZone: row.time_zone as string,
    allowanceMicros: row.allowance_micros as number,
    monthlyUsedMicros: row.monthly_used_micros as number,
    bonusUsedMicros: row.bonus_used_micros as number,
    debtMicros: row.debt_micros as number,
    returnedMicros: row.returned_micros as number,
    spendUsedMicros: row.spend_used_micros as number,
  };
}

const ENTERPRISE_COLUMNS = [
  "id",
  "settings",
  "created_at_ms",
  "test_clock_ms",
  "demo",
  "cycle_starts_at_ms",
  "cycle_ends_at_ms",
  "cycle_time_zone",
  "allowance_micros",
  "monthly_used_micros",
  "bonus_used_micros",
  "debt_micros",
  "returned_micros",
  "spend_used_micros",
  "cap_micros",
  "held_credits_micros",
  "held_usd_micros",
  "told",
  "seq",
  "last_at_ms",
] as const;

export const PUT_ENTERPRISE = `INSERT INTO enterprise (only, ${ENTERPRISE_COLUMNS.join(", ")})
  VALUES (1, ${ENTERPRISE_COLUMNS.map(() => "?").join(", ")})
  ON CONFLICT (only) DO UPDATE SET ${ENTERPRISE_COLUMNS.map((column) => `${column} = excluded.${column}`).join(", ")}`;

export function enterpriseToList(identity: Identity, books: Books): SqlValue[] {
  return [
    identity.id,
    JSON.stringify(books.settings),
    identity.createdAtMs,
    identity.testClockMs,
    Number(identity.demo),
    ...cycleToList(books.cycle),
    books.capMicros,
    books.held.credits,
    books.held.usd,
    JSON.stringify(books.told),
    books.seq,
    identity.lastAtMs,
  ];
}

/** The enterprise's row, without the grants, which have rows of their own. */
export function enterpriseOfRow(row: SqlRow): { identity: Identity; books: Books } {
  return {
    identity: {
      id: row.id as string,
      createdAtMs: row.created_at_ms as number,
      testClockMs: row.test_clock_ms as number | null,
      demo: row.demo === 1,
      lastAtMs: row.last_at_ms as number,
    },
    books: {
      settings: JSON.parse(row.settings as string) as Settings,
      cycle: cycleOfRow({
        ...row,
        starts_at_ms: row.cycle_starts_at_ms ?? null,
        ends_at_ms: row.cycle_ends_at_ms ?? null,
        time_zone: row.cycle_time_zone ?? null,
      }),
      grants: [],
      held: { credits: row.held_credits_micros as number, usd: row.held_usd_micros as number },
      capMicros: row.cap_micros as number | null,
      told: JSON.parse(row.told as string) as Told,
      seq: row.seq as number,
    },
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
