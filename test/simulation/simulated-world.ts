/**
 * One simulated world: an enterprise's object, the platform under it, and the people and agents around it. It has one
 * seed, one clock and one queue of events. Every call to the object goes through `call`: it may fail halfway; what it
 * has done is applied to the reference too, and the books are compared. This file is long because a world is one class.
 */
import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import type { Sql } from "../../src/enterprise/books/sql.ts";
import { nextWebhookAtMs } from "../../src/enterprise/books/webhook-queue.ts";
import { SimulatedBudgets } from "./budgets.ts";
import { SimulatedChannels } from "./channels.ts";
import { checkBooks } from "./checks.ts";
import { checkCopy, checkFreshness } from "./copy-check.ts";
import { Crowds } from "./crowds.ts";
import { Dice } from "./dice.ts";
import { EventQueue } from "./event-queue.ts";
import { OPERATOR } from "./keys.ts";
import { Operators } from "./operators.ts";
import { SimPlatform } from "./platform.ts";
import { quiesce } from "./quiesce.ts";
import { type RareEvent, RareEventCounts } from "./rare-events.ts";
import { Reference } from "./reference.ts";
import { SimulatedRestores } from "./restores.ts";
import { DAY_MS, drawScenario, type Scenario } from "./scenario.ts";
import type { SimulatedObject } from "./simulated-object.ts";
import { Trace, Violation } from "./trace.ts";
import { Traffic } from "./traffic.ts";
import { callTrapped, drawTrap, kills } from "./traps.ts";
import { expectPriced, findPriced } from "./waiting-usage.ts";
import type { World } from "./world.ts";

/** How long a world runs after its end: by then the latest report has arrived. */
const AFTERMATH_DAYS = 42;
/** An alarm may have to wait for the previous one, and the clock may be a little off. */
const LATE_TURN_MS = 300_000;
/** How much more likely storage fails while a turn is due than at any other alarm. */
const TURN_TRAPS = 8;
/** One in so many worlds keeps usage that nothing prices. The others refuse it. */
const WORLDS_PER_KEEPING = 3;
const CHECK_EVERY_CALLS = 12;
const COPY_CHECK_EVERY_CALLS = 150;

export class SimulatedWorld implements World {
  readonly dice: Dice;
  readonly scenario: Scenario;
  readonly trace = new Trace();
  readonly keepsUnpriced: boolean;
  readonly rareEvents = new RareEventCounts();
  readonly platform: SimPlatform;
  readonly reference: Reference;
  readonly traffic: Traffic;
  readonly operators: Operators;
  readonly budgets: SimulatedBudgets;
  readonly channels: SimulatedChannels;
  readonly crowds: Crowds;
  readonly restores: SimulatedRestores;
  nowMs: number;
  readonly endMs: number;
  readonly #queue = new EventQueue();
  #drains = false;
  #calling = false;
  #failure: Error | null = null;
  #awaited: Promise<void> | null = null;
  #calls = 0;
  /** The latest instant at which the books changed, by the enterprise's clock. */
  #booksMs = 0;
  #watchedEndMs = 0;

  constructor(readonly seed: number) {
    this.dice = new Dice(seed);
    this.scenario = drawScenario(this.dice);
    this.keepsUnpriced = seed % WORLDS_PER_KEEPING === 0;
    const { startMs, days, settings, testClock } = this.scenario;
    this.nowMs = startMs;
    this.endMs = startMs + days * DAY_MS;
    this.restores = new SimulatedRestores(this, seed);
    this.platform = new SimPlatform(this);
    this.reference = new Reference(settings, startMs, (name) => this.count(name), this.keepsUnpriced);
    this.#watchedEndMs = this.reference.money.cycle.endsMs;
    this.object.core.management.provision("acme", settings, settings, testClock ? startMs : null);
    this.#booksMs = startMs;
    this.traffic = new Traffic(this);
    this.operators = new Operators(this);
    this.budgets = new SimulatedBudgets(this, seed);
    this.channels = new SimulatedChannels(this, seed);
    this.crowds = new Crowds(this, seed, {
      start: (request) => this.traffic.starts.start(request),
      grant: (id, micros, expiresAtMs) => this.operators.credit.grantUntil(id, micros, expiresAtMs),
    });
  }

  get object(): SimulatedObject {
    return this.platform.object;
  }

  /** Simulated time so far. */
  get daysLived(): number {
    return (this.nowMs - this.scenario.startMs) / DAY_MS;
  }

  get ended(): boolean {
    return this.nowMs >= this.endMs;
  }

  /** The time by the enterprise's clock. */
  get booksNowMs(): number {
    return this.object.ledger.nowMs();
  }

  count(name: RareEvent, times = 1): void {
    this.rareEvents.count(name, times);
  }

  at(atMs: number, act: () => void): void {
    this.#queue.add(Math.max(atMs, this.nowMs), act);
  }

  later(delayMs: number, act: () => void): void {
    this.at(this.nowMs + Math.max(0, Math.round(delayMs)), act);
  }

  /** Lets promises that were just resolved continue before the next event. */
  drain(): void {
    this.#drains = true;
  }

  async run(): Promise<void> {
    try {
      this.traffic.begin();
      this.operators.begin();
      this.budgets.begin();
      this.channels.begin();
      this.crowds.begin();
      this.restores.begin();
      await this.live(this.endMs + AFTERMATH_DAYS * DAY_MS);
      await quiesce(this);
      this.budgets.checkAnnounced();
      this.channels.check();
    } finally {
      this.platform.copy.close();
      this.restores.end();
    }
  }

  /**
   * Makes one call to the object; returns its answer, or null if there was none. When the call has been applied, `expect`
   * is called with the instant by the enterprise's clock and the answer, which is null if the object failed before it.
   */
  call<T>(
    what: string,
    act: (object: SimulatedObject) => T,
    expect: (nowMs: number, answer: T | null) => void,
  ): T | null {
    const { object } = this;
    const trap = drawTrap(this);
    if (this.scenario.calm && !this.scenario.testClock) checkFreshness(this);
    this.#calling = true;
    const outcome = trap === null ? { answer: act(object) } : callTrapped(this, () => act(object), trap);
    this.#calling = false;
    this.trace.add(`${this.nowMs} ${what} → ${JSON.stringify("answer" in outcome ? outcome.answer : outcome)}`);
    const nowMs = object.ledger.nowMs();
    this.#advanceBooks(object.ledger.identity.lastAtMs);
    if (!("answer" in outcome)) {
      if (outcome.applied) this.#updateReference(nowMs, () => expect(nowMs, null));
      if (kills(trap)) this.platform.evict();
      this.check();
      return null;
    }
    this.#updateReference(nowMs, () => expect(nowMs, outcome.answer));
    this.#countPortions(nowMs);
    if (this.scenario.calm) this.platform.watchers.checkSoon();
    this.#calls += 1;
    if (this.#calls % CHECK_EVERY_CALLS === 0) this.check();
    if (this.#calls % COPY_CHECK_EVERY_CALLS === 0) this.checkCopyWhenQuiet();
    if (this.dice.chance(this.scenario.faults.eviction) && !this.platform.healed) this.platform.evict();
    return outcome.answer;
  }

  waitFor(work: Promise<void>): void {
    this.#awaited = work;
  }

  wentBack(): void {
    const { object, reference } = this;
    this.#calling = true;
    object.core.gauge(OPERATOR);
    this.#calling = false;
    const { endsMs: watchedMs } = reference.money.cycle;
    this.#booksMs = object.ledger.identity.lastAtMs;
    reference.advance(object.ledger.nowMs());
    this.#watchedEndMs = reference.money.cycle.endsMs;
    if (this.#watchedEndMs !== watchedMs) this.operators.awaitTurn(this.#watchedEndMs);
    this.platform.network.normalSinceMs = Math.max(this.platform.network.normalSinceMs, this.nowMs);
    this.check();
  }

  /** Checks what a promise resolves to, before the next event. */
  expectLater<T>(promise: Promise<T>, check: (value: T) => void): void {
    this.drain();
    promise.then(check).catch((error: Error) => {
      this.#failure ??= error;
    });
  }

  /** Ends the world with a violation. */
  fail(message: string): never {
    throw new Violation(message);
  }

  same(what: string, found: unknown, expected: unknown): void {
    if (JSON.stringify(found) === JSON.stringify(expected)) return;
    this.fail(`${what}: the ledger says ${JSON.stringify(found)}, the contract ${JSON.stringify(expected)}`);
  }

  check(): void {
    const { ledger } = this.object;
    const nowMs = ledger.nowMs();
    // A call that failed has settled nothing: what was due then is still due.
    while (nowMs >= ledger.nextDueAtMs()) this.object.core.gauge(OPERATOR);
    checkBooks(this, nowMs);
    this.budgets.check(nowMs);
  }

  checkCopyWhenQuiet(): void {
    if (!this.quiet) return;
    checkCopy(this);
    this.count("copy_found_equal");
  }

  /** True when nothing is on its way and the copy has everything. */
  get quiet(): boolean {
    const { platform, object } = this;
    return !platform.busy && platform.copyIsComplete && !object.copyIsBehind();
  }

  /** True when it is quiet and every webhook is delivered or given up. */
  get settled(): boolean {
    return this.quiet && nextWebhookAtMs(this.platform.sql) === null;
  }

  /** Lets storage fail under the jobs of an alarm. */
  trapJobs(): void {
    const { storage } = this.scenario.faults;
    const likely = this.object.turnIsDue ? TURN_TRAPS * storage : storage;
    if (this.platform.healed || !this.dice.chance(likely)) return;
    this.platform.sql.arm({ after: this.dice.whole(0, 40), writesOnly: this.dice.chance(0.3) });
  }

  /** Applies to the reference what the object commits outside of a call, at the instant of that commit. */
  committed(all: Sql["all"]): void {
    if (this.#calling || this.#booksMs === 0 || this.restores.underWay) return;
    const lastAtMs = all("SELECT last_at_ms FROM enterprise")[0]?.last_at_ms as number;
    const { credit } = this.operators;
    const referred = credit.referralGranted(all);
    if (referred) this.#updateReference(lastAtMs, () => credit.expectReferralGrant(lastAtMs));
    else if (findPriced(this, all).any) this.#updateReference(lastAtMs, () => expectPriced(this, all, lastAtMs));
    else if (lastAtMs > this.#booksMs) this.#updateReference(lastAtMs, () => {});
    this.#advanceBooks(lastAtMs);
  }

  /** Runs all events until then. */
  async live(untilMs: number): Promise<void> {
    for (;;) {
      const event = this.#queue.nextAtMs > untilMs ? undefined : this.#queue.next();
      if (event === undefined) {
        this.nowMs = untilMs;
        return;
      }
      this.nowMs = event.atMs;
      event.act();
      if (this.#awaited !== null) await this.#awaited;
      this.#awaited = null;
      if (!this.#drains) continue;
      this.#drains = false;
      await turnOfTheLoop();
      this.platform.sql.disarm();
      if (this.#failure !== null) throw this.#failure;
    }
  }

  /** After a call, what is still due waits for its portion. */
  #countPortions(nowMs: number): void {
    const { ledger } = this.object;
    if (ledger.nextDueAtMs() > nowMs) return;
    const { credits, usd } = ledger.books.overdue;
    this.count(credits + usd > 0 ? "holds_ended_in_portions" : "grants_ended_in_portions");
  }

  /** T3: the time of the books only goes forward, whatever the clock does. */
  #advanceBooks(lastAtMs: number): void {
    if (lastAtMs < this.#booksMs) this.fail(`the books go back in time, from ${this.#booksMs} to ${lastAtMs}`);
    this.#booksMs = lastAtMs;
  }

  /** Applies to the reference what the object has done, at the instant at which it did it. */
  #updateReference(nowMs: number, apply: () => void): void {
    const { endsMs: dueMs } = this.reference.money.cycle;
    const onTime = this.scenario.calm && !this.scenario.testClock;
    if (onTime && nowMs - dueMs > LATE_TURN_MS) this.fail(`the turn of ${dueMs} comes late, at ${nowMs}`);
    this.reference.advance(nowMs);
    const known = "SELECT 1 FROM runs WHERE run = ?";
    this.reference.forgetSilentRuns(nowMs, (run) => this.platform.sql.all(known, run).length > 0);
    apply();
    const { endsMs } = this.reference.money.cycle;
    if (endsMs === this.#watchedEndMs || this.ended) return;
    this.#watchedEndMs = endsMs;
    this.operators.awaitTurn(endsMs);
  }
}
