// How values are stored: every table reads what it has written, and refuses to write what breaks an invariant.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { assertBalances, assertGrant, assertMeter } from "../../../src/enterprise/books/assertions.ts";
import { CYCLES, ENTERPRISE, type Enterprise } from "../../../src/enterprise/books/enterprise-row.ts";
import { ENTRIES, GRANTS, METER_USE, METERS, RUNS } from "../../../src/enterprise/books/rows.ts";
import { migrate } from "../../../src/enterprise/books/schema.ts";
import type { Sql } from "../../../src/enterprise/books/sql.ts";
import { Store } from "../../../src/enterprise/books/store.ts";
import type { Table } from "../../../src/enterprise/books/table.ts";
import type { Meter } from "../../../src/ledger/books.ts";
import { NO_GRANTS } from "../../../src/ledger/grant-list.ts";
import { resolveRates } from "../../../src/ledger/prices.ts";
import {
  APRIL,
  books,
  byomBooks,
  draw,
  grant,
  grantDraw,
  MARCH,
  meter,
  NOON,
  price,
  run,
  tokens,
} from "../../support/books.ts";
import { openSql } from "../../support/node-sql.ts";

function emptyTables(): Sql {
  const sql = openSql();
  migrate(sql);
  return sql;
}

function stored<T>(sql: Sql, table: string, { read }: Table<T>): T[] {
  return sql.all(`SELECT * FROM ${table === "meters" ? "meter_rows" : table}`).map(read);
}

function writeAndRead<T>(name: string, table: Table<T>, value: T): void {
  const sql = emptyTables();
  table.add(sql, [value]);
  expect(stored(sql, name, table)).toEqual([value]);
  expect(table.loadSame(sql, [value])).toEqual([value]);
}

/** Every field differs from every other, so that a swapped column shows. */
const FULL_METER: Meter = meter({
  reportedAs: ["alias", "another"],
  unit: "usd",
  price: price({
    bookVersion: 7,
    creditsPerUsd: 8,
    rates: resolveRates({ input: 1, output: 2, cache_read: 3, cache_write: 4 }),
  }),
  usage: tokens({ input: 11, output: 12, cache_read: 13, cache_write: 14 }),
  chargedMicros: 90,
  final: true,
  draws: [draw("monthly", 20), grantDraw("g1", 30, { lapsedMicros: 5 }), draw("debt", 40)],
  firstReportAtMs: NOON - 2,
  lastReportAtMs: NOON - 1,
});

const FULL_GRANT = grant("g1", {
  drawnMicros: 1,
  expiredMicros: 2,
  voidedMicros: 3,
  note: "thanks",
  expiresAtMs: APRIL,
  voided: true,
  seq: 9,
});
const HOLD = { unit: "usd", micros: 1, ttlMs: 2, expiresAtMs: 3 } as const;
const EXPIRED = { type: "grant_expired", grant: "g1", amountMicros: 5 } as const;

const ENTERPRISE_VALUE: Enterprise = {
  identity: { id: "acme", createdAtMs: 1, testClockMs: 2, demo: true, lastAtMs: 3 },
  books: {
    ...books({
      cycle: {
        allowanceMicros: 99,
        monthlyUsedMicros: 11,
        bonusUsedMicros: 12,
        debtMicros: 13,
        returnedMicros: 14,
        spendUsedMicros: 15,
      },
      held: { credits: 21, usd: 22 },
      capMicros: 23,
      alerted: {
        cycleStartsAtMs: MARCH,
        unit: "credits",
        percent: 25,
        totalMicros: 26,
        exhausted: true,
        onTrack: true,
        expiring: true,
        expiringUntilMs: 27,
      },
      seq: 24,
    }),
    grants: NO_GRANTS,
  },
};

describe("a table reads what it has written:", () => {
  it.each<[string, () => void]>([
    ["meters", () => writeAndRead("meters", METERS, FULL_METER)],
    ["runs with a hold", () => writeAndRead("runs", RUNS, run({ group: "g1", hold: HOLD }))],
    ["runs without", () => writeAndRead("runs", RUNS, run({ group: null, reported: false, hold: null }))],
    ["grants", () => writeAndRead("grants", GRANTS, FULL_GRANT)],
    ["cycles", () => writeAndRead("cycles", CYCLES, ENTERPRISE_VALUE.books.cycle)],
    ["entries", () => writeAndRead("entries", ENTRIES, { seq: 3, atMs: 4, by: "clock", facts: EXPIRED })],
    ["the enterprise", () => writeAndRead("enterprise", ENTERPRISE, ENTERPRISE_VALUE)],
  ])("%s", (_, check) => check());

  it("an update, which leaves what is fixed as it was stored", () => {
    const sql = emptyTables();
    METERS.add(sql, [meter({ draws: [], firstReportAtMs: MARCH })]);
    METERS.update(sql, FULL_METER);
    const { unit, price, firstReportAtMs } = meter({ firstReportAtMs: MARCH });
    expect(stored(sql, "meters", METERS)).toEqual([{ ...FULL_METER, unit, price, firstReportAtMs }]);
  });

  it("rows that are put, whether they were stored before or not", () => {
    const sql = emptyTables();
    GRANTS.add(sql, [grant("g1")]);
    GRANTS.put(sql, [grant("g1", { drawnMicros: 60 }), grant("g2", { drawnMicros: 70, seq: 3 })]);
    expect(stored(sql, "grants", GRANTS).map(({ drawnMicros }) => drawnMicros)).toEqual([60, 70]);
  });
});

describe("a commit asserts", () => {
  it("that the draws of a meter sum to its charge", () => {
    expect(() => assertMeter(FULL_METER)).not.toThrow();
    expect(() => assertMeter({ ...FULL_METER, chargedMicros: 91 })).toThrow("r1 on m1 is charged 91 micros");
    expect(() => assertMeter(meter({ chargedMicros: -1, draws: [draw("monthly", -1)] }))).toThrow("the charge of r1");
    expect(() => assertMeter(meter({ draws: [draw("monthly", 0.5), draw("debt", -0.5)] }))).toThrow("a draw of r1");
  });

  it("that no more of a grant is gone than its amount", () => {
    expect(() => assertGrant(grant("g1", { drawnMicros: 60, expiredMicros: 40 }))).not.toThrow();
    expect(() => assertGrant(grant("g1", { drawnMicros: 60, expiredMicros: 41 }))).toThrow("what remains of grant g1");
    expect(() => assertGrant(grant("g1", { drawnMicros: Number.NaN }))).toThrow("what is drawn of grant g1");
  });

  it("that balances are amounts, and that the allowance covers what is drawn on it", () => {
    expect(() => assertBalances(books({ cycle: { monthlyUsedMicros: 1_000, debtMicros: 5 } }))).not.toThrow();
    expect(() => assertBalances(books({ cycle: { monthlyUsedMicros: 1_001 } }))).toThrow(
      "what remains of the allowance",
    );
    expect(() => assertBalances(books({ held: { credits: -1, usd: 0 } }))).toThrow("held credits");
    expect(() => assertBalances(byomBooks({ capMicros: 2 ** 53 }))).toThrow("spend cap");
  });
});

describe("a stored meter", () => {
  const older = { pages: 1, micros: 5, debtCycleMs: null };
  /** Other values of every field that can change. */
  const changes: fc.Arbitrary<Partial<Meter>> = fc.record(
    {
      reportedAs: fc.constantFrom(["alias"], ["alias", "another"]),
      usage: fc.constantFrom(tokens({ input: 90 }), { ...tokens({ output: 3 }), web_searches: 2 }),
      final: fc.boolean(),
      estimated: fc.boolean(),
      draws: fc.constantFrom(
        [],
        [draw("monthly", 30)],
        [draw("debt", 4)],
        [draw("debt", 4, { cycleStartsAtMs: MARCH - 1 })],
      ),
      lastReportAtMs: fc.nat(1_000),
      older: fc.constantFrom(older, { ...older, debtCycleMs: MARCH }),
    },
    { requiredKeys: [] },
  );

  /** A charge must be the sum of its draws. */
  const charged = (value: Meter): Meter => {
    const drawn = value.draws.reduce((sum, { micros }) => sum + micros, value.older?.micros ?? 0);
    return { ...value, chargedMicros: drawn };
  };

  it("is written whole, whichever of its columns have changed", () => {
    const sql = emptyTables();
    const store = new Store(sql);
    METERS.add(sql, [FULL_METER]);
    fc.assert(
      fc.property(changes, changes, (first, second) => {
        const before = charged({ ...FULL_METER, ...first });
        const after = charged({ ...before, ...second });
        METERS.update(sql, before);
        store.putMeter(after, before);
        expect(stored(sql, "meters", METERS)).toEqual([after]);
        const written = sql.all("SELECT * FROM meters");
        METERS.update(sql, after);
        expect(written).toEqual(sql.all("SELECT * FROM meters"));
      }),
    );
  });

  it("has no other columns that can change", () => {
    const compared = ["reported_as", "further_usage", "final", "estimated", "debt_cycle_ms"];
    const ofOlderDraws = ["older_pages", "older_micros", "older_debt_cycle_ms"];
    expect([...METERS.changing].sort()).toEqual([...METER_USE.changing, ...compared, ...ofOlderDraws].sort());
  });
});
