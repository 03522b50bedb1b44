/**
 * Reads lists of enterprises for the operator: newest first, most urgent first, or by search. Each list is one query,
 * which reads only the rows it returns plus one. A row is as old as the enterprise's last projection.
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
/** The last character in sort order: it sorts after every letter of a key. */
const LAST_LETTER = "\u{10ffff}";

/** Lists enterprises after `after`, newest first. Returns `limit` + 1 rows if there are more than `limit`. */
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

/** Lists enterprises that need attention, most urgent first, then newest first. Pages like readNewestEnterprises. */
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
    // The 0 is part of the SQL text, not a parameter: otherwise SQLite cannot use the partial index.
    .where(and(sql`${t.attention} > 0`, beyond))
    .orderBy(desc(t.attention), desc(t.createdAtMs), desc(t.id))
    .limit(limit + 1);
  return rows.map(parsed);
}

/**
 * Lists enterprises whose id or name contains the typed text at the start of a word, in the order of the matching keys.
 * Returns `limit` + 1 rows if there are more than `limit`. Text without letters or digits matches nothing.
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
  // Use only one lower bound. With two, SQLite might start reading at the lower one.
  const from = after === null ? gte(t.key, prefix) : sql`(${t.key}, ${t.enterprise}) > (${after.key}, ${after.id})`;
  const rows = await drizzle(db)
    .select({ ...COLUMNS, key: t.key })
    .from(t)
    .innerJoin(enterprises, eq(enterprises.id, t.enterprise))
    .where(and(from, lt(t.key, prefix + LAST_LETTER), isFirstMatch(t, prefix)))
    .orderBy(asc(t.key), asc(t.enterprise))
    .limit(limit + 1);
  return rows.map(({ key, ...row }) => ({ ...parsed(row), key }));
}

/** Keeps one match per enterprise: "a" matches two keys of Acme Arms. */
function isFirstMatch(t: typeof enterpriseSearch, prefix: string): SQL {
  const other = alias(enterpriseSearch, "other");
  const earlier = and(eq(other.enterprise, t.enterprise), gte(other.key, prefix), lt(other.key, t.key));
  return sql`NOT EXISTS (SELECT 1 FROM ${enterpriseSearch} AS "other" WHERE ${earlier})`;
}

function parsed<T extends { gauge: string }>({ gauge, ...row }: T) {
  return { ...row, gauge: JSON.parse(gauge) as GaugeJson };
}
