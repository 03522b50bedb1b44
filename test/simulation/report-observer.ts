/**
 * Observes how agents are answered: counts the rare events of their reports, and remembers which totals were answered,
 * because those must be stored.
 */
import type { DebitAnswer, Report } from "../../src/ledger/debit.ts";
import { isRefusal, type Refused } from "../../src/ledger/refusals.ts";
import { RARE_EVENTS, type RareEvent } from "./rare-events.ts";
import type { Expected } from "./reference.ts";
import { type ReferenceMeter, type Tokens, USED_KINDS, used } from "./reference-meter.ts";
import { type Delivery, MAX_COPIES } from "./report-network.ts";
import type { World } from "./world.ts";

/** The reference before a report was decided. */
type Before = { meter: ReferenceMeter | null; tokens: Tokens | null; final: boolean; debt: number; bonus: number };

const DAY_MS = 86_400_000;
const METER_RETENTION_MS = 35 * DAY_MS;

export class ReportObserver {
  /** By meter: the largest totals that were answered, of open reports and of final ones. */
  readonly acknowledged = new Map<string, { open: Tokens | null; final: Tokens | null }>();

  constructor(readonly world: World) {}

  acknowledge(reports: readonly Report[], results: readonly (DebitAnswer | Refused)[]): void {
    for (const [i, report] of reports.entries()) {
      const result = results[i];
      if (result === undefined || isRefusal(result)) continue;
      const key = `${report.run} ${result.model} ${result.tier}`;
      const known = this.acknowledged.get(key) ?? { open: null, final: null };
      // An estimated final lowers nothing, and an exact one replaces it.
      const field = report.final && !report.estimated ? "final" : "open";
      this.acknowledged.set(key, { ...known, [field]: largest(known[field], used(report.usage)) });
    }
  }

  ofDelivery({ copies, delaysMs, answerLost }: Delivery): void {
    const { world } = this;
    if (delaysMs.length === 0) world.count("report_lost");
    if (answerLost) world.count("answer_lost");
    if (delaysMs.length > 1) world.count("report_duplicated");
    if (copies === MAX_COPIES) world.count("report_sent_50_times");
    if (Math.max(0, ...delaysMs) > DAY_MS) world.count("report_late_by_days");
    if (Math.max(0, ...delaysMs) > METER_RETENTION_MS) world.count("report_late_beyond_retention");
  }

  ofStart(outcome: string): void {
    if (outcome === "created") this.world.count("start_admitted");
    else if (outcome === "known") this.world.count("start_repeated");
    else this.#ofRefusal(outcome);
  }

  before(report: Report, nowMs: number): Before {
    const { reference } = this.world;
    const run = reference.runs.get(report.run);
    const meter =
      run?.meters.find(
        ({ model, tier, aliases }) =>
          tier === report.tier && (model === report.model || aliases.has(report.reportedAs)),
      ) ?? null;
    return {
      meter,
      tokens: meter?.tokens ?? null,
      final: meter?.final ?? false,
      debt: reference.money.taken("debt"),
      bonus: reference.money.bonusLeft(nowMs),
    };
  }

  ofDebit(report: Report, expected: Expected | string, before: Before): void {
    const { world } = this;
    if (typeof expected === "string") {
      this.#ofRefusal(expected);
      return;
    }
    const { meter, tokens } = before;
    const started = world.reference.runs.get(report.run)?.startedMs ?? world.nowMs;
    if (report.tier !== "standard") world.count("tier_reported");
    if ((report.usage.web_searches ?? 0) > 0) world.count("searches_reported");
    if (expected.charged < 0) world.count("final_lowered_the_charge");
    if (before.final && report.final && expected.charged > 0) world.count("finals_joined");
    if (before.final && !report.final) world.count("report_after_final");
    if (tokens !== null && !report.final && (report.usage.input ?? 0) < tokens.input) world.count("report_overtaken");
    if (meter !== null && meter.model !== report.model) world.count("alias_moved_to_another_model");
    if (meter?.price && report.price !== null && meter.price.bookVersion !== report.price.bookVersion) {
      world.count("price_changed_under_an_open_meter");
    }
    if (meter !== null && world.booksNowMs - started > METER_RETENTION_MS)
      world.count("report_after_retention_on_a_kept_meter");
    if (world.reference.money.taken("debt") > before.debt) world.count("debt_made");
    if (expected.unit === "credits" && world.reference.money.bonusLeft(world.booksNowMs) < before.bonus) {
      world.count("bonus_drawn");
    }
    if (expected.reason === "hold_exhausted") world.count("hold_exhausted");
    if (world.nowMs === world.reference.money.cycle.startsMs) world.count("report_in_the_millisecond_of_a_turn");
  }

  #ofRefusal(code: string): void {
    if (code === "run_too_old") this.world.count("report_refused_by_age");
    else if ((RARE_EVENTS as readonly string[]).includes(code)) this.world.count(code as RareEvent);
  }
}

function largest(known: Tokens | null, tokens: Tokens): Tokens {
  if (known === null) return tokens;
  return used(Object.fromEntries(USED_KINDS.map((kind) => [kind, Math.max(known[kind], tokens[kind])])));
}
