/**
 * The stages of erasing a person: one for each table of the object that holds people's ids or names, with the rows of the
 * copy that come from it. Each call looks at one page of the table. A stage may run any number of times. This file is long
 * because many tables hold people.
 */
import { replaceRows, replaceRunUser } from "../../copy/replace-rows.ts";
import type { BatchRows } from "../../copy/write.ts";
import { CELL_KEY } from "../../copy/write-cube.ts";
import type { PersonToErase } from "../books/erasures.ts";
import { forgetHeld } from "../books/held-sums.ts";
import type { Ledger } from "../books/ledger.ts";
import { loadOutbox } from "../books/outbox.ts";
import { getProgress, nextRevision } from "../books/progress.ts";
import { ENTRIES } from "../books/rows.ts";
import { CUBE, cellId, mergeCells } from "../copy/cube.ts";
import { addCycleTotal, CYCLE_TOTALS } from "../copy/totals.ts";
import type { Platform } from "../platform.ts";
import { opaqueId } from "./digest.ts";
import { logChanges } from "./export-log.ts";
import { keyOf, pageOf, type StageKey } from "./table-page.ts";

export type EraseDeps = { ledger: Ledger; platform: Platform };

/** Looks at the page after this key. Returns the key of its last row; null if it was the last page. */
type Stage = (deps: EraseDeps, person: PersonToErase, after: StageKey) => Promise<StageKey> | StageKey;

/** Looking at this many rows takes a few milliseconds. */
const PAGE_ROWS = 2_000;
const OUTBOX_ROWS = 5;
const BODY_ROWS = 100;

export const ERASE_STAGES: readonly Stage[] = [
  eraseRuns,
  eraseOutbox,
  eraseBudgets,
  eraseTotals,
  eraseDays,
  eraseCube,
  eraseName,
  eraseEntries,
  eraseKeys,
  eraseNotes,
  eraseBodies,
  eraseChannels,
  eraseJobs,
  eraseExportLog,
];

async function eraseRuns({ ledger, platform }: EraseDeps, person: PersonToErase, after: StageKey): Promise<StageKey> {
  const { sql } = ledger;
  const page = pageOf(sql, "runs", ["run"], after, PAGE_ROWS);
  const found = sql.all(`SELECT run FROM runs WHERE user = ? AND ${page.within}`, person.user, ...page.params);
  const runs = found.map(({ run }) => run as string);
  await replaceRunUser(platform.copy, ledger.id, runs, person);
  sql.transaction(() => {
    sql.run(
      `UPDATE runs SET user = ?1, pruned = iif(pruned IS NULL, NULL, json_set(pruned, '$.user', ?1))
        WHERE run IN (SELECT value FROM json_each(?2))`,
      person.replacement,
      JSON.stringify(runs),
    );
    logChanges(sql, "runs", runs);
    if (runs.length > 0) forgetHeld(sql);
  });
  ledger.recent.forget(runs);
  // What the runs hold now counts for the replacement.
  if (runs.length > 0) ledger.budgets.clear();
  return page.last;
}

/** An enterprise has at most 5,000 budgets, and the person has few of them. */
function eraseBudgets({ ledger }: EraseDeps, { user, replacement }: PersonToErase): StageKey {
  ledger.sql.transaction(() => {
    for (const table of ["budgets", "budget_levels"]) {
      ledger.sql.run(`UPDATE OR REPLACE ${table} SET id = ? WHERE dimension = 'user' AND id = ?`, replacement, user);
    }
    forgetHeld(ledger.sql);
  });
  ledger.budgets.clear();
  return null;
}

function eraseOutbox({ ledger }: EraseDeps, { user, replacement }: PersonToErase, after: StageKey): StageKey {
  const { sql, store } = ledger;
  store.erasures.outboxRewrites += 1;
  const rows = loadOutbox(sql, Number(after?.[0] ?? 0), OUTBOX_ROWS);
  for (const { lastSeq, items } of rows) {
    if (!items.some(({ debit }) => debit?.user === user)) continue;
    const replaced = items.map((item) =>
      item.debit?.user === user ? { ...item, debit: { ...item.debit, user: replacement } } : item,
    );
    sql.run("UPDATE outbox_items SET items = ? WHERE last_seq = ?", JSON.stringify(replaced), lastSeq);
  }
  const last = rows.at(-1)?.lastSeq ?? 0;
  // What these commits have moved of holds is then unknown, and is summed from the runs.
  const forget = "UPDATE outbox_items SET held = NULL WHERE last_seq > ? AND last_seq <= ? AND instr(held, ?) > 0";
  sql.run(forget, Number(after?.[0] ?? 0), last, jsonOf(user));
  return rows.length < OUTBOX_ROWS ? null : [last];
}

async function eraseTotals(deps: EraseDeps, { user, replacement }: PersonToErase, after: StageKey): Promise<StageKey> {
  const { sql } = deps.ledger;
  const key = ["unit", "cycle_starts_at_ms", "dimension", "id"];
  const page = pageOf(sql, "totals_cycle", key, after, PAGE_ROWS);
  const load = () => {
    const statement = `SELECT * FROM totals_cycle WHERE dimension = 'user' AND id = ? AND ${page.within}`;
    const before = sql.all(statement, user, ...page.params).map(CYCLE_TOTALS.read);
    const moved = before.map((total) => ({ ...total, id: replacement }));
    const merged = moved.map((total) => {
      const [stored] = CYCLE_TOTALS.loadSame(sql, [total]);
      if (stored === undefined) return total;
      addCycleTotal(total, stored);
      return { ...total, revision: Math.max(total.revision, stored.revision) };
    });
    return { before, merged };
  };
  const { before, merged } = load();
  const keys = before.map((total) => [total.unit, total.cycleStartsAtMs, total.dimension, total.id]);
  await replace(deps, { totals: { ...NO_TOTALS, cycle: merged } }, [{ table: "usage_by_dimension", key, keys }]);
  sql.transaction(() => {
    // Another call may have folded meanwhile.
    CYCLE_TOTALS.put(sql, load().merged);
    sql.run(`DELETE FROM totals_cycle WHERE dimension = 'user' AND id = ? AND ${page.within}`, user, ...page.params);
  });
  if (before.length > 0) deps.ledger.budgets.clear();
  return page.last;
}

/** What the last release stored of the days, which only budgets read. */
function eraseDays({ ledger }: EraseDeps, { user, replacement }: PersonToErase, after: StageKey): StageKey {
  const { sql } = ledger;
  const page = pageOf(sql, "totals_day", ["day_starts_at_ms", "dimension", "id", "unit"], after, PAGE_ROWS);
  const found = `FROM totals_day WHERE dimension = 'user' AND id = ? AND ${page.within}`;
  const rows = sql.all(`SELECT * ${found}`, user, ...page.params);
  sql.transaction(() => {
    for (const { day_starts_at_ms, unit, amount_micros } of rows) {
      sql.run(
        `INSERT INTO totals_day (day_starts_at_ms, dimension, id, unit, amount_micros) VALUES (?, 'user', ?, ?, ?)
          ON CONFLICT DO UPDATE SET amount_micros = amount_micros + excluded.amount_micros`,
        ...[day_starts_at_ms as number, replacement, unit as string, amount_micros as number],
      );
    }
    sql.run(`DELETE ${found}`, user, ...page.params);
  });
  if (rows.length > 0) ledger.budgets.clear();
  return page.last;
}

async function eraseCube(deps: EraseDeps, { user, replacement }: PersonToErase, after: StageKey): Promise<StageKey> {
  const { sql } = deps.ledger;
  const page = pageOf(sql, "cube", CELL_KEY, after, PAGE_ROWS);
  const load = () => {
    const found = sql.all(`SELECT * FROM cube WHERE user = ? AND ${page.within}`, user, ...page.params);
    const before = found.map(CUBE.read);
    const moved = before.map((cell) => ({ ...cell, user: replacement }));
    return { keys: found.map((row) => keyOf(CELL_KEY, row)), before, merged: mergeCells(sql, moved) };
  };
  const { keys, merged } = load();
  await replace(deps, { totals: { ...NO_TOTALS, cells: merged } }, [{ table: "usage_cube", key: CELL_KEY, keys }]);
  sql.transaction(() => {
    const now = load();
    const old = now.before.map(cellId);
    CUBE.put(sql, now.merged);
    sql.run(`DELETE FROM cube WHERE user = ? AND ${page.within}`, user, ...page.params);
    sql.run(
      "DELETE FROM export_log WHERE kind = 'usage' AND id IN (SELECT value FROM json_each(?))",
      JSON.stringify(old),
    );
    logChanges(sql, "usage", [...old.map(opaqueId), ...now.merged.map(cellId)]);
  });
  return page.last;
}

async function eraseName(deps: EraseDeps, { user, replacement }: PersonToErase): Promise<StageKey> {
  const { sql } = deps.ledger;
  const known = sql.all("SELECT 1 FROM names WHERE kind = 'user' AND id = ?", user).length > 0;
  const revision = known ? sql.transaction(() => nextRevision(sql, "names_revision")) : 0;
  const name = { kind: "user", id: replacement, name: replacement, group: null, revision };
  await replace(deps, { names: known ? [name] : [] }, [
    { table: "names", key: ["kind", "id"], keys: [["user", user]] },
  ]);
  if (!known) return null;
  sql.transaction(() => {
    sql.run("DELETE FROM names WHERE kind = 'user' AND id = ?", user);
    const put = "INSERT OR REPLACE INTO names (kind, id, name, group_id, revision) VALUES ('user', ?1, ?1, NULL, ?2)";
    sql.run(put, replacement, revision);
  });
  return null;
}

async function eraseEntries(deps: EraseDeps, { user, replacement }: PersonToErase, after: StageKey): Promise<StageKey> {
  const { sql } = deps.ledger;
  const page = pageOf(sql, "entries", ["seq"], after, PAGE_ROWS);
  const found = sql.all(
    `SELECT * FROM entries WHERE (caused_by = ? OR instr(facts, ?) > 0) AND ${page.within}`,
    ...[`user:${user}`, `"dimension":"user","id":${jsonOf(user)}`, ...page.params],
  );
  const entries = found.map(ENTRIES.read).map(({ seq, atMs, by, facts }) => ({
    seq,
    atMs,
    by: by === `user:${user}` ? `user:${replacement}` : by,
    facts: facts.type === "budget_changed" && facts.id === user ? { ...facts, id: replacement } : facts,
  }));
  await replace(deps, { entries }, []);
  sql.transaction(() => {
    ENTRIES.updateAll(sql, entries);
    logChanges(
      sql,
      "entries",
      entries.map(({ seq }) => String(seq)),
    );
  });
  return page.last;
}

function eraseKeys({ ledger: { sql } }: EraseDeps, person: PersonToErase, after: StageKey): StageKey {
  const page = pageOf(sql, "keys", ["id"], after, PAGE_ROWS);
  const { user, name, replacement } = person;
  sql.run(
    `UPDATE keys SET name = iif(name IN (?, ?), ?, name), created_by = iif(created_by = ?, ?, created_by)
      WHERE (name IN (?, ?) OR created_by = ?) AND ${page.within}`,
    ...[user, name ?? user, replacement, `user:${user}`, `user:${replacement}`],
    ...[user, name ?? user, `user:${user}`, ...page.params],
  );
  return page.last;
}

function eraseNotes({ ledger: { sql } }: EraseDeps, person: PersonToErase, after: StageKey): StageKey {
  const page = pageOf(sql, "grants", ["id"], after, PAGE_ROWS);
  const { user, name, replacement } = person;
  const statement = `UPDATE grants SET note = ? WHERE note IN (?, ?) AND ${page.within}`;
  sql.run(statement, replacement, user, name ?? user, ...page.params);
  return page.last;
}

/** The bodies of webhooks, and of messages to channels. */
function eraseBodies({ ledger: { sql } }: EraseDeps, person: PersonToErase, after: StageKey): StageKey {
  const page = pageOf(sql, "webhooks", ["number"], after, BODY_ROWS);
  const { user, name } = person;
  const found = sql.all(
    `SELECT number, body FROM webhooks WHERE (instr(body, ?) > 0 OR instr(body, ?) > 0) AND ${page.within}`,
    ...[jsonOf(user), jsonOf(name ?? user), ...page.params],
  );
  for (const { number, body } of found) {
    const replaced = JSON.stringify(replaceIn(JSON.parse(body as string), "", person));
    sql.run("UPDATE webhooks SET body = ? WHERE number = ?", replaced, number as number);
  }
  return page.last;
}

/** A channel to the person's address no longer reaches anybody. An enterprise has at most 50 channels. */
function eraseChannels({ ledger: { sql, store } }: EraseDeps, { user, replacement }: PersonToErase): StageKey {
  sql.run("UPDATE channels SET target = ?, active = 0 WHERE target = ?", replacement, user);
  sql.run("UPDATE channels SET created_by = ? WHERE created_by = ?", `user:${replacement}`, `user:${user}`);
  store.channels.forget();
  // The report of a cycle that is being made may have the person among the top users.
  const cursor = "UPDATE reports_due SET cursor = replace(cursor, ?, ?) WHERE cursor IS NOT NULL";
  sql.run(cursor, jsonOf(user), jsonOf(replacement));
  return null;
}

/** What ended jobs have found may quote rows. */
function eraseJobs({ ledger: { sql } }: EraseDeps, { user }: PersonToErase): StageKey {
  const statement = `UPDATE jobs SET result = 'null', detail = '' WHERE state <> 'running'
    AND (instr(result, ?1) > 0 OR instr(detail, ?1) > 0)`;
  sql.run(statement, user);
  return null;
}

/** The keys of cells that were removed. */
function eraseExportLog({ ledger: { sql } }: EraseDeps, { user }: PersonToErase, after: StageKey): StageKey {
  const page = pageOf(sql, "export_log", ["kind", "id"], after, PAGE_ROWS);
  const found = sql.all(
    `SELECT id, change FROM export_log WHERE kind = 'usage' AND instr(id, ?) > 0 AND ${page.within}`,
    ...[jsonOf(user), ...page.params],
  );
  for (const { id, change } of found) {
    if (!String(id).startsWith("[")) continue;
    if ((JSON.parse(String(id)) as unknown[])[CELL_KEY.indexOf("user")] !== user) continue;
    sql.run("DELETE FROM export_log WHERE kind = 'usage' AND id = ?", id as string);
    sql.run("INSERT OR REPLACE INTO export_log VALUES ('usage', ?, ?)", opaqueId(String(id)), change as number);
  }
  return page.last;
}

const NO_TOTALS = { time: [], cycle: [], cells: [], models: [] };
const NO_ROWS: BatchRows = { totals: NO_TOTALS, runs: [], entries: [], names: [], revision: 0 };

function replace(
  { ledger, platform }: EraseDeps,
  put: Partial<BatchRows>,
  removed: Parameters<typeof replaceRows>[1]["removed"],
): Promise<void> {
  const generation = getProgress(ledger.sql, "generation");
  return replaceRows(platform.copy, { enterprise: ledger.id, generation, put: { ...NO_ROWS, ...put }, removed });
}

/** Ids under these names are not a person's, even if they are the same text. */
const OTHER_IDS = ["run", "workspace", "group", "enterprise", "model", "grant", "key"];

/** Replaces each text that is exactly the person's id or name. */
function replaceIn(value: unknown, member: string, person: PersonToErase): unknown {
  if (Array.isArray(value)) return value.map((item) => replaceIn(item, member, person));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, replaceIn(item, name, person)]));
  }
  if (OTHER_IDS.includes(member)) return value;
  if (value === `user:${person.user}`) return `user:${person.replacement}`;
  return value === person.user || (value !== null && value === person.name) ? person.replacement : value;
}

function jsonOf(text: string): string {
  return JSON.stringify(text);
}
