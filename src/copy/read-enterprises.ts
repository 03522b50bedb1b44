/**
 * Reads lists of enterprises for the operator: newest first, most urgent first, or by search. Each list is one query in
 * each directory (see listing.ts), which reads only the rows it returns plus one. A row is as old as the enterprise's
 * last projection.
 */
import { and, asc, count, desc, eq, gte, lt, type SQL, sql } from "drizzle-orm";
import { drizzle } from "drizzle-orm/d1";
import { alias } from "drizzle-orm/sqlite-core";
import type { AtMs } from "../ledger/time.ts";
import type { GaugeJson } from "../wire/gauge.ts";
import { enterpriseSearch, enterprises } from "./schema.ts";
import { searchPrefixOf } from "./search-keys.ts";

export type ListedEnterprise = { id: string; createdAtMs: AtMs; suspended: boolean; gauge: GaugeJson };
type FoundEnterprise = ListedEnterprise & { key: string };
type PressingEnterprise = ListedEnterprise & { attention: number };

const COLUMNS = {
  id: enterprises.id,
  createdAtMs: enterprises.createdAtMs,
  suspended: enterprises.suspended,
  gauge: enterprises.gauge,
};
/** The last character in sort order: it sorts after every letter of a key. */
const LAST_LETTER = "\u{10ffff}";

/** Lists enterprises after `after`, newest first. Returns `limit` + 1 rows if there are more than `limit`. */
export function readNewestEnterprises(
  directories: readonly D1Database[],
  limit: number,
  after: { createdAtMs: AtMs; id: string } | null,
): Promise<ListedEnterprise[]> {
  const order = (a: ListedEnterprise, b: ListedEnterprise) => b.createdAtMs - a.createdAtMs || compareText(b.id, a.id);
  return merge(directories, limit, order, (db) => readNewest(db, limit, after));
}

async function readNewest(
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
export function readPressingEnterprises(
  directories: readonly D1Database[],
  limit: number,
  after: { attention: number; createdAtMs: AtMs; id: string } | null,
): Promise<PressingEnterprise[]> {
  const order = (a: PressingEnterprise, b: PressingEnterprise) =>
    b.attention - a.attention || b.createdAtMs - a.createdAtMs || compareText(b.id, a.id);
  return merge(directories, limit, order, (db) => readPressing(db, limit, after));
}

async function readPressing(
  db: D1Database,
  limit: number,
  after: { attention: number; createdAtMs: AtMs; id: string } | null,
): Promise<PressingEnterprise[]> {
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
export function searchEnterprises(
  directories: readonly D1Database[],
  typed: string,
  limit: number,
  after: { key: string; id: string } | null,
): Promise<FoundEnterprise[]> {
  const order = (a: FoundEnterprise, b: FoundEnterprise) => compareText(a.key, b.key) || compareText(a.id, b.id);
  return merge(directories, limit, order, (db) => search(db, typed, limit, after));
}

async function search(
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

/** Reads the enterprises with these ids, in their order. Leaves out those that are not in the lists. */
export async function readEnterprisesById(
  directories: readonly D1Database[],
  ids: readonly string[],
): Promise<ListedEnterprise[]> {
  const wanted = sql`${enterprises.id} IN (SELECT value FROM json_each(${JSON.stringify(ids)}))`;
  const pages = await Promise.all(directories.map((db) => drizzle(db).select(COLUMNS).from(enterprises).where(wanted)));
  const byId = new Map(pages.flat().map((row) => [row.id, row]));
  return ids.flatMap((id) => byId.get(id) ?? []).map(parsed);
}

/** Counts the enterprises that need attention, but not beyond `limit`. */
export async function countPressing(directories: readonly D1Database[], limit: number): Promise<number> {
  const statement = "SELECT count(*) AS n FROM (SELECT 1 FROM enterprises WHERE attention > 0 LIMIT ?)";
  const counts = await Promise.all(
    directories.map(async (db) => (await db.prepare(statement).bind(limit).first<{ n: number }>())?.n ?? 0),
  );
  return Math.min(
    limit,
    counts.reduce((sum, n) => sum + n, 0),
  );
}

/** Counts the enterprises in the lists. */
export async function countEnterprises(directories: readonly D1Database[]): Promise<number> {
  const counts = await Promise.all(
    directories.map(async (db) => (await drizzle(db).select({ n: count() }).from(enterprises))[0]?.n ?? 0),
  );
  return counts.reduce((sum, n) => sum + n, 0);
}

/** Reads a page of each directory and keeps the first `limit` + 1 rows of all of them. */
async function merge<R>(
  directories: readonly D1Database[],
  limit: number,
  order: (a: R, b: R) => number,
  read: (db: D1Database) => Promise<R[]>,
): Promise<R[]> {
  const pages = await Promise.all(directories.map(read));
  const [only] = pages;
  if (pages.length === 1 && only !== undefined) return only;
  return pages
    .flat()
    .sort(order)
    .slice(0, limit + 1);
}

/** Compares texts as SQLite does: by code point. */
export function compareText(a: string, b: string): number {
  const [left, right] = [[...a], [...b]];
  const at = left.findIndex((letter, i) => letter !== right[i]);
  if (at === -1) return left.length - right.length;
  return (left[at]?.codePointAt(0) ?? 0) - (right[at]?.codePointAt(0) ?? -1);
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
