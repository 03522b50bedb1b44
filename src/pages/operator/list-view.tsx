/**
 * The list of enterprises: the search, the table with each enterprise's use and conditions, and what replaces both while
 * the copy cannot be read.
 */
import type { FC } from "hono/jsx";
import type { EnterpriseCounts } from "../../catalog/enterprise-list.ts";
import { LIST_STATES, type ListState } from "../../copy/filter-enterprises.ts";
import { BILLING_MODELS, type BillingModel } from "../../ledger/books.ts";
import type { Gauge } from "../../ledger/gauge.ts";
import type { Plan } from "../../ledger/plans.ts";
import { isId } from "../../wire/fields.ts";
import { countOf, formatAmount, formatCount, formatPercent } from "../kit/format.ts";
import { Name, PartLink, Region } from "../kit/parts.tsx";
import { type Condition, conditionsOf } from "./condition.ts";
import { type Column, Row, Table, Utc } from "./frame.tsx";
import { enterpriseHref } from "./session.tsx";
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

const STATES: Record<ListState, string> = {
  suspended: "Suspended",
  out: "Exhausted or capped",
  running_out: "On track to run out or reach the cap",
  in_debt: "In debt",
  no_cap: "No cap",
  ok: "OK",
};
const BILLING: Record<BillingModel, string> = { credits: "Credits", byom: "Own model" };
const COLUMNS: readonly Column[] = [
  { title: "Enterprise" },
  { title: "Plan" },
  { title: "Used" },
  { title: "Left", num: true },
  { title: "State" },
  { title: "As of (UTC)" },
];

/** The notice that the list is incomplete, for example because D1 was lost. */
export const Missing: FC<{ count: number }> = ({ count }) => (
  <p class="notice conflict">
    Of the newest enterprises, {formatCount(count)} {count === 1 ? "is" : "are"} missing from this list, because the
    copy has no row of {count === 1 ? "it" : "them"}. An enterprise that was just created appears within seconds. After
    a loss of D1, each one appears again once its object has rebuilt its copy. Until then, open it by its id.
  </p>
);

type EnterprisesProps = { listed: Listed; counts: Counts | null; plans: readonly Plan[] };

export const Enterprises: FC<EnterprisesProps> = ({ listed, counts, plans }) => (
  <>
    <section class="card table">
      <div class="head">
        <Search search={listed.search} />
        <p class="toggle">
          <a href={OPERATOR_PATH} aria-current={isAll(listed) ? "true" : undefined}>
            All <small>{counts === null ? "" : formatCount(counts.total)}</small>
          </a>
          <a href={`${OPERATOR_PATH}?show=attention`} aria-current={listed.attention ? "true" : undefined}>
            Need attention <small>{counts === null ? "" : pressingText(counts)}</small>
          </a>
        </p>
      </div>
      <Filters listed={listed} counts={counts} plans={plans} />
      <Table id="rows-enterprises" columns={COLUMNS} {...textsOf(listed)}>
        {listed.rows.length > 0 && <Rows {...listed} />}
      </Table>
      <More {...listed} />
      {listed.search !== "" && isId(listed.search) && !listed.rows.some(({ id }) => id === listed.search) && (
        <p class="muted">
          An enterprise that was created a moment ago is not in the list yet. Open it by its id:{" "}
          <a href={enterpriseHref(listed.search)}>{listed.search}</a>
        </p>
      )}
    </section>
    <p class="muted as-of">
      The list is read from the copy: each row shows the enterprise's last change. An enterprise's page is read from its
      ledger.
    </p>
  </>
);

/** The answer to Show more: the rows to append, and the line below them. */
export const EnterprisesPage: FC<Listed> = (listed) => (
  <>
    <Region id="rows-enterprises" swap="beforeend">
      <Rows {...listed} />
    </Region>
    <Region id="line-enterprises">
      <More {...listed} />
    </Region>
    <Region id="status-region" swap="innerHTML">
      {countOf(listed.rows.length, "more enterprise")} shown.
    </Region>
  </>
);

export const WithoutCopy: FC<{ search: string; ids: readonly string[] }> = ({ search, ids }) => (
  <>
    <section class="card">
      <p class="notice conflict">
        The copy cannot be read right now, so there are no numbers and no search. The ledgers are not affected. You can
        open every enterprise by its id.
      </p>
      <OpenForm id={search} />
      {ids.length > 0 && (
        <>
          <h2>Newest enterprises</h2>
          <ul>
            {ids.map((id) => (
              <li>
                <a href={enterpriseHref(id)}>{id}</a>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  </>
);

export const Badges: FC<{ conditions: readonly Condition[] }> = ({ conditions }) => (
  <>
    {conditions.length === 0 && <span class="muted">OK</span>}
    {conditions.map(({ level, text }) => (
      <>
        <span class={`badge ${level}`}>{text}</span>{" "}
      </>
    ))}
  </>
);

/** How much is used, with a small bar if there is a total. */
const Used: FC<{ gauge: Gauge }> = ({ gauge }) => {
  const { usedMicros: used, totalMicros: total, unit } = gauge;
  if (total === null) return <>{formatAmount(used, unit)} spent</>;
  const width = Math.min(100, gauge.usedPercent ?? 0);
  return (
    <>
      {formatPercent(used, total)} <span class="muted">of {formatAmount(total, unit)}</span>
      <svg class="mini" width="100%" height="4" aria-hidden="true" focusable="false">
        <rect width={`${width}%`} height="4" />
      </svg>
    </>
  );
};

/** The form that opens an enterprise by its id. */
export const OpenForm: FC<{ id: string }> = ({ id }) => (
  <form class="search" method="get" action={`${OPERATOR_PATH}/open`}>
    <label>
      <span class="unseen">Id of the enterprise</span>
      <input type="search" name="id" value={id} placeholder="Id of the enterprise" maxlength={128} />
    </label>{" "}
    <button class="button" type="submit">
      Open
    </button>
  </form>
);

export const Heading: FC<{ mayCreate: boolean }> = ({ mayCreate }) => (
  <div class="heading">
    <h1>Enterprises</h1>
    {mayCreate && (
      <a class="button menus" href={`${OPERATOR_PATH}/new`}>
        New enterprise
      </a>
    )}
  </div>
);

const Search: FC<{ search: string }> = ({ search }) => (
  <form class="search" method="get" action={OPERATOR_PATH} role="search">
    <label>
      <span class="unseen">Search by id or name</span>
      <input type="search" name="q" value={search} placeholder="Search by id or name" maxlength={100} />
    </label>{" "}
    <button class="button plain" type="submit">
      Search
    </button>
  </form>
);

function isAll({ search, attention, plan, state, billing }: Listed): boolean {
  return search === "" && !attention && plan === "" && state === null && billing === null;
}

function pressingText({ pressing }: Counts): string {
  return pressing === null ? "over 1,000" : formatCount(pressing);
}

/** Which enterprises the list shows, and in which order. */
const Filters: FC<EnterprisesProps> = ({ listed, counts, plans }) => {
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

function textsOf(listed: Listed): { caption: string; empty: string } {
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

const Rows: FC<Listed> = ({ rows }) => (
  <>
    {rows.map(({ id, gauge, suspended }) => (
      <Row
        columns={COLUMNS}
        cells={[
          <>
            <a href={enterpriseHref(id)}>
              <Name>{gauge.name}</Name>
            </a>
            <small class="muted name">{id}</small>
          </>,
          gauge.spend === null ? gauge.plan : `${gauge.plan}, own model`,
          <Used gauge={gauge} />,
          gauge.remainingMicros === null ? "—" : formatAmount(gauge.remainingMicros, gauge.unit),
          <Badges conditions={conditionsOf(gauge, suspended)} />,
          <Utc atMs={gauge.asOfMs} />,
        ]}
      />
    ))}
  </>
);

const More: FC<Listed> = ({ later, next, ...list }) => (
  <p id="line-enterprises" class="more">
    {next !== null && (
      <PartLink id="more-enterprises" part="rows" push={false} href={listHref(list, next)}>
        Show more
      </PartLink>
    )}
    {later && <a href={listHref(list, null)}>Show the first</a>}
  </p>
);

function listHref(list: Omit<Listed, "rows" | "later" | "next">, after: string | null) {
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
