/**
 * How an enterprise and its cycles lie in rows: the one row that every commit rewrites holds settings, the running
 * cycle with its balances, and where the journal stands; a cycle that has ended gets a row of its own.
 */
import type { Books, Cycle, Notified, Settings } from "../../ledger/books.ts";
import { updateOf } from "./rows.ts";
import type { SqlRow, SqlValue } from "./sql.ts";

/** What the object knows of its enterprise beside the books. */
export type Identity = {
  id: string;
  createdAtMs: number;
  /** Null: the enterprise goes by the real clock. */
  testClockMs: number | null;
  demo: boolean;
  /** The latest instant that the books have seen: a clock that steps back is not followed. */
  lastAtMs: number;
};

export const CYCLE_COLUMNS = [
  "starts_at_ms",
  "ends_at_ms",
  "time_zone",
  "allowance_micros",
  "monthly_used_micros",
  "bonus_used_micros",
  "debt_micros",
  "returned_micros",
  "spend_used_micros",
] as const;

/** What changes with debits, time and the cap. */
const BALANCE_COLUMNS = [
  "test_clock_ms",
  "demo",
  "cycle_starts_at_ms",
  "cycle_ends_at_ms",
  "cycle_time_zone",
  "allowance_micros",
  "monthly_used_micros",
  "bonus_used_micros",
  "debt_micros",
  "returned_micros",
  "spend_used_micros",
  "cap_micros",
  "held_credits_micros",
  "held_usd_micros",
  "notified",
  "seq",
  "last_at_ms",
] as const;

const ENTERPRISE_COLUMNS = ["id", "settings", "created_at_ms", ...BALANCE_COLUMNS] as const;

export const PUT_ENTERPRISE = `INSERT INTO enterprise (only, ${ENTERPRISE_COLUMNS.join(", ")})
  VALUES (1, ${ENTERPRISE_COLUMNS.map(() => "?").join(", ")})
  ON CONFLICT (only) DO UPDATE SET ${ENTERPRISE_COLUMNS.map((column) => `${column} = excluded.${column}`).join(", ")}`;

export const PUT_BALANCES = updateOf("enterprise", BALANCE_COLUMNS, []);

export function enterpriseToList(identity: Identity, books: Books): SqlValue[] {
  const { id, createdAtMs } = identity;
  return [id, JSON.stringify(books.settings), createdAtMs, ...balancesToList(identity, books)];
}

export function balancesToList(identity: Identity, books: Books): SqlValue[] {
  return [
    identity.testClockMs,
    Number(identity.demo),
    ...cycleToList(books.cycle),
    books.capMicros,
    books.held.credits,
    books.held.usd,
    JSON.stringify(books.notified),
    books.seq,
    identity.lastAtMs,
  ];
}

/** The enterprise's row, without the grants, which have rows of their own. */
export function enterpriseOfRow(row: SqlRow): { identity: Identity; books: Books } {
  return {
    identity: {
      id: row.id as string,
      createdAtMs: row.created_at_ms as number,
      testClockMs: row.test_clock_ms as number | null,
      demo: row.demo === 1,
      lastAtMs: row.last_at_ms as number,
    },
    books: {
      settings: JSON.parse(row.settings as string) as Settings,
      cycle: cycleOfRow({
        ...row,
        starts_at_ms: row.cycle_starts_at_ms ?? null,
        ends_at_ms: row.cycle_ends_at_ms ?? null,
        time_zone: row.cycle_time_zone ?? null,
      }),
      grants: [],
      held: { credits: row.held_credits_micros as number, usd: row.held_usd_micros as number },
      capMicros: row.cap_micros as number | null,
      notified: JSON.parse(row.notified as string) as Notified,
      seq: row.seq as number,
    },
  };
}

export function cycleToList(cycle: Cycle): SqlValue[] {
  return [
    cycle.startsAtMs,
    cycle.endsAtMs,
    cycle.timeZone,
    cycle.allowanceMicros,
    cycle.monthlyUsedMicros,
    cycle.bonusUsedMicros,
    cycle.debtMicros,
    cycle.returnedMicros,
    cycle.spendUsedMicros,
  ];
}

export function cycleOfRow(row: SqlRow): Cycle {
  return {
    startsAtMs: row.starts_at_ms as number,
    endsAtMs: row.ends_at_ms as number,
    timeZone: row.time_zone as string,
    allowanceMicros: row.allowance_micros as number,
    monthlyUsedMicros: row.monthly_used_micros as number,
    bonusUsedMicros: row.bonus_used_micros as number,
    debtMicros: row.debt_micros as number,
    returnedMicros: row.returned_micros as number,
    spendUsedMicros: row.spend_used_micros as number,
  };
}
