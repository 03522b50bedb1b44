// The pages of an export while traffic arrives: nothing is missing, what changes appears again, what was removed is named.
import { expect, it } from "vitest";
import { Ledger } from "../../../src/enterprise/books/ledger.ts";
import { setProgress } from "../../../src/enterprise/books/progress.ts";
import { confirmBatch } from "../../../src/enterprise/copy/projection.ts";
import { exportPage } from "../../../src/enterprise/data/export.ts";
import { markExportLog, pruneExportLog } from "../../../src/enterprise/data/export-log.ts";
import { prune } from "../../../src/enterprise/jobs/pruning.ts";
import type { ExportCursor, ExportKind, ExportLine } from "../../../src/wire/export.ts";
import { DAY_MS, MARCH, NOON, report, settings } from "../../support/books.ts";
import { openSql } from "../../support/node-sql.ts";
import { takeWaiting } from "../../support/take-batch.ts";

function openLedger() {
  const clock = { nowMs: NOON };
  const ledger = new Ledger(openSql(), () => clock.nowMs);
  ledger.create("acme", settings({ allowanceOverrideMicros: 1_000_000 }), null);
  return { ledger, clock };
}

/** Replaces rows by their id, as a consumer does. Returns the cursor of the last page that was not the end. */
class Consumer {
  readonly rows = new Map<string, ExportLine>();
  cursor: ExportCursor | null = null;
  pages = 0;

  constructor(
    readonly ledger: Ledger,
    readonly kind: ExportKind,
    readonly limit: number,
  ) {}

  /** Reads one page. Returns whether it was the end. */
  read(): boolean {
    const page = exportPage(this.ledger, this.kind, this.cursor, this.limit);
    if (page === null) throw new Error("the cursor has expired");
    for (const line of page.lines) {
      if (line.removed === true) this.rows.delete(line.id);
      else this.rows.set(line.id, line);
    }
    this.pages += 1;
    if (!page.ended) this.cursor = page.next;
    return page.ended;
  }

  readAll(): void {
    while (!this.read());
  }
}

const runIds = (ledger: Ledger) => ledger.sql.all("SELECT run FROM runs ORDER BY run").map(({ run }) => run);

it("misses nothing and repeats what changes, over ten resumptions while traffic arrives", () => {
  const { ledger } = openLedger();
  for (let i = 0; i < 50; i++) ledger.debit([report(10, { run: `r${i}` })]);
  const consumer = new Consumer(ledger, "runs", 7);
  for (let round = 0; round < 10; round++) {
    consumer.read();
    // New runs before and behind the place of the export, and changes of runs that were listed or were not yet.
    ledger.debit([report(20 + round, { run: "r0" }), report(5, { run: `a${round}` }), report(5, { run: `z${round}` })]);
    if (round % 3 === 0) {
      const batch = takeWaiting(ledger);
      if (batch !== null) confirmBatch(ledger, batch);
    }
  }
  consumer.readAll();
  expect([...consumer.rows.keys()].sort()).toEqual(runIds(ledger));
  expect(consumer.rows.get("r0")).toMatchObject({ id: "r0", run: "r0", charged_micros: 29, user: "u1", final: false });
  // Later, a consumer continues with the last cursor that it got.
  ledger.debit([report(99, { run: "r3" })]);
  consumer.readAll();
  expect(consumer.rows.get("r3")?.charged_micros).toBe(99);
});

it("lists the journal in its order, continues with new entries, and shows a changed entry again", () => {
  const { ledger } = openLedger();
  const add = (id: string) =>
    ledger.addGrant({ id, amountMicros: 1, source: "promotion", note: null, expiresAtMs: null }, "operator");
  for (let i = 0; i < 9; i++) add(`g${i}`);
  const consumer = new Consumer(ledger, "entries", 4);
  consumer.readAll();
  expect([...consumer.rows.values()].map(({ type }) => type)).toEqual([
    "cycle_started",
    ...Array(9).fill("grant_added"),
  ]);
  expect(consumer.rows.get("1")).toMatchObject({ id: "1", seq: 1, by: "operator", at: "2026-03-10T12:00:00.000Z" });
  add("later");
  consumer.readAll();
  expect(consumer.rows.size).toBe(11);
});

it("names the rows that were removed since the first export", () => {
  const { ledger, clock } = openLedger();
  for (let i = 0; i < 5; i++) ledger.debit([report(10, { run: `r${i}`, startedAtMs: NOON })]);
  const consumer = new Consumer(ledger, "runs", 3);
  consumer.readAll();
  expect(consumer.rows.size).toBe(5);
  clock.nowMs = NOON + 401 * DAY_MS;
  ledger.debit([report(10, { run: "new", startedAtMs: clock.nowMs })]);
  while (prune(ledger));
  while (prune(ledger));
  expect(runIds(ledger)).toEqual(["new"]);
  consumer.readAll();
  expect([...consumer.rows.keys()]).toEqual(["new"]);
});

it("costs nothing before the first export", () => {
  const { ledger } = openLedger();
  ledger.debit([report(10)]);
  takeWaiting(ledger);
  expect(ledger.sql.all("SELECT * FROM export_log")).toEqual([]);
});

it("refuses a cursor from before a restore", () => {
  const { ledger } = openLedger();
  const page = exportPage(ledger, "runs", null, 10);
  setProgress(ledger.sql, "restores", 1);
  expect(exportPage(ledger, "runs", page?.next ?? null, 10)).toBeNull();
  expect(exportPage(ledger, "runs", null, 10)).not.toBeNull();
});

it("works in pages of any size", () => {
  for (const limit of [1, 2, 3, 5, 100]) {
    const { ledger } = openLedger();
    for (let i = 0; i < 6; i++) ledger.debit([report(1 + i, { run: `r${i}`, startedAtMs: MARCH })]);
    const consumer = new Consumer(ledger, "runs", limit);
    consumer.readAll();
    expect([...consumer.rows.keys()]).toEqual(["r0", "r1", "r2", "r3", "r4", "r5"]);
  }
});

it("gives usage by day and everything it is attributed to, under ids that do not show a person", () => {
  const { ledger, clock } = openLedger();
  ledger.debit([report(10, { run: "r1", user: "ada@example.com" }), report(7, { run: "r2", user: "bob" })]);
  const consumer = new Consumer(ledger, "usage", 1);
  consumer.readAll();
  const [line] = [...consumer.rows.values()].filter(({ user }) => user === "ada@example.com");
  expect(line).toMatchObject({
    ...{ day: "2026-03-10", surface: "web", workspace: "w1", group: "none", tier: "standard", unit: "credits" },
    ...{ requests: 1, amount_micros: 10, usage: { input_tokens: 10 } },
  });
  expect(line?.id).toMatch(/^[0-9a-f]{32}$/);
  // Later on the same day the row changes, and appears again with the same id; the next day has another row.
  const ada = { run: "r1", user: "ada@example.com" };
  ledger.debit([report(15, ada)]);
  clock.nowMs += DAY_MS;
  ledger.debit([report(25, ada)]);
  consumer.readAll();
  expect(consumer.rows.get(line?.id as string)?.amount_micros).toBe(15);
  expect([...consumer.rows.values()].map(({ amount_micros }) => amount_micros)).toEqual([15, 7, 10]);
  const removed = "DELETE FROM cube WHERE user = 'bob'";
  ledger.sql.run(removed);
  consumer.readAll();
  expect([...consumer.rows.values()].some(({ user }) => user === "bob")).toBe(false);
});

it("deletes changes from its log after 90 days, in portions, and refuses older cursors", () => {
  const { ledger, clock } = openLedger();
  const oldest = exportPage(ledger, "runs", null, 100)?.next ?? null;
  const logged = () => Number(ledger.sql.all("SELECT count(*) AS n FROM export_log")[0]?.n);
  const prune = () => {
    let portions = 1;
    while (ledger.sql.transaction(() => pruneExportLog(ledger.sql, clock.nowMs))) portions += 1;
    return portions;
  };
  const charge = (first: number, count: number) => {
    const runs = Array.from({ length: count }, (_, i) => report(1, { run: `r${first + i}`, startedAtMs: clock.nowMs }));
    ledger.debit(runs);
    const batch = takeWaiting(ledger);
    if (batch !== null) confirmBatch(ledger, batch);
  };
  for (let day = 0; day < 100; day++) {
    clock.nowMs = NOON + day * DAY_MS;
    charge(day * 30, 30);
    expect(prune()).toBe(1);
    markExportLog(ledger.sql, clock.nowMs);
  }
  // Nothing that a cursor of the last 90 days needs is missing.
  expect(logged()).toBeLessThanOrEqual(95 * 30);
  expect(exportPage(ledger, "runs", oldest, 100)).toBeNull();
  const later = new Consumer(ledger, "runs", 1_000);
  later.readAll();
  clock.nowMs += 89 * DAY_MS;
  charge(100_000, 1);
  expect(prune()).toBeGreaterThan(1);
  later.readAll();
  expect(later.rows.size).toBe(100 * 30 + 1);
  expect(logged()).toBeLessThanOrEqual(5 * 30);
  expect(Number(ledger.sql.all("SELECT count(*) AS n FROM export_marks")[0]?.n)).toBeLessThanOrEqual(91);
});
