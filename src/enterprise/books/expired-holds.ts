/**
 * Sums what expired holds hold that are not ended yet, because it no longer counts. Each hold is read once by an instance,
 * a portion at a time, in the order of the index `runs_with_hold`. A call that needs a sum of more than a portion fails
 * and can be repeated; each attempt sums one more portion. The sums are in memory. Losing them is harmless: a new
 * instance begins again.
 */
import type { Hold, Run } from "../../ledger/books.ts";
import type { BudgetScope } from "../../ledger/budget.ts";
import type { Unit } from "../../ledger/micros.ts";
import type { AtMs } from "../../ledger/time.ts";
import { LedgerBusy } from "../../wire/transient.ts";
import { addUnits, type ByUnit, HOLD_ORDER, NOTHING, placeOf, selectExpired, sumExpired } from "./held-sums.ts";
import type { Sql, SqlRow } from "./sql.ts";

/** Summing this many in SQL takes about fifteen milliseconds, and they are a hundred portions of `Change.settle`. */
const MAX_HOLDS = 100_000;
/** Summing this many by the ids of their runs takes about ninety milliseconds, and 240 if each has its own user. */
const MAX_HOLDS_BY_ID = 60_000;

/** The place of a hold in the index. */
type Place = { expiresAtMs: AtMs; unit: Unit; micros: number; run: string };

const PORTION = selectExpired(HOLD_ORDER);
const FIRST: Place = { expiresAtMs: Number.MIN_SAFE_INTEGER, unit: "credits", micros: 0, run: "" };

/** How far the holds are summed. */
abstract class ExpiredSums {
  protected last = FIRST;
  /** The latest time that was asked for. */
  #untilMs = Number.MIN_SAFE_INTEGER;

  constructor(
    readonly sql: Sql,
    /** Tests lower this. */
    public maxHolds: number,
  ) {}

  /** Starts again. */
  forget(): void {
    this.last = FIRST;
    this.#untilMs = Number.MIN_SAFE_INTEGER;
  }

  /** Notes the time of a commit. If the clock has gone back, a hold may now expire before the last one that was summed. */
  committed(nowMs: AtMs): void {
    if (nowMs < this.#untilMs) this.forget();
  }

  /** Returns the hold of a stored run if it is part of the sums. */
  protected counted({ run, hold }: Run): Hold | null {
    return hold !== null && isUpTo({ ...hold, run }, this.last) ? hold : null;
  }

  /** Sums the next portion. Throws if holds are left that have expired by then. */
  protected advance(nowMs: AtMs): void {
    this.committed(nowMs);
    this.#untilMs = nowMs;
    const { count, last } = this.addNext(nowMs);
    if (last !== null) this.last = last;
    if (count === this.maxHolds) throw new LedgerBusy("expired holds are not summed yet");
  }

  /** The values of the index after which the next portion starts. */
  protected after(): [number, string, number, string] {
    const { expiresAtMs, unit, micros, run } = this.last;
    return [expiresAtMs, unit, micros, run];
  }

  /** Returns the place of the last hold of a portion with so many; null if it has none. */
  protected place(nowMs: AtMs, count: number): Place | null {
    if (count === 0) return null;
    const [row] = this.sql.all(`${PORTION} OFFSET ?`, nowMs, ...this.after(), 1, count - 1);
    return placeOfRow(row as SqlRow);
  }

  /** Adds the next portion to the sums. Returns how many it has, and the place of the last one. */
  protected abstract addNext(nowMs: AtMs): { count: number; last: Place | null };
}

/** The sum by unit. */
export class ExpiredHolds extends ExpiredSums {
  #sum = NOTHING;

  constructor(sql: Sql) {
    super(sql, MAX_HOLDS);
  }

  /** Returns what the stored holds that have expired by then hold. Call this before a change ends any of them. */
  total(nowMs: AtMs): ByUnit {
    this.advance(nowMs);
    return this.#sum;
  }

  override forget(): void {
    super.forget();
    this.#sum = NOTHING;
  }

  /** Notes that a change at this time has ended these stored holds. Call this after its commit. */
  ended(runs: readonly Run[], nowMs: AtMs): void {
    this.committed(nowMs);
    for (const run of runs) {
      const hold = this.counted(run);
      if (hold !== null) this.#sum = addUnits(this.#sum, { ...NOTHING, [hold.unit]: -hold.micros });
    }
  }

  protected override addNext(nowMs: AtMs) {
    const sum = `SELECT count(*) AS count, sum(iif(hold_unit = 'credits', hold_micros, 0)) AS credits,
      sum(iif(hold_unit = 'usd', hold_micros, 0)) AS usd FROM (${PORTION})`;
    const row = this.sql.all(sum, nowMs, ...this.after(), this.maxHolds)[0] as SqlRow;
    const count = row.count as number;
    // Read before the sum changes: if this read throws, the portion is not counted, and the next call repeats it.
    const last = this.place(nowMs, count);
    if (count > 0) this.#sum = addUnits(this.#sum, { credits: row.credits as number, usd: row.usd as number });
    return { count, last };
  }
}

/** The sums by id, for budgets. */
export class ExpiredHoldsById extends ExpiredSums {
  readonly #sums = new Map<string, ByUnit>();

  constructor(sql: Sql) {
    super(sql, MAX_HOLDS_BY_ID);
  }

  /** Returns what the stored holds of an id that have expired by then hold. */
  of(scope: BudgetScope, nowMs: AtMs): ByUnit {
    this.advance(nowMs);
    return this.#sums.get(placeOf(scope)) ?? NOTHING;
  }

  override forget(): void {
    super.forget();
    this.#sums.clear();
  }

  /** Notes that the stored hold of a run with these ids was ended. Call this after the commit. */
  ended(run: Run, scopes: readonly BudgetScope[]): void {
    const hold = this.counted(run);
    if (hold !== null) this.#add(scopes, { ...NOTHING, [hold.unit]: -hold.micros });
  }

  protected override addNext(nowMs: AtMs) {
    const { count, sums } = sumExpired(this.sql, nowMs, this.after(), this.maxHolds);
    // Read before the sums change, as above.
    const last = this.place(nowMs, count);
    for (const { scope, micros } of sums) this.#add([scope], micros);
    return { count, last };
  }

  #add(scopes: readonly BudgetScope[], micros: ByUnit): void {
    for (const scope of scopes) {
      const place = placeOf(scope);
      const sum = addUnits(this.#sums.get(place), micros);
      if (sum.credits === 0 && sum.usd === 0) this.#sums.delete(place);
      else this.#sums.set(place, sum);
    }
  }
}

function placeOfRow(row: SqlRow): Place {
  return {
    expiresAtMs: row.hold_expires_at_ms as number,
    unit: row.hold_unit as Unit,
    micros: row.hold_micros as number,
    run: row.run as string,
  };
}

/** Compares places as the index does. Ids are ASCII. */
function isUpTo(a: Place, b: Place): boolean {
  if (a.expiresAtMs !== b.expiresAtMs) return a.expiresAtMs < b.expiresAtMs;
  if (a.unit !== b.unit) return a.unit < b.unit;
  return a.micros === b.micros ? a.run <= b.run : a.micros < b.micros;
}
