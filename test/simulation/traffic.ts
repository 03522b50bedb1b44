/**
 * Agents: runs start, ask, and report running totals through the network. Their answers are compared with what the
 * reference expects.
 */
import { deny } from "../../src/access/refusals.ts";
import type { DebitAnswer, Report } from "../../src/ledger/debit.ts";
import { isRefusal, type Refused } from "../../src/ledger/refusals.ts";
import { showDecided } from "../../src/wire/debit-answer.ts";
import { type Attributed, drawAttribution, type Planned, planRun, type Sent } from "./agent.ts";
import { checkPercent } from "./gauge-check.ts";
import { Prices } from "./prices.ts";
import { costOf } from "./reference-meter.ts";
import { drawDelivery } from "./report-network.ts";
import { ReportObserver } from "./report-observer.ts";
import { DAY_MS } from "./scenario.ts";
import type { DebitCall, Debited } from "./simulated-object.ts";
import { Starts } from "./starts.ts";
import type { World, WorldTraffic } from "./world.ts";

type Call = { sent: Sent[]; key: string; answerLost: boolean; triesLeft: number };

const HOUR_MS = 3_600_000;
const MAX_RECENT = 30;
const TRIES = 4;
const TOGETHER_MS = 500;

export class Traffic implements WorldTraffic {
  readonly prices: Prices;
  readonly starts: Starts;
  readonly observer: ReportObserver;
  /** The runs that have started, in order, and who they run for. */
  readonly #known = new Map<string, Attributed>();
  #inbox: Call[] = [];
  #recent: Sent[] = [];

  constructor(readonly world: World) {
    this.prices = new Prices(world.dice);
    this.starts = new Starts(world);
    this.observer = new ReportObserver(world);
  }

  begin(): void {
    const { dice, scenario, nowMs } = this.world;
    for (let i = 0; i < scenario.runs; i++) {
      this.world.at(nowMs + dice.whole(0, scenario.days * DAY_MS), () => this.startRun());
    }
  }

  /** Starts a run: it mostly asks first, and reports. */
  startRun(): void {
    const { world, starts } = this;
    const { dice } = world;
    const who = drawAttribution(dice, world.booksNowMs);
    const run = this.nameRun(who);
    if (world.scenario.disciplined) {
      this.#startDisciplined(run, { ...who, startedAtMs: world.booksNowMs });
      return;
    }
    const asks = dice.chance(0.6);
    const admitted = asks ? starts.ask(run, who) : true;
    if (!admitted && dice.chance(0.5)) return;
    for (const { afterMs, sent } of planRun(dice, run, who)) world.later(afterMs, () => this.send([sent]));
    if (asks && dice.chance(0.2)) world.later(dice.spread(1_000, 3 * HOUR_MS), () => starts.raise(run));
    if (asks && dice.chance(0.2)) world.later(dice.spread(1_000, 6 * HOUR_MS), () => starts.release(run));
  }

  /** Makes a name for a run with this attribution. */
  nameRun(who: Attributed): string {
    const run = `${this.world.dice.pick(["run-", "team/a:", "r."])}${this.#known.size + 1}`;
    this.#known.set(run, who);
    return run;
  }

  attributionOf(run: string): Attributed | undefined {
    return this.#known.get(run);
  }

  /** Picks a run that has started, most likely a recent one. */
  withSomeRun(act: (run: string) => void): void {
    const { dice } = this.world;
    const known = [...this.#known.keys()];
    // Mostly one of the last runs, sometimes one of long ago.
    const run =
      dice.chance(0.4) && known.length > 0 ? dice.pick(known) : known.at(-Math.min(known.length, dice.spread(1, 20)));
    if (run !== undefined) act(run);
  }

  /** Sends the last report again, and lets it arrive now. */
  repeatLast(): void {
    const { world } = this;
    const sent = this.#recent.at(-1);
    if (sent === undefined || world.scenario.disciplined) return;
    this.#arrive({ sent: [sent], key: world.operators.keys.draw(), answerLost: false, triesLeft: 0 });
  }

  /** Starts a run that never spends more than its hold. */
  #startDisciplined(run: string, who: Attributed): void {
    const { world, starts } = this;
    const price = this.prices.latest.find("deep").price;
    if (price === null) return;
    const planned = planRun(world.dice, run, who)
      .filter(({ sent }, _, all) => sent.name === all[0]?.sent.name)
      .map(
        ({ afterMs, sent }): Planned => ({
          afterMs: Math.min(afterMs, 20 * HOUR_MS),
          sent: { ...sent, name: "deep", tier: "standard" },
        }),
      );
    const final = planned.findIndex(({ sent }) => sent.final);
    const kept = final === -1 ? planned : planned.slice(0, final + 1);
    const most = Math.max(
      1,
      ...kept.map(({ sent }) => costOf(sent.tokens, world.reference.pinned(price), world.reference.unit)),
    );
    if (!starts.start(starts.requestOf(run, who, most, DAY_MS))) return;
    for (const { afterMs, sent } of kept) world.later(afterMs, () => this.send([sent]));
  }

  /** Sends a message, sometimes in a batch with recent reports. Without an answer it is sent again. */
  send(sent: Sent[], triesLeft = TRIES): void {
    const { world } = this;
    const { dice, scenario } = world;
    const batched = !scenario.disciplined && dice.chance(0.12);
    const batch = batched ? [...sent, ...this.#recent.slice(-dice.whole(1, 6))] : sent;
    this.#recent = [...this.#recent, ...sent].slice(-MAX_RECENT);
    const fate = drawDelivery(dice, scenario.disciplined);
    const call = { sent: batch, key: world.operators.keys.draw(), answerLost: fate.answerLost, triesLeft };
    this.observer.ofDelivery(fate);
    if (fate.delaysMs.length === 0) this.#again(call);
    for (const delayMs of fate.delaysMs) world.at(this.#arrivalMs(delayMs), () => this.#arrive(call));
  }

  /** Many messages arrive in the same millisecond, as if a Worker had read them at once. */
  #arrivalMs(delayMs: number): number {
    const atMs = this.world.nowMs + delayMs;
    return this.world.dice.chance(0.5) ? Math.ceil(atMs / TOGETHER_MS) * TOGETHER_MS : atMs;
  }

  /** Sends a call again that got no answer, with the complete attribution. */
  #again(call: Call): void {
    if (call.triesLeft === 0) return;
    const sent = call.sent.map((one) => ({ ...one, ...this.#known.get(one.run) }));
    this.world.later(this.world.dice.spread(500, 60_000), () => this.send(sent, call.triesLeft - 1));
  }

  /** Calls that arrive in one millisecond share a commit. */
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
      admitted: keys.isValid(key),
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
    if (entered.length < calls.length) world.count("revoked_key_refused");
    if (entered.length > 1) world.count("reports_in_one_commit");
    const answers = debited?.answers.values();
    for (const call of calls) {
      const results = keys.isValid(call.key) ? answers?.next().value : undefined;
      if (results === undefined || call.answerLost) this.#again(call);
      else this.observer.acknowledge(call.reports, results);
    }
  }

  /** The core must answer each call with the results of its reports, and refuse a call with a revoked key. */
  #awaitPromises(sent: readonly DebitCall[], { promised, answers }: Debited): void {
    const { world } = this;
    const admitted = answers.values();
    for (const [i, call] of sent.entries()) {
      const expected = call.admitted ? admitted.next().value?.map(showDecided) : deny({ code: "key_revoked" });
      const promise = promised[i] as Debited["promised"][number];
      world.expectLater(promise, (found) => world.same("the answer to a call", found, expected));
    }
  }

  #expect(reports: readonly Report[], answers: readonly (DebitAnswer | Refused)[] | null, nowMs: number): void {
    const { world } = this;
    for (const [i, report] of reports.entries()) {
      const before = this.observer.before(report, nowMs);
      const expected = world.reference.debit(report, nowMs);
      this.observer.ofDebit(report, expected, before);
      const found = answers?.[i];
      if (found === undefined) continue;
      const label = `report of ${report.run} on ${report.reportedAs}`;
      if (typeof expected === "string" || isRefusal(found)) {
        world.same(label, isRefusal(found) ? found.refusal.code : found, expected);
        continue;
      }
      world.same(
        label,
        [
          ...[found.chargedMicros, found.runTotalMicros, found.unit],
          ...[found.remainingMicros, found.availableMicros, found.action, found.reason],
        ],
        Object.values(expected),
      );
      const { used, total } = world.reference.balance(expected.unit, nowMs);
      checkPercent(world, found.usedPercent, used, total);
    }
  }

  #priced({ name, tier = "standard", startedAtMs, tokens, estimated = false, ...sent }: Sent): Report {
    const found = this.prices.ofSomeWorker(this.world.nowMs).find(name, tier);
    if (found.price !== null) this.world.same(`rates of ${name}`, found.price.rates, this.prices.ratesOf(found, tier));
    return {
      ...sent,
      tier,
      estimated,
      usage: tokens,
      startedAtMs,
      reportedAs: name,
      model: found?.model ?? name,
      price: found?.price ?? null,
    };
  }
}
