/**
 * The lists over all enterprises, for the operator: newest first, or found by a search. Each is one query that reads
 * the rows it answers with, and one more; each row is as the enterprise's object last wrote it.
 */
import { and, asc, desc, eq, gte, lt, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { alias } from "drizzle-orm/sqlite-core";
import type { AtMs } from "../ledger/time.ts";
import type { GaugeJson } from "../wire/gauge.ts";
import { enterpriseSearch, enterprises } from "./schema.ts";
import { searchPrefixOf } from "./search-keys.ts";

export type ListedEnterprise = { id: string; createdAtMs: AtMs; suspended: boolean; gauge: GaugeJson };
type FoundEnterprise = ListedEnterprise & { key: string };

const COLUMNS = {
  id: enterprises.id,
  createdAtMs: enterprises.createdAtMs,
  suspended: enterprises.suspended,
  gauge: enterprises.gauge,
};
/** No key has a letter behind this one. */
const LAST_LETTER = "\u{10ffff}";

/** Enterprises newest first, those after `after`; one row more than `limit` tells that there are more. */
export async function readNewestEnterprises(
  db: D1Database,
  limit: number,
  after: { createdAtMs: AtMs; id: string } | null,
): Promise<ListedEnterprise[]> {
  const t = enterprises;
  const beyond = after === null ? undefined : sql`(${t.createdAtMs}, ${t.id}) < (${after.createdAtMs}, ${after.id})`;
  const rows = await drizzle(db)
    .select(COLUMNS)
    .from(t)
    .where(beyond)
    .orderBy(desc(t.createdAtMs), desc(t.id))
    .limit(limit + 1);
  return rows.map(parsed);
}

/** Those that ask for attention, the most pressing first, then the newest; else as readNewestEnterprises. */
export async function readPressingEnterprises(
  db: D1Database,
  limit: number,
  after: { attention: number; createdAtMs: AtMs; id: string } | null,
): Promise<(ListedEnterprise & { attention: number })[]> {
  const t = enterprises;
  const place = sql`(${t.attention}, ${t.createdAtMs}, ${t.id})`;
  const beyond = after === null ? undefined : sql`${place} < (${after.attention}, ${after.createdAtMs}, ${after.id})`;
  const rows = await drizzle(db)
    .select({ ...COLUMNS, attention: t.attention })
    .from(t)
    // The bound stands in the statement, so that the partial index serves it.
    .where(and(sql`${t.attention} > 0`, beyond))
    .orderBy(desc(t.attention), desc(t.createdAtMs), desc(t.id))
    .limit(limit + 1);
  return rows.map(parsed);
}

/**
 * Enterprises whose id or name has these letters at its beginning or at that of a word, in the order of what was found;
 * one row more than `limit` tells that there are more. Nothing is found by what holds neither letters nor digits.
 */
export async function searchEnterprises(
  db: D1Database,
  typed: string,
  limit: number,
  after: { key: string; id: string } | null,
): Promise<FoundEnterprise[]> {
  const prefix = searchPrefixOf(typed);
  if (prefix === "") return [];
  const t = enterpriseSearch;
  // One lower bound only: with two, SQLite might walk from the lower one.
  const from = after === null ? gte(t.key, prefix) : sql`(${t.key}, ${t.enterprise}) > (${after.key}, ${after.id})`;
  const rows = await drizzle(db)
    .select({ ...COLUMNS, key: t.key })
    .from(t)
    .innerJoin(enterprises, eq(enterprises.id, t.enterprise))
    .where(and(from, lt(t.key, prefix + LAST_LETTER), isFirstOfIts(t, prefix)))
    .orderBy(asc(t.key), asc(t.enterprise))
    .limit(limit + 1);
  return rows.map(({ key, ...row }) => ({ ...parsed(row), key }));
}

/** "a" finds Acme Arms by two of its keys; it is shown once. */
function isFirstOfIts(t: typeof enterpriseSearch, prefix: string): SQL {
  const other = alias(enterpriseSearch, "other");
  const earlier = and(eq(other.enterprise, t.enterprise), gte(other.key, prefix), lt(other.key, t.key));
  return sql`NOT EXISTS (SELECT 1 FROM ${enterpriseSearch} AS "other" WHERE ${earlier})`;
}

function parsed<T extends { gauge: string }>({ gauge, ...row }: T) {
  return { ...row, gauge: JSON.parse(gauge) as GaugeJson };
}
