/**
 * The Durable Object without its class: the real ledger, keyring, commit queue and background over a simulated
 * platform, put together as src/enterprise/object.ts does it. Dead once it is evicted: what it awaited never comes.
 */

import { CommitQueue } from "../../src/enterprise/books/commit-queue.ts";
import { Keyring } from "../../src/enterprise/books/keyring.ts";
import { Ledger } from "../../src/enterprise/books/ledger.ts";
import { putReferral, refereeGrant } from "../../src/enterprise/books/referral.ts";
import { copyIsBehind } from "../../src/enterprise/copy/projection.ts";
import { auditBooks } from "../../src/enterprise/jobs/audit.ts";
import { Background } from "../../src/enterprise/jobs/background.ts";
import type { DebitAnswer, Report } from "../../src/ledger/debit.ts";
import type { GrantRequest } from "../../src/ledger/grants.ts";
import { isRefusal, type Refused } from "../../src/ledger/refusals.ts";
import type { FaultySql } from "./faulty-sql.ts";

export type Platform = {
  sql: FaultySql;
  copy: D1Database;
  nowMs(): number;
  setAlarm(atMs: number): void;
  /** Grants to another enterprise, over the network. */
  grantElsewhere(request: GrantRequest): Promise<unknown>;
};

type Answers = (DebitAnswer | Refused)[];
/** The answers of each call; `committedUnanswered` when a first try had been stored before it broke. */
export type Debited = { answers: Answers[]; committedUnanswered: boolean };

export class Shell {
  readonly ledger: Ledger;
  readonly keyring: Keyring;
  readonly background: Background;
  dead = false;
  /** What the queue promised the calls of the last debit. */
  promised: Promise<Answers>[] = [];
  /** What the commits of the queue came to: for the simulator, which cannot wait for promises. */
  #committed: Answers[] = [];
  #broke: { error: unknown; afterCommit: boolean } | null = null;
  readonly #debits: CommitQueue<Report, DebitAnswer | Refused>;

  constructor(readonly platform: Platform) {
    this.ledger = new Ledger(
      platform.sql,
      () => platform.nowMs(),
      () => this.background.outboxGrew(),
    );
    this.keyring = new Keyring(platform.sql);
    const storage = { setAlarm: (atMs: number) => platform.setAlarm(atMs) };
    const elsewhere = { getByName: () => ({ addGrant: (request: GrantRequest) => platform.grantElsewhere(request) }) };
    const env = { DB: platform.copy, SIGNING_SECRET: "simulated", ENTERPRISE: elsewhere };
    this.background = new Background({ storage }, env, this.ledger);
    this.#debits = new CommitQueue(
      (reports) => this.#commit(reports),
      () => this.afterChange(),
    );
  }

  /** A call: its answer, and what follows from it. */
  answer<T>(act: () => T): T {
    const answer = act();
    this.afterChange();
    return answer;
  }

  /** Reports of calls that arrive in one turn of the event loop. */
  debit(calls: readonly (readonly Report[])[]): Debited {
    this.#committed = [];
    this.#broke = null;
    this.promised = [];
    if (calls.length === 0) return { answers: [], committedUnanswered: false };
    this.#queue(calls)();
    const broke = this.#broke as { error: unknown; afterCommit: boolean } | null;
    if (this.#committed.length === 0) throw broke?.error;
    const together = this.#committed.flat().values();
    const answers = calls.map((reports) => reports.map(() => together.next().value as DebitAnswer | Refused));
    return { answers, committedUnanswered: broke?.afterCommit === true };
  }

  /** As the object grants both sides of a referral, once it knows that the other side exists. */
  acceptReferral(referrer: string, bonusMicros: number): { created: boolean } | Refused {
    const { ledger } = this;
    const granted = ledger.addGrant(refereeGrant(referrer, bonusMicros), "operator");
    if (isRefusal(granted)) return granted;
    putReferral(ledger.sql, { referrer, bonusMicros, atMs: ledger.nowMs(), settled: false });
    return { created: granted.created };
  }

  async alarm(): Promise<void> {
    await this.background.runDue();
    await this.background.delivering;
    this.afterChange();
  }

  audit() {
    return auditBooks(this.ledger);
  }

  copyIsBehind(): boolean {
    return copyIsBehind(this.ledger);
  }

  /** True when a turn is due. */
  get turns(): boolean {
    return this.ledger.books.cycle.endsAtMs <= this.ledger.nowMs();
  }

  afterChange(): void {
    this.background.changed(false);
  }

  #commit(reports: readonly Report[]): Answers {
    const commits = this.platform.sql.commits();
    try {
      const answers = this.ledger.debit(reports);
      this.#committed.push(answers);
      return answers;
    } catch (error) {
      this.#broke = { error, afterCommit: this.platform.sql.commits() > commits };
      throw error;
    }
  }

  /** Adds the calls to the queue, and takes from it the flush that it puts off to the end of the turn. */
  #queue(calls: readonly (readonly Report[])[]): () => void {
    const { setTimeout } = globalThis;
    let flush = () => {};
    globalThis.setTimeout = ((act: () => void) => {
      flush = act;
    }) as unknown as typeof setTimeout;
    try {
      this.promised = calls.map((reports) => this.#debits.add(reports));
      for (const promise of this.promised) promise.catch(() => {});
      return flush;
    } finally {
      globalThis.setTimeout = setTimeout;
    }
  }
}
