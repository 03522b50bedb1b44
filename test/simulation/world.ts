/**
 * One simulated world: an enterprise, the object that keeps its books, the platform under it, and the people and agents
 * around it. It has one seed, one clock and one agenda. Every call to the object goes through `call`: it may break
 * half-way; what was done is told to the reference, and the books are checked against it.
 */
import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import type { Sql } from "../../src/enterprise/books/sql.ts";
import { nextWebhookAtMs } from "../../src/enterprise/books/webhook-queue.ts";
import { Agenda } from "./agenda.ts";
import { checkBooks } from "./checks.ts";
import { checkCopy, checkFreshness } from "./copy-check.ts";
import { Dice } from "./dice.ts";
import { quiesce } from "./endgame.ts";
import { type Happening, Happenings } from "./happenings.ts";
import { Operators } from "./operators.ts";
import { SimPlatform } from "./platform.ts";
import { Reference } from "./reference.ts";
import { DAY_MS, drawScenario, type Scenario } from "./scenario.ts";
import type { SimulatedObject } from "./simulated-object.ts";
import { Trace, Violation } from "./trace.ts";
import { Traffic } from "./traffic.ts";
import { callTrapped, drawTrap, kills } from "./traps.ts";

/** How long after its end a world is listened to: by then the latest report has come. */
const AFTERMATH_DAYS = 42;
/** An alarm may find the one before still waiting for the network, and the clock a little off. */
const LATE_TURN_MS = 300_000;
/** How much likelier storage breaks while a turn is due than at any other alarm. */
const TURN_TRAPS = 8;
const CHECK_EVERY_CALLS = 12;
const COPY_CHECK_EVERY_CALLS = 150;

export class World {
  readonly dice: Dice;
  readonly scenario: Scenario;
  readonly trace = new Trace();
  readonly happenings = new Happenings();
  readonly platform: SimPlatform;
  readonly reference: Reference;
  readonly traffic: Traffic;
  readonly operators: Operators;
  nowMs: number;
  readonly endMs: number;
  readonly #agenda = new Agenda();
  #drains = false;
  #calling = false;
  #failure: Error | null = null;
  #calls = 0;
  /** The latest instant at which the books changed, by their own clock. */
  #booksMs = 0;
  #watchedEndMs = 0;

  constructor(readonly seed: number) {
    this.dice = new Dice(seed);
    this.scenario = drawScenario(this.dice);
    const { startMs, days, settings, testClock } = this.scenario;
    this.nowMs = startMs;
    this.endMs = startMs + days * DAY_MS;
    this.platform = new SimPlatform(this);
    this.reference = new Reference(settings, startMs, (name) => this.saw(name));
    this.#watchedEndMs = this.reference.purse.cycle.endsMs;
    this.object.core.provision("acme", settings, settings, testClock ? startMs : null);
    this.#booksMs = startMs;
    this.traffic = new Traffic(this);
    this.operators = new Operators(this);
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

  /** The enterprise's own clock. */
  get booksNowMs(): number {
    return this.object.ledger.nowMs();
  }

  saw(name: Happening, times = 1): void {
    this.happenings.saw(name, times);
  }

  at(atMs: number, act: () => void): void {
    this.#agenda.add(Math.max(atMs, this.nowMs), act);
  }

  later(delayMs: number, act: () => void): void {
    this.at(this.nowMs + Math.max(0, Math.round(delayMs)), act);
  }

  /** Lets what was just answered go on before the next event. */
  drain(): void {
    this.#drains = true;
  }

  async run(): Promise<void> {
    try {
      this.traffic.begin();
      this.operators.begin();
      await this.live(this.endMs + AFTERMATH_DAYS * DAY_MS);
      await quiesce(this);
    } finally {
      this.platform.copy.close();
    }
  }

  /**
   * One call to the object. `expect` is told when it was done, at the instant `nowMs` of the enterprise's clock, and
   * compares the answer, which is null where the object broke before it could answer. Null: no answer came.
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
      if (outcome.applied) this.#tell(nowMs, () => expect(nowMs, null));
      if (kills(trap)) this.platform.evict();
      this.check();
      return null;
    }
    this.#tell(nowMs, () => expect(nowMs, outcome.answer));
    this.#calls += 1;
    if (this.#calls % CHECK_EVERY_CALLS === 0) this.check();
    if (this.#calls % COPY_CHECK_EVERY_CALLS === 0) this.checkCopyWhenQuiet();
    if (this.dice.chance(this.scenario.faults.eviction) && !this.platform.healed) this.platform.evict();
    return outcome.answer;
  }

  /** What a promise came to: wrong or right, the world hears of it before its next event. */
  expectLater<T>(promise: Promise<T>, check: (value: T) => void): void {
    this.drain();
    promise.then(check).catch((error: Error) => {
      this.#failure ??= error;
    });
  }

  /** Says what is wrong; the world ends here. */
  fail(message: string): never {
    throw new Violation(message);
  }

  same(what: string, found: unknown, wanted: unknown): void {
    if (JSON.stringify(found) === JSON.stringify(wanted)) return;
    this.fail(`${what}: the ledger says ${JSON.stringify(found)}, the contract ${JSON.stringify(wanted)}`);
  }

  check(): void {
    const { ledger } = this.object;
    const nowMs = ledger.nowMs();
    // A call that broke has settled nothing: what was due then is due still.
    if (nowMs >= ledger.nextDueAtMs()) ledger.settle();
    checkBooks(this, nowMs);
  }

  checkCopyWhenQuiet(): void {
    if (!this.quiet) return;
    checkCopy(this);
    this.saw("copy_found_equal");
  }

  /** Nothing is on its way to the copy, and it lacks nothing. */
  get quiet(): boolean {
    const { platform, object } = this;
    return !platform.busy && platform.copyRemains === "whole" && !object.copyIsBehind();
  }

  /** And every webhook is delivered or given up. */
  get settled(): boolean {
    return this.quiet && nextWebhookAtMs(this.platform.sql) === null;
  }

  /** Lets an alarm's jobs meet broken storage. */
  trapJobs(): void {
    const { storage } = this.scenario.faults;
    const likely = this.object.turnIsDue ? TURN_TRAPS * storage : storage;
    if (this.platform.healed || !this.dice.chance(likely)) return;
    this.platform.sql.arm({ after: this.dice.whole(0, 40), writesOnly: this.dice.chance(0.3) });
  }

  /** What the object settles by itself, outside of a call, is told to the reference too, at its own instant. */
  committed(all: Sql["all"]): void {
    if (this.#calling || this.#booksMs === 0) return;
    const lastAtMs = all("SELECT last_at_ms FROM enterprise")[0]?.last_at_ms as number;
    const { credit } = this.operators;
    const referred = credit.referralGranted(all);
    if (referred) this.#tell(lastAtMs, () => credit.expectReferralGrant(lastAtMs));
    else if (lastAtMs > this.#booksMs) this.#tell(lastAtMs, () => {});
    this.#advanceBooks(lastAtMs);
  }

  /** Lets everything happen that happens until then. */
  async live(untilMs: number): Promise<void> {
    for (;;) {
      const event = this.#agenda.nextAtMs > untilMs ? undefined : this.#agenda.next();
      if (event === undefined) {
        this.nowMs = untilMs;
        return;
      }
      this.nowMs = event.atMs;
      event.act();
      if (!this.#drains) continue;
      this.#drains = false;
      await turnOfTheLoop();
      this.platform.sql.disarm();
      if (this.#failure !== null) throw this.#failure;
    }
  }

  /** T3: whatever the clock does, the books only go forward. */
  #advanceBooks(lastAtMs: number): void {
    if (lastAtMs < this.#booksMs) this.fail(`the books go back in time, from ${this.#booksMs} to ${lastAtMs}`);
    this.#booksMs = lastAtMs;
  }

  /** What was done is told to the reference, at the instant at which the object did it. */
  #tell(nowMs: number, tell: () => void): void {
    const { endsMs: dueMs } = this.reference.purse.cycle;
    const onTime = this.scenario.calm && !this.scenario.testClock;
    if (onTime && nowMs - dueMs > LATE_TURN_MS) this.fail(`the turn of ${dueMs} comes late, at ${nowMs}`);
    this.reference.advance(nowMs);
    tell();
    const { endsMs } = this.reference.purse.cycle;
    if (endsMs === this.#watchedEndMs || this.ended) return;
    this.#watchedEndMs = endsMs;
    this.operators.awaitTurn(endsMs);
  }
}
