/**
 * Which enterprises the list shows, and in which order: the form that chooses them, the words for what was chosen, and the
 * address of a page of the list. It works without script.
 */
import type { FC } from "hono/jsx";
import type { EnterpriseCounts } from "../../catalog/enterprise-list.ts";
import { LIST_STATES, type ListState } from "../../copy/filter-enterprises.ts";
import { BILLING_MODELS, type BillingModel } from "../../ledger/books.ts";
import type { Gauge } from "../../ledger/gauge.ts";
import type { Plan } from "../../ledger/plans.ts";
import { formatCount } from "../kit/format.ts";
import { OPERATOR_PATH } from "./sign-in.tsx";

/** One page of all enterprises, of those that a search found, or (`attention`) of those that need attention. */
export type Listed = {
  rows: { id: string; suspended: boolean; gauge: Gauge }[];
  search: string;
  attention: boolean;
  /** The plan of the enterprises; empty for all. */
  plan: string;
  /** The state and the billing model of the enterprises; null for all. */
  state: ListState | null;
  billing: BillingModel | null;
  /** In the order of their ids, not newest first. */
  byId: boolean;
  /** True after the first page. */
  later: boolean;
  /** The position after which the next page starts; null on the last page. */
  next: string | null;
};

/** `pressing` is null if there are more than are counted. */
export type Counts = EnterpriseCounts & { pressing: number | null };

export type EnterprisesProps = { listed: Listed; counts: Counts | null; plans: readonly Plan[] };

const STATES: Record<ListState, string> = {
  suspended: "Suspended",
  out: "Exhausted or capped",
  running_out: "On track to run out",
  in_debt: "In debt",
  no_cap: "No cap",
  ok: "OK",
};
const BILLING: Record<BillingModel, string> = { credits: "Credits", byom: "Own model" };

/** Which enterprises the list shows, and in which order. */
export const Filters: FC<EnterprisesProps> = ({ listed, counts, plans }) => {
  const known = plans.some(({ id }) => id === listed.plan) || listed.plan === "";
  const options = [
    ...plans.map(({ id, name }) => ({ id, name })),
    ...(known ? [] : [{ id: listed.plan, name: listed.plan }]),
  ];
  return (
    <form class="search filters" method="get" action={OPERATOR_PATH}>
      <p>
        <label for="list-plan">Plan</label>
        <select id="list-plan" name="plan">
          <option value="">All plans</option>
          {options.map(({ id, name }) => (
            <option value={id} selected={id === listed.plan}>
              {name} {counts === null ? "" : `(${formatCount(countOfPlan(counts, id))})`}
            </option>
          ))}
        </select>
      </p>
      <p>
        <label for="list-state">State</label>
        <select id="list-state" name="state">
          <option value="">All states</option>
          {LIST_STATES.map((state) => (
            <option value={state} selected={state === listed.state}>
              {STATES[state]}
            </option>
          ))}
        </select>
      </p>
      <p>
        <label for="list-billing">Billing</label>
        <select id="list-billing" name="billing">
          <option value="">All models</option>
          {BILLING_MODELS.map((billing) => (
            <option value={billing} selected={billing === listed.billing}>
              {BILLING[billing]}
            </option>
          ))}
        </select>
      </p>
      <p>
        <label for="list-order">Order</label>
        <select id="list-order" name="sort">
          <option value="newest">Newest first</option>
          <option value="id" selected={listed.byId}>
            By id
          </option>
        </select>
      </p>
      <button class="button plain" type="submit">
        Show
      </button>
    </form>
  );
};

/** A plan may be named like a member of every object. */
function countOfPlan({ byPlan }: Counts, plan: string): number {
  return Object.hasOwn(byPlan, plan) ? (byPlan[plan] ?? 0) : 0;
}

export function textsOf(listed: Listed): { caption: string; empty: string } {
  const { search, attention, plan, state, billing, byId, next } = listed;
  if (state !== null || billing !== null) {
    const chosen = [
      ...(state === null ? [] : [STATES[state]]),
      ...(billing === null ? [] : [BILLING[billing]]),
      ...(plan === "" ? [] : [`plan ${plan}`]),
    ];
    const empty = next === null ? "No enterprise matches." : "None of those searched so far. Show more to search on.";
    return { caption: `${chosen.join(", ")}, ${byId ? "by id" : "newest first"}`, empty };
  }
  if (attention) return { caption: "Most urgent first, then newest first", empty: "No enterprise needs attention." };
  if (plan !== "") return { caption: `With the plan ${plan}, by id`, empty: "No enterprise has this plan." };
  if (byId) return { caption: "By id", empty: "There are no enterprises yet." };
  if (search === "") return { caption: "Newest first", empty: "There are no enterprises yet." };
  return {
    caption: `Enterprises with a word in their id or name that starts with “${search}”`,
    empty: "No enterprise matches.",
  };
}

export function listHref(list: Omit<Listed, "rows" | "later" | "next">, after: string | null) {
  const { search, attention, plan, state, billing, byId } = list;
  const params = new URLSearchParams();
  if (plan !== "") params.set("plan", plan);
  if (state !== null) params.set("state", state);
  if (billing !== null) params.set("billing", billing);
  // Enterprises with a plan are listed by id anyway.
  if (byId && (plan === "" || state !== null || billing !== null)) params.set("sort", "id");
  if (attention) params.set("show", "attention");
  if (search !== "") params.set("q", search);
  if (after !== null) params.set("after", after);
  return params.size === 0 ? OPERATOR_PATH : `${OPERATOR_PATH}?${params}`;
}
