/**
 * Makes the report of a cycle that has ended, for the channels that want it: what was used, and the workspaces, groups,
 * users and models that used most. It reads the totals of that cycle in pages, and stores how far it has come after each, so its
 * work does not grow with the number of workspaces or users.
 */
import { wantsCode } from "../../ledger/channels.ts";
import type { Micros } from "../../ledger/micros.ts";
import { type Notice, showNotice } from "../../wire/notice.ts";
import { formatIso } from "../../wire/time.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress } from "../books/progress.ts";
import { type DueReport, deleteReport, loadDueReport, putReportCursor } from "../books/reports-due.ts";
import type { SqlRow } from "../books/sql.ts";
import { cubeGap } from "../copy/cube-gap.ts";
import { foldOutbox } from "../copy/totals.ts";

const PAGE_ROWS = 1_000;
const TOP_ROWS = 5;

/** The dimensions of the totals, by their names in the report. */
const LISTS = { workspaces: "workspace", groups: "group", users: "user", models: "model" } as const;
type ListName = keyof typeof LISTS;

type Top = { id: string; amountMicros: Micros; requests: number };
/**
 * The next slice continues after a key of the table. `last` is the row that was read last, while rows of the same id may
 * follow: a model has a row for each tier.
 */
type Cursor = {
  table: "totals_cycle" | "totals_model";
  after: [string, string];
  requests: number;
  last: (Top & { dimension: string }) | null;
  tops: Partial<Record<string, Top[]>>;
};

const START: Cursor = { table: "totals_cycle", after: ["", ""], requests: 0, last: null, tops: {} };

/** Does one slice of the oldest report. Returns whether there is more to do now. */
export function reportCycle({ ledger }: { ledger: Ledger }): boolean {
  const { sql } = ledger;
  const due = loadDueReport(sql);
  if (due === null) return false;
  if (getProgress(sql, "folded") < due.afterSeq && sql.transaction(() => foldOutbox(sql))) return true;
  const cursor = due.cursor === null ? START : (JSON.parse(due.cursor) as Cursor);
  const rows = loadPage(ledger, due, cursor);
  const read = rows.reduce(addRow, cursor);
  const next = rows.length === PAGE_ROWS ? read : nextTable(ledger, due, read);
  sql.transaction(() => {
    if (next !== null) return putReportCursor(sql, due, JSON.stringify(next));
    deleteReport(sql, due);
    queueReport(ledger, reportNotice(ledger, due, flush(read)));
  });
  return next !== null || loadDueReport(sql) !== null;
}

/** Continues with the models after the other totals, unless usage of the cycle was recorded without its models. */
function nextTable(ledger: Ledger, { startsAtMs }: DueReport, cursor: Cursor): Cursor | null {
  if (cursor.table === "totals_model" || (cubeGap(ledger)?.untilMs ?? 0) > startsAtMs) return null;
  return { ...flush(cursor), table: "totals_model", after: ["", ""] };
}

const PAGES: Record<Cursor["table"], string> = {
  totals_cycle: `SELECT dimension, id, amount_micros, requests, dimension AS key_1, id AS key_2 FROM totals_cycle
    WHERE unit = ? AND cycle_starts_at_ms = ? AND (dimension, id) > (?, ?) ORDER BY dimension, id LIMIT ?`,
  totals_model: `SELECT 'model' AS dimension, model AS id, cycle_micros AS amount_micros, model_requests AS requests,
    model AS key_1, tier AS key_2 FROM totals_model
    WHERE unit = ? AND cycle_starts_at_ms = ? AND (model, tier) > (?, ?) ORDER BY model, tier LIMIT ?`,
};

function loadPage({ sql }: Ledger, { unit, startsAtMs }: DueReport, { table, after }: Cursor): SqlRow[] {
  return sql.all(PAGES[table], unit, startsAtMs, ...after, PAGE_ROWS);
}

function addRow(cursor: Cursor, row: SqlRow): Cursor {
  const after: Cursor["after"] = [row.key_1 as string, row.key_2 as string];
  const dimension = row.dimension as string;
  const [id, amountMicros, requests] = [row.id as string, row.amount_micros as number, row.requests as number];
  if (dimension === "all") return { ...cursor, after, requests };
  const { last } = cursor;
  if (last === null || last.dimension !== dimension || last.id !== id) {
    return { ...flush(cursor), after, last: { dimension, id, amountMicros, requests } };
  }
  const sum = { amountMicros: last.amountMicros + amountMicros, requests: last.requests + requests };
  return { ...cursor, after, last: { dimension, id, ...sum } };
}

/** Compares the row that was read last with the best of its dimension. */
function flush(cursor: Cursor): Cursor {
  if (cursor.last === null) return cursor;
  const { dimension, ...top } = cursor.last;
  const rows = [...(cursor.tops[dimension] ?? []), top].sort((a, b) => b.amountMicros - a.amountMicros);
  return { ...cursor, last: null, tops: { ...cursor.tops, [dimension]: rows.slice(0, TOP_ROWS) } };
}

function reportNotice(ledger: Ledger, due: DueReport, { requests, tops }: Cursor): Notice {
  const top: Partial<Record<ListName, object[]>> = {};
  for (const [name, dimension] of Object.entries(LISTS) as [ListName, string][]) {
    const rows = tops[dimension];
    if (rows !== undefined) top[name] = rows.map((row) => showTop(ledger, dimension, row));
  }
  return {
    type: "cycle.reported",
    code: "cycle_report",
    level: "info",
    message: "A billing cycle has ended.",
    details: {
      cycle: { starts_at: formatIso(due.startsAtMs), ends_at: formatIso(due.endsAtMs) },
      unit: due.unit,
      used_micros: due.usedMicros,
      limit_micros: due.limitMicros,
      requests,
      top,
    },
  };
}

function showTop({ sql }: Ledger, dimension: string, { id, amountMicros, requests }: Top) {
  const named = sql.all("SELECT name FROM names WHERE kind = ? AND id = ?", dimension, id)[0];
  return { id, name: (named?.name ?? null) as string | null, requests, amount_micros: amountMicros };
}

function queueReport(ledger: Ledger, notice: Notice): void {
  const { id, books, store } = ledger;
  const sender = { enterprise: id, name: books.settings.name, timeZone: books.cycle.timeZone, atMs: ledger.nowMs() };
  for (const channel of store.channels.active) {
    if (wantsCode(channel, notice.code)) ledger.queueWebhook(showNotice(notice, sender), channel.id);
  }
}
