/**
 * Agents at work: runs begin, ask, and report running totals through the network. What they are answered is compared
 * with what the reference expects; what they were told to be there is remembered.
 */
import { deny } from "../../src/access/refusals.ts";
import type { DebitAnswer, Report } from "../../src/ledger/debit.ts";
import { isRefusal, type Refused } from "../../src/ledger/refusals.ts";
import { showDecided } from "../../src/wire/debit-answer.ts";
import { type Attributed, drawAttribution, type Planned, planRun, type Sent } from "./agent.ts";
import { checkPercent } from "./gauge-check.ts";
import { drawFate } from "./network.ts";
import { Prices } from "./prices.ts";
import { costOf } from "./reference-meter.ts";
import { DAY_MS } from "./scenario.ts";
import { Sightings } from "./sightings.ts";
import type { DebitCall, Debited } from "./simulated-object.ts";
import { Starts } from "./starts.ts";
import type { World } from "./world.ts";

type Call = { sent: Sent[]; key: string; answerLost: boolean; triesLeft: number };

const HOUR_MS = 3_600_000;
const MOST_RECENT = 30;
const TRIES = 4;
const TOGETHER_MS = 500;

export class Traffic {
  readonly prices: Prices;
  readonly starts: Starts;
  readonly sightings: Sightings;
  /** Runs that have begun, in order, and for whom. */
  readonly #known = new Map<string, Attributed>();
  #inbox: Call[] = [];
  #recent: Sent[] = [];

  constructor(readonly world: World) {
    this.prices = new Prices(world.dice);
    this.starts = new Starts(world);
    this.sightings = new Sightings(world);
  }

  begin(): void {
    const { dice, scenario, nowMs } = this.world;
    for (let i = 0; i < scenario.runs; i++) {
      this.world.at(nowMs + dice.whole(0, scenario.days * DAY_MS), () => this.beginRun());
    }
  }

  /** A new run: asks first, mostly, and reports. */
  beginRun(): void {
    const { world, starts } = this;
    const { dice } = world;
    const who = drawAttribution(dice, world.booksNowMs);
    const run = this.nameRun(who);
    if (world.scenario.disciplined) {
      this.#beginDisciplined(run, { ...who, startedAtMs: world.booksNowMs });
      return;
    }
    const asks = dice.chance(0.6);
    const admitted = asks ? starts.ask(run, who) : true;
    if (!admitted && dice.chance(0.5)) return;
    for (const { afterMs, sent } of planRun(dice, run, who)) world.later(afterMs, () => this.send([sent]));
    if (asks && dice.chance(0.2)) world.later(dice.spread(1_000, 3 * HOUR_MS), () => starts.raise(run));
    if (asks && dice.chance(0.2)) world.later(dice.spread(1_000, 6 * HOUR_MS), () => starts.release(run));
  }

  /** A name for a run of these. */
  nameRun(who: Attributed): string {
    const run = `${this.world.dice.pick(["run-", "team/a:", "r."])}${this.#known.size + 1}`;
    this.#known.set(run, who);
    return run;
  }

  attributionOf(run: string): Attributed | undefined {
    return this.#known.get(run);
  }

  /** Any run that was begun, the latest most likely. */
  withSomeRun(act: (run: string) => void): void {
    const { dice } = this.world;
    const known = [...this.#known.keys()];
    // Mostly one of the last, once in a while one of long ago.
    const run =
      dice.chance(0.4) && known.length > 0 ? dice.pick(known) : known.at(-Math.min(known.length, dice.spread(1, 20)));
    if (run !== undefined) act(run);
  }

  /** Sends once more what was sent last, now and promptly. */
  repeatLast(): void {
    const { world } = this;
    const sent = this.#recent.at(-1);
    if (sent === undefined || world.scenario.disciplined) return;
    this.#arrive({ sent: [sent], key: world.operators.keys.draw(), answerLost: false, triesLeft: 0 });
  }

  /** A run that never spends more than it has set aside. */
  #beginDisciplined(run: string, who: Attributed): void {
    const { world, starts } = this;
    const price = this.prices.latest.find("deep")?.price;
    if (price === undefined) return;
    const planned = planRun(world.dice, run, who)
      .filter(({ sent }, _, all) => sent.name === all[0]?.sent.name)
      .map(
        ({ afterMs, sent }): Planned => ({ afterMs: Math.min(afterMs, 20 * HOUR_MS), sent: { ...sent, name: "deep" } }),
      );
    const final = planned.findIndex(({ sent }) => sent.final);
    const kept = final === -1 ? planned : planned.slice(0, final + 1);
    const most = Math.max(1, ...kept.map(({ sent }) => costOf(sent.tokens, price, world.reference.unit)));
    if (!starts.start(starts.requestOf(run, who, most, DAY_MS))) return;
    for (const { afterMs, sent } of kept) world.later(afterMs, () => this.send([sent]));
  }

  /** Sends a message, perhaps with what was sent lately in one batch; what gets no answer is sent again. */
  send(sent: Sent[], triesLeft = TRIES): void {
    const { world } = this;
    const { dice, scenario } = world;
    const batched = !scenario.disciplined && dice.chance(0.12);
    const batch = batched ? [...sent, ...this.#recent.slice(-dice.whole(1, 6))] : sent;
    this.#recent = [...this.#recent, ...sent].slice(-MOST_RECENT);
    const fate = drawFate(dice, scenario.disciplined);
    const call = { sent: batch, key: world.operators.keys.draw(), answerLost: fate.answerLost, triesLeft };
    this.sightings.ofFate(fate);
    if (fate.delaysMs.length === 0) this.#again(call);
    for (const delayMs of fate.delaysMs) world.at(this.#arrivalMs(delayMs), () => this.#arrive(call));
  }

  /** Many arrive at the same moment: the edge hands over what it has read at once. */
  #arrivalMs(delayMs: number): number {
    const atMs = this.world.nowMs + delayMs;
    return this.world.dice.chance(0.5) ? Math.ceil(atMs / TOGETHER_MS) * TOGETHER_MS : atMs;
  }

  /** What an agent got no answer to it sends again, with everything said. */
  #again(call: Call): void {
    if (call.triesLeft === 0) return;
    const sent = call.sent.map((one) => ({ ...one, ...this.#known.get(one.run) }));
    this.world.later(this.world.dice.spread(500, 60_000), () => this.send(sent, call.triesLeft - 1));
  }

  /** What arrives in one millisecond shares a commit. */
  #arrive(call: Call): void {
    this.#inbox.push(call);
    if (this.#inbox.length === 1) this.world.at(this.world.nowMs, () => this.#flush());
  }

  #flush(): void {
    const { world } = this;
    const { keys } = world.operators;
    const calls = this.#inbox.map((call) => ({ ...call, reports: call.sent.map((sent) => this.#priced(sent)) }));
    this.#inbox = [];
    const sent = calls.map(({ key, reports }) => ({
      caller: keys.callerOf(key),
      reports,
      admitted: keys.isGood(key),
    }));
    const entered = sent.filter(({ admitted }) => admitted).map(({ reports }) => reports);
    const label = calls.map(({ sent }) => sent.map(({ run, name, final }) => `${run} ${name}${final ? " final" : ""}`));
    const debited = world.call(
      `debit ${label}`,
      (object) => object.debit(sent),
      (nowMs, found) => {
        if (found !== null) this.#awaitPromises(sent, found);
        if (found?.committedUnanswered) for (const reports of entered) this.#expect(reports, null, nowMs);
        for (const [i, reports] of entered.entries()) this.#expect(reports, found?.answers[i] ?? null, nowMs);
      },
    );
    if (entered.length < calls.length) world.saw("revoked_key_refused");
    if (entered.length > 1) world.saw("reports_in_one_commit");
    const answers = debited?.answers.values();
    for (const call of calls) {
      const results = keys.isGood(call.key) ? answers?.next().value : undefined;
      if (results === undefined || call.answerLost) this.#again(call);
      else this.sightings.acknowledge(call.reports, results);
    }
  }

  /** The core must answer each call with the results of its own reports, and refuse one with a revoked key. */
  #awaitPromises(sent: readonly DebitCall[], { promised, answers }: Debited): void {
    const { world } = this;
    const admitted = answers.values();
    for (const [i, call] of sent.entries()) {
      const wanted = call.admitted ? admitted.next().value?.map(showDecided) : deny({ code: "key_revoked" });
      const promise = promised[i] as Debited["promised"][number];
      world.expectLater(promise, (found) => world.same("the answer to a call", found, wanted));
    }
  }

  #expect(reports: readonly Report[], answers: readonly (DebitAnswer | Refused)[] | null, nowMs: number): void {
    const { world } = this;
    for (const [i, report] of reports.entries()) {
      const before = this.sightings.before(report, nowMs);
      const wanted = world.reference.debit(report, nowMs);
      this.sightings.ofDebit(report, wanted, before);
      const found = answers?.[i];
      if (found === undefined) continue;
      const label = `report of ${report.run} on ${report.reportedAs}`;
      if (typeof wanted === "string" || isRefusal(found)) {
        world.same(label, isRefusal(found) ? found.refusal.code : found, wanted);
        continue;
      }
      world.same(
        label,
        [
          ...[found.chargedMicros, found.runTotalMicros, found.unit],
          ...[found.remainingMicros, found.availableMicros, found.action, found.reason],
        ],
        Object.values(wanted),
      );
      const { used, total } = world.reference.balance(wanted.unit, nowMs);
      checkPercent(world, found.usedPercent, used, total);
    }
  }

  #priced({ name, startedAtMs, ...sent }: Sent): Report {
    const found = this.prices.atSomeEdge(this.world.nowMs).find(name);
    return { ...sent, startedAtMs, reportedAs: name, model: found?.model ?? name, price: found?.price ?? null };
  }
}
