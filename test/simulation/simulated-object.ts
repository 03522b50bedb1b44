/**
 * One instance of the enterprise's object: the real core over the simulated platform. After its eviction it is dead:
 * what it was waiting for never arrives.
 */
import type { Caller } from "../../src/access/callers.ts";
import { Ledger } from "../../src/enterprise/books/ledger.ts";
import { copyIsBehind } from "../../src/enterprise/copy/projection.ts";
import { EnterpriseCore } from "../../src/enterprise/core.ts";
import type { Platform } from "../../src/enterprise/platform.ts";
import type { DebitAnswer, Report } from "../../src/ledger/debit.ts";
import type { Refused } from "../../src/ledger/refusals.ts";
import { type FaultySql, StorageFault } from "./faulty-sql.ts";
import { PORTIONS } from "./scenario.ts";

type Answers = (DebitAnswer | Refused)[];

/** A call with debits. `admitted` is what the reference expects: its key is good, so it reaches the commit queue. */
export type DebitCall = { caller: Caller; reports: readonly Report[]; admitted: boolean };

export type Debited = {
  /** What was committed for each admitted call. */
  answers: Answers[];
  /** The core's promise to each call, admitted or not. */
  promised: ReturnType<EnterpriseCore["debit"]>[];
  /** True when a first attempt was committed before it broke, and a second one answered. */
  committedUnanswered: boolean;
};

export class SimulatedObject {
  readonly core: EnterpriseCore;
  readonly ledger: RecordingLedger;
  dead = false;
  /** What the core has deferred to the end of the turn, while a debit collects it. */
  #turn: (() => void)[] | null = null;

  constructor(
    readonly sql: FaultySql,
    platform: Omit<Platform, "defer">,
    later: (delayMs: number, act: () => void) => void,
  ) {
    this.ledger = new RecordingLedger(sql, () => platform.clock.realNowMs());
    this.core = new EnterpriseCore(
      { ...platform, defer: (act, delayMs) => this.#defer(act, delayMs, later) },
      this.ledger,
    );
  }

  /** Calls that arrive in one turn of the event loop. */
  debit(calls: readonly DebitCall[]): Debited {
    const turn: (() => void)[] = [];
    this.ledger.forgetRecorded();
    this.#turn = turn;
    const promised = calls.map(({ caller, reports }) => this.core.debit(caller, reports));
    this.#turn = null;
    for (const promise of promised) promise.catch(() => {});
    // The storage broke while a call was checked: the object is gone before its turn ends.
    if (this.sql.sprung()) throw new StorageFault(false);
    for (const act of turn) act();
    const { recorded, broken } = this.ledger;
    const admitted = calls.filter((call) => call.admitted);
    if (recorded.length === 0 && admitted.length > 0) throw broken?.error;
    const together = recorded.flat().values();
    const answers = admitted.map(({ reports }) => reports.map(() => together.next().value as DebitAnswer | Refused));
    return { answers, promised, committedUnanswered: broken?.afterCommit === true };
  }

  copyIsBehind(): boolean {
    return copyIsBehind(this.ledger);
  }

  /** True when a turn of the cycle is due. */
  get turnIsDue(): boolean {
    return this.ledger.books.cycle.endsAtMs <= this.ledger.nowMs();
  }

  #defer(act: () => void, delayMs: number, later: (delayMs: number, act: () => void) => void): () => void {
    let cancelled = false;
    if (this.#turn !== null && delayMs === 0) this.#turn.push(act);
    else later(delayMs, () => !this.dead && !cancelled && act());
    return () => {
      cancelled = true;
    };
  }
}

/** Records what the commits of debits came to, because the simulator compares at once and cannot wait for promises. */
class RecordingLedger extends Ledger {
  recorded: Answers[] = [];
  broken: { error: unknown; afterCommit: boolean } | null = null;

  constructor(
    readonly faulty: FaultySql,
    realNowMs: () => number,
  ) {
    super(faulty, realNowMs);
    // So that draws leave their rows, which otherwise takes more than 256.
    this.store.olderDraws.maxDrawsInRow = 2;
    // So that a crowd ends in portions, which otherwise takes more than 1,000.
    this.store.maxEnded = PORTIONS;
  }

  forgetRecorded(): void {
    this.recorded = [];
    this.broken = null;
  }

  override debit(reports: readonly Report[]): Answers {
    const commits = this.faulty.commits();
    try {
      const answers = super.debit(reports);
      this.recorded.push(answers);
      return answers;
    } catch (error) {
      this.broken = { error, afterCommit: this.faulty.commits() > commits };
      throw error;
    }
  }
}
