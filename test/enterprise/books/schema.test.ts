// The numbered steps of the object's schema: a database of an older version takes the steps that it lacks, each in one
// transaction, also when storage breaks in between.
import { expect, it } from "vitest";
import { TOTAL_DIMENSIONS } from "../../../src/copy/batch.ts";
import { Ledger } from "../../../src/enterprise/books/ledger.ts";
import { loadOutbox } from "../../../src/enterprise/books/outbox.ts";
import { migrate, STEPS, schemaStep } from "../../../src/enterprise/books/schema.ts";
import type { Sql } from "../../../src/enterprise/books/sql.ts";
import { SURFACES } from "../../../src/ledger/books.ts";
import { DIMENSIONS } from "../../../src/ledger/dimensions.ts";
import { UNITS } from "../../../src/ledger/micros.ts";
import { dumpOf, faultySql, StorageFault } from "../../simulation/faulty-sql.ts";
import { NOON, openBooks, settings } from "../../support/books.ts";
import { openSql } from "../../support/node-sql.ts";

/** A step of a later version: a column, an index, and the value that old rows get. */
const LATER = [
  "ALTER TABLE runs ADD COLUMN region TEXT",
  "CREATE INDEX runs_by_region ON runs (region) WHERE region IS NOT NULL",
  "UPDATE runs SET region = 'nowhere'",
];

it("applies a later step to a database of an earlier version, and keeps its rows", () => {
  const { sql, books } = openBooks();
  sql.run(
    "INSERT INTO runs (run, surface, workspace, user, started_at_ms, reported) VALUES ('r', 'cli', 'w', 'u', 1, 1)",
  );
  migrate(sql, [...STEPS, LATER]);
  expect(schemaStep(sql)).toBe(STEPS.length + 1);
  expect(sql.all("SELECT run, region FROM runs")).toEqual([{ run: "r", region: "nowhere" }]);
  expect(new Ledger(sql, () => NOON).books).toEqual(books);
});

it("opens the state of the last release, with the changes that its copy does not have yet", () => {
  const sql = openSql();
  migrate(sql, STEPS.slice(0, 1));
  const items = [{ n: 2, run: "r1", debit: null }];
  sql.run("INSERT INTO journal (last_seq, at_ms, time_zone, items) VALUES (2, 1, 'UTC', ?)", JSON.stringify(items));
  migrate(sql);
  expect(loadOutbox(sql, 0, 10)).toEqual([{ lastSeq: 2, atMs: 1, timeZone: "UTC", items, held: null }]);
});

it("applies no step twice, and leaves a database of a later version unchanged", () => {
  const { sql } = openBooks();
  migrate(sql, [...STEPS, LATER]);
  const after = dumpOf(sql);
  migrate(sql, [...STEPS, LATER]);
  migrate(sql);
  expect(dumpOf(sql)).toBe(after);
});

it("is exactly as before a step, wherever storage breaks in it, and continues from there", () => {
  const steps = [...STEPS, LATER];
  const sql = faultySql(() => {});
  for (const [step, statements] of steps.entries()) {
    const before = schemaAndRows(sql);
    // Each statement of the step, and the one that notes the step, breaks once.
    for (let after = 0; after <= statements.length; after++) {
      sql.arm({ after, writesOnly: true });
      expect(breaks(() => migrate(sql, steps))).toBe(true);
      expect([schemaStep(sql), schemaAndRows(sql)]).toEqual([step, before]);
    }
    migrate(sql, steps.slice(0, step + 1));
    expect(schemaStep(sql)).toBe(step + 1);
  }
  const ledger = new Ledger(sql, () => NOON);
  expect(ledger.provisioned).toBe(false);
  ledger.create("acme", settings(), null);
  expect(ledger.gauge().seq).toBe(1);
});

it("is provisioned completely or not at all, wherever its creation breaks", () => {
  const fresh = () => {
    const sql = faultySql(() => {});
    migrate(sql);
    return sql;
  };
  let sql = fresh();
  const before = schemaAndRows(sql);
  let rolledBack = 0;
  for (let after = 0, fault = true; fault; after++) {
    const ledger = new Ledger(sql, () => NOON);
    sql.arm({ after, writesOnly: false });
    fault = breaks(() => ledger.create("acme", settings(), null));
    sql.disarm();
    const woken = new Ledger(sql, () => NOON);
    if (!woken.provisioned) {
      expect(schemaAndRows(sql)).toBe(before);
      rolledBack += 1;
      continue;
    }
    expect(woken.state().identity.id).toBe("acme");
    expect(sql.all("SELECT count(*) AS n FROM entries")).toEqual([{ n: 1 }]);
    sql = fresh();
  }
  expect(rolledBack).toBeGreaterThan(3);
});

function schemaAndRows(sql: Sql): string {
  return `${JSON.stringify(sql.all("SELECT name, sql FROM sqlite_master ORDER BY name"))}\n${dumpOf(sql)}`;
}

function breaks(act: () => void): boolean {
  try {
    act();
    return false;
  } catch (error) {
    expect(error).toBeInstanceOf(StorageFault);
    return true;
  }
}

it.each([
  ["meters", "unit", UNITS],
  ["runs", "surface", SURFACES],
  ["totals_cycle", "dimension", TOTAL_DIMENSIONS],
  ["names", "kind", DIMENSIONS],
])("allows in %s.%s exactly the values that the ledger knows", (table, column, values) => {
  const sql = openSql();
  migrate(sql);
  const created = sql.all("SELECT sql FROM sqlite_master WHERE name = ?", table)[0]?.sql as string;
  // A released step keeps its list, so a new value needs a new step.
  expect(created).toContain(`${column} TEXT NOT NULL CHECK (${column} IN (${values.map((v) => `'${v}'`).join(", ")}))`);
});
