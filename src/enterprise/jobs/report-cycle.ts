/**
 * Makes the report of a cycle that has ended, for the channels that want it: what was used, and the workspaces, groups
 * and users that used most. It reads the totals of that cycle in pages, and stores how far it has come after each, so its
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
import { foldOutbox } from "../copy/totals.ts";

const PAGE_ROWS = 1_000;
const TOP_ROWS = 5;

/** The dimensions of the totals, by their names in the report. */
const LISTS = { workspaces: "workspace", groups: "group", users: "user", models: "model" } as const;
type ListName = keyof typeof LISTS;

type Top = { id: string; amountMicros: Micros; requests: number };
type Cursor = { after: [dimension: string, id: string]; requests: number; tops: Partial<Record<string, Top[]>> };

const START: Cursor = { after: ["", ""], requests: 0, tops: {} };

/** Does one slice of the oldest report. Returns whether there is more to do now. */
export function reportCycle({ ledger }: { ledger: Ledger }): boolean {
  const { sql } = ledger;
  const due = loadDueReport(sql);
  if (due === null) return false;
  if (getProgress(sql, "folded") < due.afterSeq && sql.transaction(() => foldOutbox(sql))) return true;
  const cursor = due.cursor === null ? START : (JSON.parse(due.cursor) as Cursor);
  const rows = loadPage(ledger, due, cursor.after);
  const next = rows.reduce(addRow, cursor);
  sql.transaction(() => {
    if (rows.length === PAGE_ROWS) return putReportCursor(sql, due, JSON.stringify(next));
    deleteReport(sql, due);
    queueReport(ledger, reportNotice(ledger, due, next));
  });
  return rows.length === PAGE_ROWS || loadDueReport(sql) !== null;
}

function loadPage({ sql }: Ledger, { unit, startsAtMs }: DueReport, after: Cursor["after"]): SqlRow[] {
  const statement = `SELECT dimension, id, amount_micros, requests FROM totals_cycle
    WHERE unit = ? AND cycle_starts_at_ms = ? AND (dimension, id) > (?, ?) ORDER BY dimension, id LIMIT ?`;
  return sql.all(statement, unit, startsAtMs, ...after, PAGE_ROWS);
}

function addRow({ requests, tops }: Cursor, row: SqlRow): Cursor {
  const [dimension, id] = [row.dimension as string, row.id as string];
  const after: Cursor["after"] = [dimension, id];
  if (dimension === "all") return { after, requests: row.requests as number, tops };
  const top = { id, amountMicros: row.amount_micros as number, requests: row.requests as number };
  const best = [...(tops[dimension] ?? []), top].sort((a, b) => b.amountMicros - a.amountMicros).slice(0, TOP_ROWS);
  return { after, requests, tops: { ...tops, [dimension]: best } };
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
