/**
 * The commands on the books. Each command runs within one change. It loads what the decision needs, lets the rules in
 * src/ledger decide, and stores the outcome in the change, together with its entries and outbox items.
 */
import type { ModelPrice } from "../../catalog/price-entry.ts";
import { decideAdmission, type StartRequest } from "../../ledger/admission.ts";
import { grantUsable, type Settings } from "../../ledger/books.ts";
import { answerDebit, type DebitAnswer, decideDebit, type Report, runTotal } from "../../ledger/debit.ts";
import { owesWithCredit } from "../../ledger/debt.ts";
import type { By } from "../../ledger/entries.ts";
import type { Gauge } from "../../ledger/gauge.ts";
import { findGrant } from "../../ledger/grant-list.ts";
import { decideGrant, decideVoid, type GrantRequest, type GrantSummary, summarizeGrant } from "../../ledger/grants.ts";
import { endHold } from "../../ledger/holds.ts";
import type { Micros } from "../../ledger/micros.ts";
import type { Plan } from "../../ledger/plans.ts";
import { NO_MULTIPLIER } from "../../ledger/prices.ts";
import { refundBound } from "../../ledger/refund-bound.ts";
import { isRefusal, type Refused, refuse } from "../../ledger/refusals.ts";
import { decideCap, decideSettings, withPlanTerms } from "../../ledger/settings.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Change } from "./change.ts";
import type { Channels } from "./channels.ts";
import { groupOfWorkspace } from "./directory.ts";
import { debitItem, holdItem } from "./outbox.ts";
import type { Overrides } from "./overrides.ts";
import { nextRevision } from "./progress.ts";
import { isNearlyFull } from "./size.ts";

export type StartAnswer = {
  run: string;
  created: boolean;
  hold: { micros: Micros; expiresAtMs: AtMs } | null;
  gauge: Gauge;
};

/** The refusal of a start, with what the caller needs to show: the gauge, and the URL to get more credits. */
export type StartRefused = Refused & { upgradeUrl: string | null; gauge: Gauge };

const BY_AGENT: By = "agent";

/**
 * Begins to replace a person's id by another one, and ends the person's tokens. Returns the replacement; null if that has
 * begun already.
 */
export function eraseUser(change: Change, user: string, by: By, realNowMs: AtMs): string | null {
  const replacement = change.store.erasures.begin(user, change.nowMs, realNowMs);
  if (replacement === null) return null;
  change.takeSeq();
  change.record([{ atMs: change.nowMs, by, facts: { type: "user_erased", replacement } }]);
  return replacement;
}

/** Decides one report. The report's run must already be loaded. */
export function debitOne(change: Change, sent: Report, refuseUnpriced: boolean): DebitAnswer | Refused {
  const run = change.run(sent.run);
  const report = change.store.erasures.attribute(sent, run);
  change.attributeTo(report.run);
  const refund = refundBound(run, change.metersOf(report.run), report, change.nowMs);
  const known = { books: change.books, run, ...change.metersFor(report.run, refund) };
  const groupOf = (workspace: string) => groupOfWorkspace(change.store.sql, workspace);
  const debit = decideDebit(known, report, change.nowMs, groupOf, refuseUnpriced);
  if (isRefusal(debit)) return debit;
  change.books = debit.books;
  if (debit.run !== run) change.putRun(debit.run);
  if (debit.changed) {
    change.putMeter(debit.meter);
    change.addItem(debitItem(debit, change.metersOf(report.run)));
  }
  if (owesWithCredit(change.books, change.nowMs)) change.payDebt();
  const charged = change.metersOf(report.run);
  if (debit.closedRun) {
    const facts = {
      type: "run_closed",
      run: report.run,
      creditsMicros: runTotal(charged, "credits"),
      usdMicros: runTotal(charged, "usd"),
    } as const;
    change.takeSeq();
    change.record([{ atMs: change.nowMs, by: BY_AGENT, facts }]);
  }
  return answerDebit(debit, change.books, charged, change.nowMs, change.budgets?.statesOfRun(debit.run));
}

/** Replaces the price overrides, with an entry that counts what has changed. */
export function putOverrides(change: Change, overrides: Overrides, models: readonly ModelPrice[], by: By): void {
  const before = new Map(overrides.load().map((model) => [model.id, JSON.stringify(model)]));
  const added = models.filter(({ id }) => !before.has(id)).length;
  const same = models.filter((model) => before.get(model.id) === JSON.stringify(model)).length;
  const removed = before.size - (models.length - added);
  const changed = models.length - added - same;
  overrides.put(models);
  if (added + changed + removed === 0) return;
  const multiplier = change.books.settings.priceMultiplierMillionths ?? NO_MULTIPLIER;
  change.takeSeq();
  const facts = {
    type: "price_changed",
    fromMultiplier: multiplier,
    toMultiplier: multiplier,
    added,
    changed,
    removed,
  } as const;
  change.record([{ atMs: change.nowMs, by, facts }]);
}

export function startRun(change: Change, sent: StartRequest): StartAnswer | StartRefused {
  change.load([sent.run]);
  const request = change.store.erasures.attribute(sent, change.run(sent.run));
  const known = { books: change.books, run: change.run(request.run), meters: change.metersOf(request.run) };
  const decided = decideAdmission(known, request, change.nowMs, (run) => change.budgets?.statesOfRun(run) ?? []);
  if (isRefusal(decided)) {
    return { ...decided, upgradeUrl: change.links().upgradeUrl, gauge: change.gauge() };
  }
  if (known.run === null && isNearlyFull(change.store.sql)) {
    return { ...refuse({ code: "ledger_busy" }), upgradeUrl: null, gauge: change.gauge() };
  }
  change.books = decided.books;
  if (decided.changed) {
    change.putRun(decided.run);
    change.addItem(holdItem(decided.run, change.books.seq));
  }
  const { hold } = decided.run;
  return {
    run: request.run,
    created: decided.created,
    hold: hold === null ? null : { micros: hold.micros, expiresAtMs: hold.expiresAtMs },
    gauge: change.gauge(),
  };
}

export function releaseHold(change: Change, name: string): void {
  change.load([name]);
  const run = change.run(name);
  if (run === null || run.hold === null) return;
  const ended = endHold(change.books, run, change.nowMs);
  change.books = ended.books;
  change.takeSeq();
  change.putRun(ended.run);
  change.addItem(holdItem(run, change.books.seq));
}

export function addGrant(
  change: Change,
  request: GrantRequest,
  by: By,
): { grant: GrantSummary; created: boolean } | Refused {
  // findGrant reads the books first, because changes that fell due in this change are not stored yet.
  const known = change.findGrant(request.id);
  const decided = decideGrant(change.books, known, request, change.nowMs);
  if (isRefusal(decided)) return decided;
  const { grant, created } = decided;
  if (!created) return { grant: summarizeGrant(grant, change.nowMs), created };
  change.books = decided.books;
  const facts = {
    type: "grant_added",
    grant: grant.id,
    amountMicros: grant.amountMicros,
    source: grant.source,
    expiresAtMs: grant.expiresAtMs,
    debtPaidMicros: change.payDebt(),
  } as const;
  change.record([{ atMs: change.nowMs, by, facts }]);
  // Paying debt may have drawn on the grant.
  const now = findGrant(change.books.grants, grant.id) ?? grant;
  return { grant: summarizeGrant(now, change.nowMs), created };
}

export function voidGrant(change: Change, id: string, by: By): GrantSummary | Refused {
  const known = change.findGrant(id);
  if (known === null) return refuse({ code: "not_found" });
  if (!grantUsable(known, change.nowMs)) return summarizeGrant(known, change.nowMs);
  if (findGrant(change.books.grants, id) === null) change.addGrants([known]);
  const decided = decideVoid(change.books, known);
  change.books = decided.books;
  const facts = { type: "grant_voided", grant: id, amountMicros: decided.voidedMicros } as const;
  change.record([{ atMs: change.nowMs, by, facts }]);
  return summarizeGrant(decided.grant, change.nowMs);
}

/**
 * Changes the settings that are in the patch. Returns null on success.
 * @param plans the catalogue of plans; null if the caller does not know it
 */
export function changeSettings(
  change: Change,
  patch: Partial<Settings>,
  plans: readonly Plan[] | null,
  by: By,
): Refused | null {
  const before = change.books.settings;
  const settings = withPlanTerms({ ...before, ...patch }, before, plans);
  if (isRefusal(settings)) return settings;
  const decided = decideSettings(change.books, settings, by, change.nowMs);
  if (isRefusal(decided)) return decided;
  change.books = decided.books;
  const paidMicros = change.payDebt();
  change.record(
    decided.entries.map((entry) =>
      entry.facts.type === "plan_changed" ? { ...entry, facts: { ...entry.facts, debtPaidMicros: paidMicros } } : entry,
    ),
  );
  nextRevision(change.store.sql, "settings_revision");
  return null;
}

/** Sets, changes or removes the spend cap. Returns null on success. */
export function setCap(change: Change, capMicros: Micros | null, by: By): Refused | null {
  const decided = decideCap(change.books, capMicros, by, change.nowMs);
  if (isRefusal(decided)) return decided;
  change.books = decided.books;
  change.record(decided.entries);
  return null;
}

/**
 * Changes the channels. When the first one becomes active, messages about the balance start from what it is now: nothing
 * that has happened before is sent.
 */
export function changeChannels<T>(change: Change, act: (channels: Channels) => T): T {
  const { channels } = change.store;
  const hadActive = channels.active.length > 0;
  const result = act(channels);
  if (!hadActive && channels.active.length > 0) change.books = { ...change.books, alerted: null };
  return result;
}
