/** Journal entries as text for people: a title for each type of entry, and its details. */
import type { EntryFacts } from "../../ledger/entries.ts";
import type { Micros } from "../../ledger/micros.ts";
import { parseIso } from "../../wire/time.ts";
import { capName } from "../kit/cap.ts";
import { formatAmount, formatCharge } from "../kit/format.ts";
import { formatUtc } from "./frame.tsx";

/** "Grant added" and "hooli: 200 credits, promotion". */
export function textOf(facts: EntryFacts): { what: string; detail: string } {
  switch (facts.type) {
    case "cycle_started":
      return {
        what: "Cycle started",
        detail: `${credits(facts.allowance_micros)}, until ${formatUtc(parseIso(facts.ends_at))}`,
      };
    case "grant_added": {
      const paid = facts.debt_paid_micros > 0 ? `, ${credits(facts.debt_paid_micros)} paid debt` : "";
      return {
        what: "Grant added",
        detail: `${facts.grant}: ${credits(facts.amount_micros)}, ${facts.source}${paid}`,
      };
    }
    case "grant_expired":
      return { what: "Grant expired", detail: `${facts.grant}: ${credits(facts.amount_micros)} were left` };
    case "grant_voided":
      return { what: "Grant voided", detail: `${facts.grant}: ${credits(facts.amount_micros)} taken back` };
    case "debt_written_off":
      return { what: "Debt written off", detail: credits(facts.amount_micros) };
    case "cap_changed":
      return { what: "Spend cap changed", detail: `${capName(facts.from_micros)} → ${capName(facts.to_micros)}` };
    case "plan_changed": {
      const from = `${facts.from_plan}, ${credits(facts.from_micros)}`;
      return { what: "Plan changed", detail: `${from} → ${facts.to_plan}, ${credits(facts.to_micros)}` };
    }
    case "billing_model_changed":
      return { what: "Billing model changed", detail: `${facts.from} → ${facts.to}` };
    case "run_closed": {
      const usd = facts.usd_micros > 0 || facts.credits_micros === 0 ? formatAmount(facts.usd_micros, "usd") : "";
      const charges = [facts.credits_micros > 0 ? credits(facts.credits_micros) : "", usd].filter(
        (text) => text !== "",
      );
      return { what: "Run closed", detail: `${facts.run}: ${charges.join(" and ")}` };
    }
    default:
      return facts satisfies never;
  }
}

function credits(micros: Micros): string {
  return formatCharge(micros, "credits");
}
