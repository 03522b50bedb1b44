/**
 * What the parts of a simulated world know of it and of each other. SimulatedWorld puts them together; its parts only
 * import this file, so that none of them imports another.
 */
import type { Caller } from "../../src/access/callers.ts";
import type { Sql } from "../../src/enterprise/books/sql.ts";
import type { Recovery } from "../../src/enterprise/platform.ts";
import type { Attributed, Sent } from "./agent.ts";
import type { CopyDb } from "./copy-db.ts";
import type { Dice } from "./dice.ts";
import type { FaultySql } from "./faulty-sql.ts";
import type { Prices } from "./prices.ts";
import type { RareEvent } from "./rare-events.ts";
import type { Reference } from "./reference.ts";
import type { Tokens } from "./reference-meter.ts";
import type { Scenario } from "./scenario.ts";
import type { SimulatedObject } from "./simulated-object.ts";
import type { Trace } from "./trace.ts";

export interface World {
  readonly dice: Dice;
  readonly scenario: Scenario;
  /** Whether usage that nothing prices is kept, and charged once it has a price. */
  readonly keepsUnpriced: boolean;
  readonly trace: Trace;
  readonly reference: Reference;
  readonly platform: WorldPlatform;
  readonly traffic: WorldTraffic;
  readonly operators: WorldOperators;
  readonly restores: WorldRestores;
  /** The object; a new instance after an eviction. */
  readonly object: SimulatedObject;
  readonly nowMs: number;
  readonly endMs: number;
  /** The time by the enterprise's clock. */
  readonly booksNowMs: number;
  readonly ended: boolean;
  /** True when nothing is on its way and the copy has everything. */
  readonly quiet: boolean;
  /** True when it is quiet and every webhook is delivered or given up. */
  readonly settled: boolean;

  count(event: RareEvent, times?: number): void;
  at(atMs: number, act: () => void): void;
  later(delayMs: number, act: () => void): void;
  /** Lets promises that were just resolved continue before the next event. */
  drain(): void;
  /** Runs all events until then. */
  live(untilMs: number): Promise<void>;
  /**
   * Makes one call to the object; returns its answer, or null if there was none. When the call has been applied, `expect`
   * is called with the instant by the enterprise's clock and the answer, which is null if the object failed before it.
   */
  call<T>(
    what: string,
    act: (object: SimulatedObject) => T,
    expect: (nowMs: number, answer: T | null) => void,
  ): T | null;
  /** Checks what a promise resolves to, before the next event. */
  expectLater<T>(promise: Promise<T>, check: (value: T) => void): void;
  /** Ends the world with a violation. */
  fail(message: string): never;
  /** Ends the world with a violation unless both values are equal as JSON. */
  same(what: string, found: unknown, expected: unknown): void;
  /** Compares the books with the reference. */
  check(): void;
  /** Lets no event happen until this is done. */
  waitFor(work: Promise<void>): void;
  /** The object has gone back to an earlier moment, and the reference too. What time has caused since then follows. */
  wentBack(): void;
  /** Lets storage fail under what the object does next without a call. */
  trapJobs(): void;
  /** Applies to the reference what the object commits outside of a call, at the instant of that commit. */
  committed(all: Sql["all"]): void;
}

export interface WorldPlatform {
  readonly sql: FaultySql;
  readonly copy: CopyDb;
  readonly network: WorldNetwork;
  /** True once the world has ended: nothing fails any more. */
  readonly healed: boolean;
  /** True when readers would use the copy, and no rebuild is running. */
  readonly copyIsComplete: boolean;
  heal(): void;
  evict(): void;
  rebuild(): void;
  loseCopy(): void;
  readCopy(): void;
  stepClock(skewMs: number): void;
  /** The time by the platform's clock, which may be set. */
  nowMs(): number;
  readonly watchers: { open(): void };
}

interface WorldRestores {
  /** The platform's recovery; null in a world without restores. */
  readonly recovery: Recovery | null;
  /** How many numbers the checkpoints of restores have skipped that are part of a checkpoint with this seq. */
  skippedUntil(seq: number): number;
}

export type Condition = "normal" | "down" | "slow" | "unanswered";

export interface WorldNetwork {
  /** How many requests or answers are on their way. */
  readonly inFlight: number;
  /** Since when the copy can be written; Infinity while it cannot. */
  readonly normalSinceMs: number;
  /** The grants that reached the enterprise that referred this one, by id: how often. */
  readonly grantedElsewhere: ReadonlyMap<string, number>;
  change(condition: Condition, forMs: number): void;
  failReceiver(forMs: number): void;
  checkDelivered(): void;
  noteGivenUp(): void;
}

export interface WorldTraffic {
  readonly prices: Prices;
  readonly observer: {
    readonly acknowledged: Map<string, { open: Tokens | null; final: Tokens | null }>;
    ofStart(outcome: string): void;
  };
  readonly starts: { race(): void; raise(run: string): void; release(run: string): void };
  startRun(): void;
  nameRun(who: Attributed): string;
  attributionOf(run: string): Attributed | undefined;
  withSomeRun(act: (run: string) => void): void;
  send(sent: Sent[]): void;
  repeatLast(): void;
}

export interface WorldOperators {
  readonly keys: { draw(): string; isValid(key: string): boolean; callerOf(key: string): Caller };
  readonly credit: { readonly referred: boolean; readonly referral: string };
}
