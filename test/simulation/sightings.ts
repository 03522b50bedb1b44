/**
 * Looks on while agents are answered: counts the rare things that happened to their reports, and remembers what they
 * were told to be there.
 */
import type { DebitAnswer, Report } from "../../src/ledger/debit.ts";
import type { Tokens } from "../../src/ledger/prices.ts";
import { isRefusal, type Refused } from "../../src/ledger/refusals.ts";
import { HAPPENINGS, type Happening } from "./happenings.ts";
import { type Fate, MOST_COPIES } from "./network.ts";
import type { Expected } from "./reference.ts";
import type { ReferenceMeter } from "./reference-meter.ts";
import type { World } from "./world.ts";

/** What stood before a report was decided. */
type Before = { meter: ReferenceMeter | null; tokens: Tokens | null; final: boolean; debt: number; bonus: number };

const DAY_MS = 86_400_000;
const FENCE_MS = 35 * DAY_MS;

export class Sightings {
  /** By meter: the largest totals that were answered, of open reports and of finals. */
  readonly acknowledged = new Map<string, { open: Tokens | null; final: Tokens | null }>();

  constructor(readonly world: World) {}

  acknowledge(reports: readonly Report[], results: readonly (DebitAnswer | Refused)[]): void {
    for (const [i, report] of reports.entries()) {
      const result = results[i];
      if (result === undefined || isRefusal(result)) continue;
      const key = `${report.run} ${result.model}`;
      const known = this.acknowledged.get(key) ?? { open: null, final: null };
      const field = report.final ? "final" : "open";
      this.acknowledged.set(key, { ...known, [field]: largest(known[field], report.tokens) });
    }
  }

  ofFate({ copies, delaysMs, answerLost }: Fate): void {
    const { world } = this;
    if (delaysMs.length === 0) world.saw("report_lost");
    if (answerLost) world.saw("answer_lost");
    if (delaysMs.length > 1) world.saw("report_duplicated");
    if (copies === MOST_COPIES) world.saw("report_sent_50_times");
    if (Math.max(0, ...delaysMs) > DAY_MS) world.saw("report_late_by_days");
    if (Math.max(0, ...delaysMs) > FENCE_MS) world.saw("report_late_beyond_the_fence");
  }

  ofStart(outcome: string): void {
    if (outcome === "created") this.world.saw("start_admitted");
    else if (outcome === "known") this.world.saw("start_repeated");
    else this.#ofRefusal(outcome);
  }

  before(report: Report, nowMs: number): Before {
    const { reference } = this.world;
    const run = reference.runs.get(report.run);
    const meter =
      run?.meters.find(({ model, aliases }) => model === report.model || aliases.has(report.reportedAs)) ?? null;
    return {
      meter,
      tokens: meter?.tokens ?? null,
      final: meter?.final ?? false,
      debt: reference.purse.taken("debt"),
      bonus: reference.purse.bonusLeft(nowMs),
    };
  }

  ofDebit(report: Report, wanted: Expected | string, before: Before): void {
    const { world } = this;
    if (typeof wanted === "string") {
      this.#ofRefusal(wanted);
      return;
    }
    const { meter, tokens } = before;
    const started = world.reference.runs.get(report.run)?.startedMs ?? world.nowMs;
    if (wanted.charged < 0) world.saw("final_lowered_the_charge");
    if (before.final && report.final && wanted.charged > 0) world.saw("finals_joined");
    if (before.final && !report.final) world.saw("report_after_final");
    if (tokens !== null && !report.final && report.tokens.input < tokens.input) world.saw("report_overtaken");
    if (meter !== null && meter.model !== report.model) world.saw("alias_moved_to_another_model");
    if (meter !== null && report.price !== null && meter.price.bookVersion !== report.price.bookVersion) {
      world.saw("price_changed_under_an_open_meter");
    }
    if (meter !== null && world.booksNowMs - started > FENCE_MS) world.saw("report_after_the_fence_on_a_kept_meter");
    if (world.reference.purse.taken("debt") > before.debt) world.saw("debt_made");
    if (wanted.unit === "credits" && world.reference.purse.bonusLeft(world.booksNowMs) < before.bonus) {
      world.saw("bonus_drawn");
    }
    if (wanted.reason === "hold_exhausted") world.saw("hold_exhausted");
    if (world.nowMs === world.reference.purse.cycle.startsMs) world.saw("report_in_the_millisecond_of_a_turn");
  }

  #ofRefusal(code: string): void {
    if (code === "run_too_old") this.world.saw("report_refused_by_the_fence");
    else if ((HAPPENINGS as readonly string[]).includes(code)) this.world.saw(code as Happening);
  }
}

function largest(known: Tokens | null, tokens: Tokens): Tokens {
  if (known === null) return tokens;
  return {
    input: Math.max(known.input, tokens.input),
    output: Math.max(known.output, tokens.output),
    cacheRead: Math.max(known.cacheRead, tokens.cacheRead),
    cacheWrite: Math.max(known.cacheWrite, tokens.cacheWrite),
  };
}
