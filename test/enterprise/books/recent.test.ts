// The cache of recent runs saves queries and changes no answer.
import { expect, it } from "vitest";
import { Ledger } from "../../../src/enterprise/books/ledger.ts";
import { Recent } from "../../../src/enterprise/books/recent.ts";
import type { Sql } from "../../../src/enterprise/books/sql.ts";
import { prune } from "../../../src/enterprise/jobs/pruning.ts";
import { Dice } from "../../simulation/dice.ts";
import {
  DAY_MS,
  debit,
  grantDraw,
  grantRequest,
  HOUR_MS,
  meter,
  NOON,
  openBooks,
  report,
  run,
  settings,
  start,
} from "../../support/books.ts";
import { openSql } from "../../support/node-sql.ts";

const SEED = 20_261_125;
const TABLES = ["enterprise", "runs", "meters", "grants", "entries", "outbox_items", "cycles"];

function countReads(sql: Sql): Sql & { reads: string[] } {
  const reads: string[] = [];
  return {
    ...sql,
    reads,
    all: (statement, ...params) => {
      reads.push(statement);
      return sql.all(statement, ...params);
    },
  };
}

function rowsOf(ledger: Ledger): unknown[] {
  return TABLES.map((table) => ledger.sql.all(`SELECT * FROM ${table} ORDER BY 1, 2`));
}

/** One random call, the same for every ledger that is given the same dice. */
function randomCall(ledger: Ledger, dice: Dice, step: number): unknown {
  const name = `r${dice.whole(1, 6)}`;
  const model = dice.pick(["m1", "m2"]);
  const input = dice.whole(0, 400);
  switch (dice.weighted({ debit: 20, start: 4, release: 1, grant: 2, clock: 5, late: 1, plan: 1 })) {
    case "debit":
      return ledger.debit([
        report(input, { run: name, model, startedAtMs: ledger.nowMs(), final: dice.chance(0.1) }),
        report(input + 1, { run: `r${dice.whole(1, 6)}`, model, startedAtMs: ledger.nowMs() }),
      ]);
    case "start":
      return ledger.start(start({ run: name, holdMicros: dice.whole(1, 200), holdTtlMs: HOUR_MS }));
    case "release":
      return ledger.releaseHold(name);
    case "grant":
      return ledger.addGrant(grantRequest(`g${step}`, dice.whole(1, 300)), "operator");
    case "clock":
      return ledger.moveClock(ledger.nowMs() + dice.whole(0, 6 * HOUR_MS));
    case "late":
      ledger.moveClock(ledger.nowMs() + dice.whole(1, 50) * DAY_MS);
      return prune(ledger);
    case "plan":
      return ledger.changeSettings({ allowanceOverrideMicros: dice.whole(0, 5_000) }, "operator");
  }
}

it("answers and stores the same with and without the cache", () => {
  for (let story = 0; story < 40; story++) {
    const [caching, uncached] = [openBooks(), openBooks()];
    const [dice, same] = [new Dice(SEED + story), new Dice(SEED + story)];
    for (let step = 0; step < 120; step++) {
      uncached.recent.clear();
      const answer = randomCall(caching, dice, step);
      expect(answer, `story ${story} of seed ${SEED}, step ${step}`).toEqual(randomCall(uncached, same, step));
    }
    expect(rowsOf(caching)).toEqual(rowsOf(uncached));
  }
});

it("reads nothing for the next report of an active run", () => {
  const sql = countReads(openSql());
  const ledger = new Ledger(sql, () => NOON);
  ledger.create("acme", settings(), NOON);
  debit(ledger, report(1));
  sql.reads.length = 0;
  debit(ledger, report(2));
  expect(sql.reads).toEqual([]);
});

it("caches nothing of a change that failed", () => {
  let failing = false;
  const sql = openSql();
  const faulty: Sql = {
    ...sql,
    run: (statement, ...params) => {
      if (failing && statement.startsWith("UPDATE enterprise")) throw new Error("SQLITE_FULL");
      sql.run(statement, ...params);
    },
  };
  const ledger = new Ledger(faulty, () => NOON);
  ledger.create("acme", settings(), NOON);
  debit(ledger, report(100));
  failing = true;
  expect(() => debit(ledger, report(300))).toThrow("SQLITE_FULL");
  failing = false;
  expect(debit(ledger, report(300))).toMatchObject({ chargedMicros: 200, runTotalMicros: 300 });
});

it("caches a bounded number of runs: those that were charged last", () => {
  const recent = new Recent();
  for (let n = 0; n < 10_000; n++) recent.keep({ run: run({ run: `r${n}` }), meters: [meter({ run: `r${n}` })] });
  const kept = Array.from({ length: 10_000 }, (_, n) => recent.find(`r${n}`)).filter((found) => found !== undefined);
  expect(kept.length).toBe(4_000);
  expect(recent.find("r9999")).toBeDefined();
  expect(recent.find("r0")).toBeUndefined();
});

it("caches a bounded number of meters and draws, however many each run has", () => {
  const recent = new Recent();
  const draws = Array.from({ length: 80 }, (_, n) => grantDraw(`g${n}`, 1));
  const meters = Array.from({ length: 100 }, (_, n) => meter({ model: `m${n}`, draws }));
  for (let n = 0; n < 1_000; n++) recent.keep({ run: run({ run: `r${n}` }), meters });
  const kept = Array.from({ length: 1_000 }, (_, n) => recent.find(`r${n}`)).filter((found) => found !== undefined);
  expect(kept.length).toBe(7);
  recent.forget(["r999"]);
  recent.keep({ run: run({ run: "small" }), meters: [meter()] });
  expect(recent.find("r993")).toBeDefined();
});
