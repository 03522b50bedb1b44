/**
 * The real ledger in the terms of story.ts: each event becomes the call that an agent or operator would cause, and the
 * view is read from the gauge and the rows.
 */
import type { Ledger } from "../../../src/enterprise/books/ledger.ts";
import { RUNS } from "../../../src/enterprise/books/rows.ts";
import type { DebitAnswer, Report } from "../../../src/ledger/debit.ts";
import type { EntryFacts } from "../../../src/ledger/entries.ts";
import { summarizeGrant } from "../../../src/ledger/grants.ts";
import { NO_MULTIPLIER, type Price, resolveRates } from "../../../src/ledger/prices.ts";
import { isRefusal, type Refused } from "../../../src/ledger/refusals.ts";
import {
  type Answer,
  type Event,
  type Kinds,
  type ListPrice,
  mergeDraws,
  type ReportEvent,
  type View,
} from "./story.ts";

const MOST = Number.MAX_SAFE_INTEGER;

export function applyReal(ledger: Ledger, event: Event): Answer {
  switch (event.type) {
    case "clock":
      return codeOr(ledger.moveClock(event.toMs), () => null);
    case "report":
      return answerOf(ledger.debit([reportOf(event)])[0] as DebitAnswer | Refused);
    case "start": {
      const { run, user, holdMicros, ttlMs } = event;
      const who = { surface: "web", workspace: "w", user } as const;
      const started = ledger.start({ run, ...who, startedAtMs: undefined, holdMicros, holdTtlMs: ttlMs });
      return codeOr(started, ({ created, hold }) => ({ created, hold: hold?.micros ?? null }));
    }
    case "release":
      ledger.releaseHold(event.run);
      return null;
    case "grant": {
      const { id, amountMicros, expiresAtMs } = event;
      const given = ledger.addGrant({ id, amountMicros, expiresAtMs, source: "promotion", note: null }, "operator");
      return codeOr(given, ({ created }) => (created ? null : "the same"));
    }
    case "void":
      return codeOr(ledger.voidGrant(event.id, "operator"), () => null);
    case "allowance":
      return codeOr(ledger.changeSettings({ allowanceOverrideMicros: event.micros }, "operator"), () => null);
    case "cap":
      return codeOr(ledger.setCap(event.micros, "operator"), () => null);
    case "billing":
      return codeOr(ledger.changeSettings({ billingModel: event.model }, "operator"), () => null);
    case "suspend":
      return codeOr(ledger.changeSettings({ suspended: event.suspended }, "operator"), () => null);
    case "calendar": {
      const { timeZone, anchorDay } = event;
      return codeOr(ledger.changeSettings({ timeZone, anchorDay }, "operator"), () => null);
    }
    default:
      return event satisfies never;
  }
}

export function reportOf({ run, user, name, model, price, tokens, final, startedAtMs }: ReportEvent): Report {
  const pinned = price === null ? null : priceOf(price);
  return {
    run,
    model,
    reportedAs: name,
    price: pinned,
    usage: tokens,
    final,
    tier: "standard",
    estimated: false,
    surface: "web",
    workspace: "w",
    user,
    startedAtMs,
  };
}

function priceOf({ creditsPerUsd, rates }: ListPrice): Price {
  return { bookVersion: 1, creditsPerUsd, multiplierMillionths: NO_MULTIPLIER, rates: resolveRates(rates) };
}

export function answerOf(answered: DebitAnswer | Refused): Answer {
  return codeOr(answered, (answer) => ({
    charged: answer.chargedMicros,
    runTotal: answer.runTotalMicros,
    model: answer.model,
    unit: answer.unit,
    remaining: answer.remainingMicros,
    available: answer.availableMicros,
    percent: answer.usedPercent,
    action: answer.reason === null ? answer.action : `${answer.action}: ${answer.reason}`,
  }));
}

export function viewReal(ledger: Ledger): View {
  const { sql, store } = ledger;
  const gauge = ledger.gauge();
  const { cycle } = ledger.books;
  const runs = sql.all("SELECT * FROM runs").map(RUNS.read);
  const stored = store.loadMeters(runs.map((run) => run.run));
  const meters = stored.map((meter) => store.olderDraws.newest(meter, MOST).meter);
  return {
    cycle: { startsAtMs: cycle.startsAtMs, endsAtMs: cycle.endsAtMs },
    gauge: {
      unit: gauge.unit,
      used: gauge.usedMicros,
      total: gauge.totalMicros,
      remaining: gauge.remainingMicros,
      debt: gauge.debtMicros,
      held: gauge.heldMicros,
      available: gauge.availableMicros,
      percent: gauge.usedPercent,
      monthly: gauge.monthly && {
        allowance: gauge.monthly.allowanceMicros,
        used: gauge.monthly.usedMicros,
        remaining: gauge.monthly.remainingMicros,
      },
      bonus: gauge.bonus && {
        used: gauge.bonus.usedMicros,
        remaining: gauge.bonus.remainingMicros,
        nextExpiry: gauge.bonus.nextExpiry && {
          atMs: gauge.bonus.nextExpiry.atMs,
          micros: gauge.bonus.nextExpiry.micros,
        },
      },
      spend: gauge.spend && { cap: gauge.spend.capMicros, used: gauge.spend.usedMicros },
    },
    grants: store.loadGrantPage(MOST, 1_000).map((grant) => {
      const view = summarizeGrant(grant, ledger.nowMs());
      return { id: view.id, drawn: view.drawnMicros, remaining: view.remainingMicros, state: view.state };
    }),
    meters: meters.map((meter) => ({
      run: meter.run,
      model: meter.model,
      unit: meter.unit,
      tokens: meter.usage as Kinds,
      final: meter.final,
      charged: meter.chargedMicros,
      draws: mergeDraws(
        meter.draws.map((draw) => ({
          bucket: draw.bucket,
          id: draw.grantId ?? draw.cycleStartsAtMs,
          cycle: draw.cycleStartsAtMs,
          micros: draw.micros,
          lapsed: draw.lapsedMicros,
        })),
      ),
    })),
    holds: runs.flatMap(({ run, hold }) =>
      hold === null ? [] : [{ run, unit: hold.unit, micros: hold.micros, endsAtMs: hold.expiresAtMs }],
    ),
    entries: store
      .loadEntriesAfter(0, MOST)
      .map(({ facts, atMs }) => ({ type: facts.type, atMs, micros: microsOf(facts) })),
  };
}

function microsOf(facts: EntryFacts): number {
  switch (facts.type) {
    case "cycle_started":
    case "plan_changed":
      return facts.allowanceMicros;
    case "grant_added":
    case "grant_expired":
    case "grant_voided":
    case "debt_written_off":
      return facts.amountMicros;
    case "cap_changed":
      return facts.toMicros ?? -1;
    case "billing_model_changed":
    case "price_changed":
    case "user_erased":
      return 0;
    case "run_closed":
      return facts.creditsMicros + facts.usdMicros;
    case "usage_priced":
    case "usage_dropped":
      throw new Error("the stories have a price for all usage");
    case "budget_changed":
      throw new Error("the stories have no budgets");
    case "checkpoint":
      throw new Error("the stories do not last 400 days");
    default:
      return facts satisfies never;
  }
}

function codeOr<T extends object>(answer: T, view: (answer: Exclude<T, Refused>) => Answer): Answer {
  return isRefusal(answer) ? answer.refusal.code : view(answer as Exclude<T, Refused>);
}
