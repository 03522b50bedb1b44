/**
 * The single row with the enterprise's identity, its settings, and the current cycle with its balances. Every commit
 * that changes the books updates this row. A cycle that has ended gets its own row in `cycles`.
 */
import type { Alerted, Books, Cycle, Notified, Settings } from "../../ledger/books.ts";
import { NO_GRANTS } from "../../ledger/grant-list.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { SqlRow } from "./sql.ts";
import { type Columns, Table } from "./table.ts";

/** What the Durable Object stores about its enterprise in addition to the books. */
export type Identity = {
  id: string;
  createdAtMs: AtMs;
  /** Null for an enterprise that follows the real clock. */
  testClockMs: AtMs | null;
  demo: boolean;
  /**
   * When the books last changed. The ledger's clock never shows a time before this, even if the real clock goes back.
   */
  lastAtMs: AtMs;
};

/** An enterprise as stored in its row. `read` leaves the grants empty, because they have their own table. */
export type Enterprise = { identity: Identity; books: Books };

/** The state of an enterprise between two changes. `paymentsWait`: whether payments of debt wait for their attribution. */
export type State = Enterprise & { paymentsWait: boolean };

const CYCLE_SUMS: Columns<Cycle> = {
  allowance_micros: (cycle) => cycle.allowanceMicros,
  monthly_used_micros: (cycle) => cycle.monthlyUsedMicros,
  bonus_used_micros: (cycle) => cycle.bonusUsedMicros,
  debt_micros: (cycle) => cycle.debtMicros,
  returned_micros: (cycle) => cycle.returnedMicros,
  spend_used_micros: (cycle) => cycle.spendUsedMicros,
};

function readCycleSums(row: SqlRow) {
  return {
    allowanceMicros: row.allowance_micros as number,
    monthlyUsedMicros: row.monthly_used_micros as number,
    bonusUsedMicros: row.bonus_used_micros as number,
    debtMicros: row.debt_micros as number,
    returnedMicros: row.returned_micros as number,
    spendUsedMicros: row.spend_used_micros as number,
  };
}

export const CYCLES = new Table<Cycle>({
  name: "cycles",
  key: { starts_at_ms: (cycle) => cycle.startsAtMs },
  changing: {
    ends_at_ms: (cycle) => cycle.endsAtMs,
    time_zone: (cycle) => cycle.timeZone,
    ...CYCLE_SUMS,
  },
  read: (row) => ({
    startsAtMs: row.starts_at_ms as number,
    endsAtMs: row.ends_at_ms as number,
    timeZone: row.time_zone as string,
    ...readCycleSums(row),
  }),
});

/** `changing` lists what debits, time and the cap change. The settings are not in it: only an operator changes them. */
export const ENTERPRISE = new Table<Enterprise>({
  name: "enterprise",
  key: { only: () => 1 },
  fixed: {
    id: ({ identity }) => identity.id,
    created_at_ms: ({ identity }) => identity.createdAtMs,
    settings: ({ books }) => JSON.stringify(books.settings),
  },
  changing: {
    test_clock_ms: ({ identity }) => identity.testClockMs,
    demo: ({ identity }) => Number(identity.demo),
    cycle_starts_at_ms: ({ books }) => books.cycle.startsAtMs,
    cycle_ends_at_ms: ({ books }) => books.cycle.endsAtMs,
    cycle_time_zone: ({ books }) => books.cycle.timeZone,
    ...columnsOfCycle(),
    cap_micros: ({ books }) => books.capMicros,
    held_credits_micros: ({ books }) => books.held.credits,
    held_usd_micros: ({ books }) => books.held.usd,
    notified: ({ books }) => JSON.stringify(books.notified),
    alerted: ({ books }) => (books.alerted == null ? null : JSON.stringify(books.alerted)),
    seq: ({ books }) => books.seq,
    last_at_ms: ({ identity }) => identity.lastAtMs,
  },
  read: (row) => ({
    identity: {
      id: row.id as string,
      createdAtMs: row.created_at_ms as number,
      testClockMs: row.test_clock_ms as number | null,
      demo: row.demo === 1,
      lastAtMs: row.last_at_ms as number,
    },
    books: {
      settings: JSON.parse(row.settings as string) as Settings,
      cycle: {
        startsAtMs: row.cycle_starts_at_ms as number,
        endsAtMs: row.cycle_ends_at_ms as number,
        timeZone: row.cycle_time_zone as string,
        ...readCycleSums(row),
      },
      grants: NO_GRANTS,
      held: { credits: row.held_credits_micros as number, usd: row.held_usd_micros as number },
      overdue: { credits: 0, usd: 0 },
      capMicros: row.cap_micros as number | null,
      notified: JSON.parse(row.notified as string) as Notified,
      alerted: row.alerted === null ? null : (JSON.parse(row.alerted as string) as Alerted),
      seq: row.seq as number,
    },
  }),
});

/** Returns the sums of the current cycle as columns of the enterprise's row. */
function columnsOfCycle(): Columns<Enterprise> {
  return Object.fromEntries(
    Object.entries(CYCLE_SUMS).map(([name, of]) => [name, ({ books }: Enterprise) => of(books.cycle)]),
  );
}
