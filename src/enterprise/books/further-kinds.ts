/**
 * Stores the usage kinds that have no column of their table. Ordinary meters use none of them, so one JSON column holds
 * them all. Rates for these kinds are pinned for every meter, used or not. A set of rates is stored once and shared by
 * all meters that have it. It lists only the rates that differ from the rate they would fall back to.
 */
import { KINDS, type Kind } from "../../ledger/kinds.ts";
import { type ListedRates, type Rates, resolveRates, type Usage } from "../../ledger/prices.ts";
import type { Sql, SqlRow } from "./sql.ts";

/** A set of further rates as JSON, and the id that is computed from it. */
type FurtherRates = { id: number; text: string };

/** The kinds with columns. */
const COLUMN_KINDS: readonly Kind[] = ["input", "output", "cache_read", "cache_write"];
const FURTHER_KINDS = KINDS.map(({ kind }) => kind).filter((kind) => !COLUMN_KINDS.includes(kind));
const MAX_PARSED = 1_000;

/** Prices are few and shared by many meters, so this is computed once for each. */
const known = new WeakMap<Rates, { set: FurtherRates | null }>();
const parsed = new Map<string, ListedRates>();

/** Returns the rates that must be stored apart from the four columns; null if each is what it falls back to. */
export function furtherRatesOf(rates: Rates): FurtherRates | null {
  const found = known.get(rates) ?? { set: makeSet(rates) };
  known.set(rates, found);
  return found.set;
}

export function readFurtherRates(text: string | null): ListedRates {
  if (text === null) return {};
  const rates = parsed.get(text) ?? (JSON.parse(text) as ListedRates);
  if (parsed.size >= MAX_PARSED) parsed.clear();
  parsed.set(text, rates);
  return rates;
}

/** Adds the further rates to rows of the table `meters`, as the view `meter_rows` does. */
export function addFurtherRates(sql: Sql, rows: SqlRow[]): SqlRow[] {
  const ids = [...new Set(rows.map((row) => row.rates_id))].filter((id) => typeof id === "number");
  const statement = "SELECT id, rates FROM further_rates WHERE id IN (SELECT value FROM json_each(?1))";
  const stored = ids.length === 0 ? [] : sql.all(statement, JSON.stringify(ids));
  const byId = new Map(stored.map(({ id, rates }) => [id, rates]));
  return rows.map((row) => ({ ...row, further_rates: byId.get(row.rates_id ?? null) ?? null }));
}

/** Returns the usage of the kinds without columns as JSON; null if there is none. */
export function writeFurtherUsage(usage: Usage): string | null {
  const used = FURTHER_KINDS.filter((kind) => (usage[kind] ?? 0) > 0);
  return used.length === 0 ? null : JSON.stringify(Object.fromEntries(used.map((kind) => [kind, usage[kind]])));
}

function makeSet(rates: Rates): FurtherRates | null {
  const { input, output, cache_read, cache_write } = rates;
  // Resolved step by step, because a kind may fall back to a kind that is itself listed here.
  let listed: ListedRates = { input, output, cache_read, cache_write };
  const stored: Partial<Record<Kind, number>> = {};
  for (const kind of FURTHER_KINDS) {
    if (resolveRates(listed)[kind] === rates[kind]) continue;
    stored[kind] = rates[kind];
    listed = { ...listed, [kind]: rates[kind] };
  }
  if (Object.keys(stored).length === 0) return null;
  const text = JSON.stringify(stored);
  return { id: hashOf(text), text };
}

/** Hashes a text to 53 bits (cyrb53). */
function hashOf(text: string): number {
  let high = 0xdeadbeef;
  let low = 0x41c6ce57;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    high = Math.imul(high ^ code, 2_654_435_761);
    low = Math.imul(low ^ code, 1_597_334_677);
  }
  high = Math.imul(high ^ (high >>> 16), 2_246_822_507) ^ Math.imul(low ^ (low >>> 13), 3_266_489_909);
  low = Math.imul(low ^ (low >>> 16), 2_246_822_507) ^ Math.imul(high ^ (high >>> 13), 3_266_489_909);
  return 2 ** 32 * (2_097_151 & low) + (high >>> 0);
}
