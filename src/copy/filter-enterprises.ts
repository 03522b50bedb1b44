/**
 * Lists the enterprises with a state, a billing model or a plan, for the operator. No index knows these, because each
 * projection writes the gauge, and would write such an index too. So a page reads enterprises in the order of the list
 * until it is full, at most MAX_SCANNED of them in each directory, and the next page continues there. A page that is
 * still empty then reads on, up to MAX_SCANS times.
 */
import type { BillingModel } from "../ledger/books.ts";
import type { AtMs } from "../ledger/time.ts";
import type { GaugeJson } from "../wire/gauge.ts";
import { compareText, type ListedEnterprise } from "./read-enterprises.ts";

/** How many enterprises a page reads in each directory to find those that it shows. */
export const MAX_SCANNED = 2_000;
export const MAX_SCANS = 5;

const OF_GAUGE = (path: string) => `json_extract(gauge, '$.${path}')`;
const IS_OUT = `${OF_GAUGE("remaining_micros")} IS 0`;
const HAS_NO_CAP = `(${OF_GAUGE("billing_model")} IS 'byom' AND ${OF_GAUGE("spend.cap_micros")} IS NULL)`;
const IN_DEBT = `${OF_GAUGE("debt_micros")} > 0`;
/** In the first 24 hours of a cycle nobody makes a forecast. */
const IS_RUNNING_OUT = `(NOT ${IS_OUT} AND ${OF_GAUGE("on_track_to_run_out")} IS 1
  AND unixepoch(${OF_GAUGE("as_of")}, 'subsec') - unixepoch(${OF_GAUGE("cycle.starts_at")}, 'subsec') >= 86400)`;

/** The states to filter by, as conditions of a row. They are the conditions that the list shows. */
const STATE_SQL = {
  suspended: "suspended = 1",
  out: IS_OUT,
  running_out: IS_RUNNING_OUT,
  in_debt: IN_DEBT,
  no_cap: HAS_NO_CAP,
  ok: `(suspended = 0 AND NOT ${IS_OUT} AND NOT ${IS_RUNNING_OUT} AND NOT ${IN_DEBT} AND NOT ${HAS_NO_CAP})`,
} as const;

export type ListState = keyof typeof STATE_SQL;
export const LIST_STATES = Object.keys(STATE_SQL) as ListState[];

/** What the listed enterprises have; null for anything. */
type ListFilter = { state: ListState | null; billing: BillingModel | null; plan: string | null };
export type ListPlace = { createdAtMs: AtMs; id: string };

type Asked = { byId: boolean; after: ListPlace | null; limit: number };
type Found = { rows: ListedEnterprise[]; next: ListPlace | null };

type Row = { id: string; created_at_ms: AtMs; suspended: number; gauge: string };
type Read = { rows: ListedEnterprise[]; scannedTo: ListPlace | null };

/**
 * Returns the enterprises of a page, and the place after which the next one starts; null if there is none. A page that
 * is not full may have a next one, because it has read as much as it may.
 */
export async function filterEnterprises(
  directories: readonly D1Database[],
  filter: ListFilter,
  asked: Asked,
): Promise<Found> {
  let found = await scan(directories, filter, asked);
  for (let scans = 1; scans < MAX_SCANS && found.rows.length === 0 && found.next !== null; scans++) {
    found = await scan(directories, filter, { ...asked, after: found.next });
  }
  return found;
}

async function scan(directories: readonly D1Database[], filter: ListFilter, page: Asked): Promise<Found> {
  const order = page.byId
    ? (a: ListPlace, b: ListPlace) => compareText(a.id, b.id)
    : (a: ListPlace, b: ListPlace) => b.createdAtMs - a.createdAtMs || compareText(b.id, a.id);
  const pages = await Promise.all(directories.map((db) => readMatching(db, filter, page)));
  // Beyond the first of these places, not every directory has been read.
  const [end = null] = pages.flatMap(({ scannedTo }) => scannedTo ?? []).sort(order);
  const rows = pages.flatMap((read) => read.rows).filter((row) => end === null || order(row, end) <= 0);
  const shown = rows.sort(order).slice(0, page.limit);
  const last = shown.at(-1);
  return { rows: shown, next: rows.length > page.limit && last !== undefined ? last : end };
}

async function readMatching(
  db: D1Database,
  { state, billing, plan }: ListFilter,
  { byId, after, limit }: Asked,
): Promise<Read> {
  const beyond = byId ? "id > ?2" : "(created_at_ms, id) < (?1, ?2)";
  const order = byId ? "id" : "created_at_ms DESC, id DESC";
  const { createdAtMs, id } = after ?? { createdAtMs: Number.MAX_SAFE_INTEGER, id: "" };
  const conditions = [
    ...(state === null ? [] : [STATE_SQL[state]]),
    `(?3 IS NULL OR ${OF_GAUGE("billing_model")} = ?3)`,
    `(?4 IS NULL OR ${OF_GAUGE("plan")} = ?4)`,
  ];
  const scanned = `FROM enterprises WHERE ${beyond} ORDER BY ${order} LIMIT ${MAX_SCANNED}`;
  const [found, end] = await db.batch<Row>([
    db
      .prepare(
        `SELECT * FROM (SELECT id, created_at_ms, suspended, gauge ${scanned}) WHERE ${conditions.join(" AND ")}
          ORDER BY ${order} LIMIT ?5`,
      )
      .bind(createdAtMs, id, billing, plan, limit + 1),
    // The last one that is read, if there may be more.
    db.prepare(`SELECT id, created_at_ms ${scanned} OFFSET ${MAX_SCANNED - 1}`).bind(createdAtMs, id),
  ]);
  const last = end?.results[0];
  return {
    rows: (found?.results ?? []).map(listed),
    scannedTo: last === undefined ? null : { createdAtMs: last.created_at_ms, id: last.id },
  };
}

function listed({ id, created_at_ms, suspended, gauge }: Row): ListedEnterprise {
  return { id, createdAtMs: created_at_ms, suspended: suspended === 1, gauge: JSON.parse(gauge) as GaugeJson };
}
