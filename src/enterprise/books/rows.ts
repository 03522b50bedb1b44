/** The tables of meters, runs, grants and entries: how their columns are written and how rows are read. */
import type { Grant, GrantSource, Meter, Run, Surface } from "../../ledger/books.ts";
import { latestDebtCycleMs } from "../../ledger/debt.ts";
import type { Entry } from "../../ledger/entries.ts";
import type { Unit } from "../../ledger/micros.ts";
import { NO_MULTIPLIER, type Price, resolveRates, type Usage } from "../../ledger/prices.ts";
import { splitMeterKey } from "../../ledger/tiers.ts";
import { type FactsJson, parseFacts, showFacts } from "../../wire/entry.ts";
import { type DrawList, drawOfList, drawToList } from "./draw-list.ts";
import { furtherRatesOf, readFurtherRates, writeFurtherUsage } from "./further-kinds.ts";
import type { SqlRow } from "./sql.ts";
import { type Columns, Table } from "./table.ts";

/** The book version of a meter without a price. Real versions start at 1. */
const WAITING_VERSION = 0;

/** The columns of a meter's price. They change only once, when usage that has waited for a price gets one. */
const PRICE_COLUMNS: Columns<Meter> = {
  book_version: ({ price }) => price?.bookVersion ?? WAITING_VERSION,
  credits_per_usd: ({ price }) => price?.creditsPerUsd ?? 0,
  rate_input: ({ price }) => price?.rates.input ?? 0,
  rate_output: ({ price }) => price?.rates.output ?? 0,
  rate_cache_read: ({ price }) => price?.rates.cache_read ?? 0,
  rate_cache_write: ({ price }) => price?.rates.cache_write ?? 0,
  rates_id: ({ price }) => (price === null ? null : (furtherRatesOf(price.rates)?.id ?? null)),
  multiplier_millionths: ({ price }) =>
    price === null || price.multiplierMillionths === NO_MULTIPLIER ? null : price.multiplierMillionths,
  priced_as: (meter) => (meter.model === splitMeterKey(meter.key).name ? null : meter.model),
  priced_at_ms: (meter) => meter.pricedAtMs,
};

/** The columns of a meter that most reports change. */
const USE_COLUMNS: Columns<Meter> = {
  input_tokens: (meter) => meter.usage.input ?? 0,
  output_tokens: (meter) => meter.usage.output ?? 0,
  cache_read_tokens: (meter) => meter.usage.cache_read ?? 0,
  cache_write_tokens: (meter) => meter.usage.cache_write ?? 0,
  charged_micros: (meter) => meter.chargedMicros,
  draws: (meter) => JSON.stringify(meter.draws.map(drawToList)),
  last_report_at_ms: (meter) => meter.lastReportAtMs,
};

/**
 * A meter's row includes its draws, so a debit that draws on the same bucket again writes no additional row. Rows are
 * read from the view `meter_rows`, which adds the further rates.
 */
export const METERS = new Table<Meter>({
  name: "meters",
  view: "meter_rows",
  key: {
    run: (meter) => meter.run,
    model: (meter) => meter.key,
  },
  fixed: {
    unit: (meter) => meter.unit,
    ...PRICE_COLUMNS,
    first_report_at_ms: (meter) => meter.firstReportAtMs,
  },
  changing: {
    ...USE_COLUMNS,
    reported_as: (meter) => JSON.stringify(meter.reportedAs),
    further_usage: (meter) => writeFurtherUsage(meter.usage),
    final: (meter) => Number(meter.final),
    estimated: (meter) => (meter.estimated ? 1 : null),
    debt_cycle_ms: (meter) => latestDebtOf(meter),
    older_pages: ({ older }) => older?.pages ?? null,
    older_micros: ({ older }) => older?.micros ?? null,
    older_debt_cycle_ms: ({ older }) => older?.debtCycleMs ?? null,
  },
  read: readMeter,
});

/** Writes a stored meter of which `differsInUse` says that no other column has changed. It costs less. */
export const METER_USE = new Table<Meter>({
  name: "meters",
  key: { run: (meter) => meter.run, model: (meter) => meter.key },
  changing: USE_COLUMNS,
  read: readMeter,
});

/** Whether no more than the columns of METER_USE differ, as after most reports. May return false if that is so. */
export function differsInUse(stored: Meter, meter: Meter): boolean {
  return (
    stored.reportedAs === meter.reportedAs &&
    stored.final === meter.final &&
    stored.estimated === meter.estimated &&
    stored.older === meter.older &&
    latestDebtOf(stored) === latestDebtOf(meter) &&
    writeFurtherUsage(stored.usage) === writeFurtherUsage(meter.usage)
  );
}

/** Writes the price of a stored meter that has waited for one. */
export const METER_PRICES = new Table<Meter>({
  name: "meters",
  key: { run: (meter) => meter.run, model: (meter) => meter.key },
  changing: PRICE_COLUMNS,
  read: readMeter,
});

function readMeter(row: SqlRow): Meter {
  const key = row.model as string;
  const { name, tier } = splitMeterKey(key);
  return {
    run: row.run as string,
    key,
    model: (row.priced_as as string | null) ?? name,
    tier,
    reportedAs: JSON.parse(row.reported_as as string) as string[],
    unit: row.unit as Unit,
    price: row.book_version === WAITING_VERSION ? null : readPrice(row),
    usage: {
      input: row.input_tokens as number,
      output: row.output_tokens as number,
      cache_read: row.cache_read_tokens as number,
      cache_write: row.cache_write_tokens as number,
      ...(row.further_usage === null ? {} : (JSON.parse(row.further_usage as string) as Usage)),
    },
    chargedMicros: row.charged_micros as number,
    final: row.final === 1,
    estimated: row.estimated === 1,
    draws: (JSON.parse(row.draws as string) as DrawList[]).map(drawOfList),
    firstReportAtMs: row.first_report_at_ms as number,
    lastReportAtMs: row.last_report_at_ms as number,
    pricedAtMs: row.priced_at_ms as number | null,
    ...readOlder(row),
  };
}

/** An old row of an audit that the last release began lacks these columns. */
function readOlder(row: SqlRow): Pick<Meter, "older"> {
  const { older_pages: pages = null, older_micros: micros, older_debt_cycle_ms: debtCycleMs = null } = row;
  if (pages === null) return {};
  return { older: { pages: pages as number, micros: micros as number, debtCycleMs: debtCycleMs as number | null } };
}

/** Returns the latest cycle in which the meter has debt. The column is indexed, to find meters in debt. */
function latestDebtOf({ draws, older }: Meter): number | null {
  const newest = latestDebtCycleMs(draws);
  const oldest = older?.debtCycleMs ?? null;
  return newest === null || oldest === null ? (newest ?? oldest) : Math.max(newest, oldest);
}

function readPrice(row: SqlRow): Price {
  return {
    bookVersion: row.book_version as number,
    creditsPerUsd: row.credits_per_usd as number,
    multiplierMillionths: (row.multiplier_millionths as number | null) ?? NO_MULTIPLIER,
    rates: resolveRates({
      input: row.rate_input as number,
      output: row.rate_output as number,
      cache_read: row.rate_cache_read as number,
      cache_write: row.rate_cache_write as number,
      ...readFurtherRates(row.further_rates as string | null),
    }),
  };
}

/** The group is a changing column, because it is set at the run's first charge. */
export const RUNS = new Table<Run>({
  name: "runs",
  key: { run: (run) => run.run },
  fixed: {
    surface: (run) => run.surface,
    workspace: (run) => run.workspace,
    user: (run) => run.user,
    started_at_ms: (run) => run.startedAtMs,
  },
  changing: {
    group_id: (run) => run.group,
    reported: (run) => Number(run.reported),
    hold_unit: (run) => run.hold?.unit ?? null,
    hold_micros: (run) => run.hold?.micros ?? null,
    hold_ttl_ms: (run) => run.hold?.ttlMs ?? null,
    hold_expires_at_ms: (run) => run.hold?.expiresAtMs ?? null,
    hold_ended_at_ms: (run) => run.holdEndedAtMs ?? null,
  },
  read: (row) => ({
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
    ...(row.hold_ended_at_ms === null ? {} : { holdEndedAtMs: row.hold_ended_at_ms as number }),
  }),
});

export const GRANTS = new Table<Grant>({
  name: "grants",
  key: { id: (grant) => grant.id },
  fixed: {
    amount_micros: (grant) => grant.amountMicros,
    source: (grant) => grant.source,
    note: (grant) => grant.note,
    granted_at_ms: (grant) => grant.grantedAtMs,
    expires_at_ms: (grant) => grant.expiresAtMs,
    seq: (grant) => grant.seq,
  },
  changing: {
    drawn_micros: (grant) => grant.drawnMicros,
    expired_micros: (grant) => grant.expiredMicros,
    voided_micros: (grant) => grant.voidedMicros,
    voided: (grant) => Number(grant.voided),
  },
  read: (row) => ({
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
  }),
});

/** Writes what was drawn on stored grants of which nothing has expired and nothing was voided. */
export const GRANT_DRAWS = new Table<Grant>({
  name: "grants",
  key: { id: (grant) => grant.id },
  changing: { drawn_micros: (grant) => grant.drawnMicros },
  read: GRANTS.read,
});

/** Entries are only added and never changed. */
export const ENTRIES = new Table<Entry>({
  name: "entries",
  key: { seq: (entry) => entry.seq },
  changing: {
    at_ms: (entry) => entry.atMs,
    caused_by: (entry) => entry.by,
    facts: (entry) => JSON.stringify(showFacts(entry.facts)),
  },
  read: (row) => ({
    seq: row.seq as number,
    atMs: row.at_ms as number,
    by: row.caused_by as string,
    facts: parseFacts(JSON.parse(row.facts as string) as FactsJson),
  }),
});
