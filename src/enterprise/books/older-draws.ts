/**
 * The older draws of meters that have drawn on very many buckets. A meter's row holds its newest draws. The others are in
 * pages, in the order of the draws, and each page knows its sums. So no row and no debit grows with what a meter has
 * drawn. A refund takes back into the row as many draws as it undoes. A payment changes the draws on debt where they are.
 */
import type { Draw, Meter, OlderDraws } from "../../ledger/books.ts";
import { addPaid, attributePayments, latestDebtCycleMs } from "../../ledger/debt.ts";
import type { Micros } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import { type DrawList, drawOfList, drawToList } from "./draw-list.ts";
import type { Sql, SqlRow } from "./sql.ts";

/** What `meters` has of the older draws, and the pages. `draws` is null once pruning has noted what it drew on. */
export const OLDER_DRAWS_STEP: string[] = [
  "ALTER TABLE meters ADD COLUMN older_pages INTEGER",
  "ALTER TABLE meters ADD COLUMN older_micros INTEGER",
  "ALTER TABLE meters ADD COLUMN older_debt_cycle_ms INTEGER",
  `CREATE TABLE older_draws (
    run TEXT NOT NULL,
    model TEXT NOT NULL,
    page INTEGER NOT NULL,
    micros INTEGER NOT NULL CHECK (micros BETWEEN 0 AND 9007199254740991),
    debt_cycle_ms INTEGER,
    sums TEXT NOT NULL,
    draws TEXT,
    PRIMARY KEY (run, model, page)
  ) STRICT`,
  `CREATE INDEX older_draws_in_debt ON older_draws (run, model, page, debt_cycle_ms) WHERE debt_cycle_ms IS NOT NULL`,
];

/** A meter whose row has more draws than this moves the oldest into pages of half as many. */
const MAX_DRAWS_IN_ROW = 256;
/** How many pages of a meter's debt are paid before the debt of later meters. */
const PAGES_AT_ONCE = 8;

export class OlderDrawPages {
  /** Tests lower this. */
  maxDrawsInRow = MAX_DRAWS_IN_ROW;

  constructor(readonly sql: Sql) {}

  /**
   * Moves the oldest draws into pages if the meter has too many for its row, and deletes the pages whose draws `take` has
   * returned. Returns the meter as its row has it. `before` is the meter as it was stored.
   */
  shorten(meter: Meter, before?: Meter): Meter {
    const { run, key } = meter;
    const kept = meter.older?.pages ?? 0;
    if ((before?.older?.pages ?? 0) > kept) {
      this.sql.run("DELETE FROM older_draws WHERE run = ? AND model = ? AND page >= ?", run, key, kept);
    }
    if (meter.draws.length <= this.maxDrawsInRow) return meter;
    const size = Math.ceil(this.maxDrawsInRow / 2);
    let { draws, older = NONE } = meter;
    const pages: unknown[][] = [];
    while (draws.length > this.maxDrawsInRow) {
      const page = draws.slice(0, size);
      draws = draws.slice(size);
      pages.push([kept + pages.length, ...columnsOf(page)]);
      older = {
        pages: older.pages + 1,
        micros: older.micros + sumOf(page),
        debtCycleMs: latest(older.debtCycleMs, latestDebtCycleMs(page)),
      };
    }
    // A page has at most about 15 KB.
    for (let from = 0; from < pages.length; from += PAGES_PER_STATEMENT) {
      this.sql.run(
        `INSERT INTO older_draws (run, model, page, micros, debt_cycle_ms, sums, draws)
          SELECT ?1, ?2, value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4 FROM json_each(?3)`,
        run,
        key,
        JSON.stringify(pages.slice(from, from + PAGES_PER_STATEMENT)),
      );
    }
    return { ...meter, draws, older };
  }

  /**
   * Returns the meter with enough of its newest draws to sum to `micros`. Stores nothing: `shorten` deletes the pages that
   * were taken when the meter is stored.
   */
  take(meter: Meter, micros: Micros): Meter {
    let { older } = meter;
    const { run, key } = meter;
    /** The draws of the pages that were taken, newest page first. They are joined once, because there may be hundreds. */
    const taken: Draw[][] = [meter.draws as Draw[]];
    let drawn = sumOf(meter.draws);
    while (older !== undefined && drawn < micros) {
      const statement = `SELECT page, micros, sums, draws FROM older_draws
        WHERE run = ? AND model = ? AND page < ? ORDER BY page DESC LIMIT ${PAGES_PER_STATEMENT}`;
      const rows = this.sql.all(statement, run, key, older.pages);
      if (rows.length === 0) throw new Error(`pages of the draws of ${run} on ${meter.model} are missing`);
      for (const row of rows) {
        if (drawn >= micros) break;
        const page = row.page as number;
        taken.push(drawsOf(row));
        drawn += row.micros as number;
        older =
          page === 0 ? undefined : { pages: page, micros: older.micros - (row.micros as number), debtCycleMs: null };
        if (older === undefined) break;
      }
    }
    if (older === meter.older) return meter;
    const { older: _, ...rest } = meter;
    const left = older === undefined ? {} : { older: { ...older, debtCycleMs: this.#debtCycleMs(meter, older.pages) } };
    return { ...rest, draws: taken.reverse().flat(), ...left };
  }

  /** Returns the meter with at least its newest `count` draws, and the sums of all draws before those. For readers. */
  newest(meter: Meter, count: number): { meter: Meter; olderSums: readonly Draw[] } {
    if (meter.older === undefined) return { meter, olderSums: [] };
    const { run, key } = meter;
    let { draws } = meter;
    let page = meter.older.pages;
    while (page > 0 && draws.length < count) {
      page -= 1;
      const [row] = this.sql.all("SELECT * FROM older_draws WHERE run = ? AND model = ? AND page = ?", run, key, page);
      const loaded = drawsOf(row as SqlRow);
      // Once a page is pruned, only the sums of it and of those before it are left.
      if (row?.draws === null) {
        page += 1;
        break;
      }
      draws = [...loaded, ...draws];
    }
    const statement = "SELECT sums FROM older_draws WHERE run = ? AND model = ? AND page < ? ORDER BY page";
    const olderSums = sumDraws(this.sql.all(statement, run, key, page).flatMap(({ sums }) => parse(sums as string)));
    return { meter: { ...meter, draws }, olderSums };
  }

  /** Returns the sums of all draws of these meters that are not in their rows, by bucket and cycle. */
  sums(meters: readonly Meter[]): ReadonlyMap<Meter, readonly Draw[]> {
    const spilled = meters.filter(({ older }) => older !== undefined);
    return new Map(spilled.map((meter) => [meter, this.newest({ ...meter, draws: [] }, 0).olderSums]));
  }

  /**
   * Attributes payments of one cycle to these debtors, in their order. Returns the payments that are left and the debtors
   * that changed. Payments may be left because a debtor has too many pages for one change: then call again.
   */
  pay(payments: readonly Draw[], debtors: readonly Meter[]): { payments: readonly Draw[]; paid: Meter[] } {
    const cycleStartsAtMs = payments[0]?.cycleStartsAtMs;
    let left = payments;
    const paid: Meter[] = [];
    for (const debtor of debtors) {
      if (left.length === 0 || cycleStartsAtMs === undefined) break;
      const { meter, payments: rest, complete } = this.#payOne(left, debtor, cycleStartsAtMs);
      left = rest;
      if (meter !== debtor) paid.push(meter);
      if (!complete) break;
    }
    return { payments: left, paid };
  }

  #payOne(payments: readonly Draw[], debtor: Meter, cycleStartsAtMs: AtMs) {
    let left = payments;
    let meter = debtor;
    const pages = this.#pagesInDebt(debtor, cycleStartsAtMs);
    for (const { page, draws } of pages) {
      const attributed = attributePayments(left, draws);
      left = attributed.payments;
      if (attributed.paidMicros === 0) continue;
      this.#putPage(meter, page, attributed.debts);
      const { older = NONE } = meter;
      meter = {
        ...meter,
        draws: addPaid(meter.draws, attributed.parts),
        older: {
          ...older,
          micros: older.micros - attributed.paidMicros,
          debtCycleMs: this.#debtCycleMs(meter, older.pages),
        },
      };
    }
    const owesMore = pages.length === PAGES_AT_ONCE && pages.at(-1)?.owes === true;
    if (owesMore || left.length === 0) return { meter, payments: left, complete: !owesMore };
    const { payments: rest, paidMicros, debts, parts } = attributePayments(left, meter.draws);
    if (paidMicros > 0) meter = { ...meter, draws: addPaid(debts, parts) };
    return { meter, payments: rest, complete: true };
  }

  /** The oldest pages that have debt of this cycle, or of a later one. */
  #pagesInDebt({ run, key, older }: Meter, cycleStartsAtMs: AtMs) {
    if ((older?.debtCycleMs ?? null) === null) return [];
    const statement = `SELECT page, sums, draws FROM older_draws
      WHERE run = ? AND model = ? AND debt_cycle_ms >= ? ORDER BY page LIMIT ?`;
    return this.sql.all(statement, run, key, cycleStartsAtMs, PAGES_AT_ONCE).map((row) => {
      const draws = drawsOf(row);
      const owes = draws.some((draw) => draw.bucket === "debt" && draw.cycleStartsAtMs === cycleStartsAtMs);
      return { page: row.page as number, draws, owes };
    });
  }

  #putPage({ run, key }: Meter, page: number, draws: readonly Draw[]): void {
    this.sql.run(
      `UPDATE older_draws SET micros = ?, debt_cycle_ms = ?, sums = ?, draws = ?
        WHERE run = ? AND model = ? AND page = ?`,
      ...columnsOf(draws),
      run,
      key,
      page,
    );
  }

  /** The latest cycle in which the pages before this one have debt. */
  #debtCycleMs({ run, key }: Meter, beforePage: number): AtMs | null {
    const statement = `SELECT max(debt_cycle_ms) AS at_ms FROM older_draws
      WHERE run = ? AND model = ? AND page < ? AND debt_cycle_ms IS NOT NULL`;
    return (this.sql.all(statement, run, key, beforePage)[0]?.at_ms ?? null) as AtMs | null;
  }
}

/** Reads the draws of a page; those of a pruned page as sums. */
export function drawsOf({ draws, sums }: SqlRow): Draw[] {
  return parse((draws ?? sums) as string);
}

/** Sums draws by bucket and cycle. A sum has no day and no grant. */
function sumDraws(draws: readonly Draw[]): Draw[] {
  const sums = new Map<string, Draw>();
  for (const { bucket, cycleStartsAtMs, micros, lapsedMicros, lateMicros = 0 } of draws) {
    const place = `${bucket} ${cycleStartsAtMs}`;
    const sum = sums.get(place) ?? {
      bucket,
      grantId: null,
      cycleStartsAtMs,
      micros: 0,
      lapsedMicros: 0,
      lateMicros: 0,
    };
    sums.set(place, {
      ...sum,
      micros: sum.micros + micros,
      lapsedMicros: sum.lapsedMicros + lapsedMicros,
      lateMicros: (sum.lateMicros ?? 0) + lateMicros,
    });
  }
  return [...sums.values()];
}

const NONE: OlderDraws = { pages: 0, micros: 0, debtCycleMs: null };
const PAGES_PER_STATEMENT = 20;

function columnsOf(draws: readonly Draw[]): [number, AtMs | null, string, string] {
  return [sumOf(draws), latestDebtCycleMs(draws), write(sumDraws(draws)), write(draws)];
}

function write(draws: readonly Draw[]): string {
  return JSON.stringify(draws.map(drawToList));
}

function parse(text: string): Draw[] {
  return (JSON.parse(text) as DrawList[]).map(drawOfList);
}

function sumOf(draws: readonly Draw[]): Micros {
  return draws.reduce((sum, { micros }) => sum + micros, 0);
}

function latest(a: AtMs | null, b: AtMs | null): AtMs | null {
  return a === null ? b : b === null ? a : Math.max(a, b);
}
