/** Journal entries as text for people: a title for each type of entry, and its details. */
import { EVERY_ID } from "../../ledger/budget.ts";
import type { EntryFacts } from "../../ledger/entries.ts";
import type { Micros } from "../../ledger/micros.ts";
import { formatRate } from "../../ledger/prices.ts";
import { capName } from "../kit/cap.ts";
import { formatAmount, formatCharge } from "../kit/format.ts";
import { formatUtc } from "./frame.tsx";

/** "Grant added" and "hooli: 200 credits, promotion". */
export function textOf(facts: EntryFacts): { what: string; detail: string } {
  switch (facts.type) {
    case "cycle_started":
      return {
        what: "Cycle started",
        detail: `${credits(facts.allowanceMicros)}, until ${formatUtc(facts.endsAtMs)}`,
      };
    case "grant_added": {
      const paid = facts.debtPaidMicros > 0 ? `, ${credits(facts.debtPaidMicros)} paid debt` : "";
      return {
        what: "Grant added",
        detail: `${facts.grant}: ${credits(facts.amountMicros)}, ${facts.source}${paid}`,
      };
    }
    case "grant_expired":
      return { what: "Grant expired", detail: `${facts.grant}: ${credits(facts.amountMicros)} were left` };
    case "grant_voided":
      return { what: "Grant voided", detail: `${facts.grant}: ${credits(facts.amountMicros)} taken back` };
    case "debt_written_off":
      return { what: "Debt written off", detail: credits(facts.amountMicros) };
    case "cap_changed":
      return { what: "Spend cap changed", detail: `${capName(facts.fromMicros)} → ${capName(facts.toMicros)}` };
    case "budget_changed": {
      const of = (terms: typeof facts.from) =>
        terms === null
          ? "none"
          : terms.limitMicros === null
            ? "exempt"
            : `${formatCharge(terms.limitMicros, terms.unit)} (${terms.action === "block" ? "blocks" : "warns"})`;
      const whose = facts.id === EVERY_ID ? `every ${facts.dimension}` : `${facts.dimension} ${facts.id}`;
      return { what: "Budget changed", detail: `${whose}, per ${facts.period}: ${of(facts.from)} → ${of(facts.to)}` };
    }
    case "plan_changed": {
      const from = `${facts.fromPlan}, ${credits(facts.fromMicros)}`;
      return { what: "Plan changed", detail: `${from} → ${facts.toPlan}, ${credits(facts.toMicros)}` };
    }
    case "billing_model_changed":
      return { what: "Billing model changed", detail: `${facts.from} → ${facts.to}` };
    case "user_erased":
      return { what: "Person erased", detail: `now ${facts.replacement}` };
    case "price_changed": {
      const { fromMultiplier, toMultiplier, added, changed, removed } = facts;
      const multiplier = `multiplier ${formatRate(fromMultiplier)} → ${formatRate(toMultiplier)}`;
      const overrides = `overrides: ${added} added, ${changed} changed, ${removed} removed`;
      return { what: "Prices changed", detail: fromMultiplier === toMultiplier ? overrides : multiplier };
    }
    case "run_closed": {
      const usd = facts.usdMicros > 0 || facts.creditsMicros === 0 ? formatAmount(facts.usdMicros, "usd") : "";
      const charges = [facts.creditsMicros > 0 ? credits(facts.creditsMicros) : "", usd].filter((text) => text !== "");
      return { what: "Run closed", detail: `${facts.run}: ${charges.join(" and ")}` };
    }
    case "usage_priced": {
      const charge =
        facts.usdMicros > 0 ? formatAmount(facts.usdMicros, "usd") : formatCharge(facts.creditsMicros, "credits");
      return {
        what: "Usage priced",
        detail: `${facts.reportedAs} as ${facts.model}: ${facts.meters} meters, ${charge}`,
      };
    }
    case "usage_dropped":
      return { what: "Usage dropped", detail: `${facts.reportedAs}: ${facts.meters} meters never had a price` };
    case "checkpoint":
      return {
        what: "Checkpoint",
        detail: `in place of ${facts.entries} older entries; until then ${credits(facts.grantedMicros)} were granted`,
      };
    default:
      return facts satisfies never;
  }
}

function credits(micros: Micros): string {
  return formatCharge(micros, "credits");
}
