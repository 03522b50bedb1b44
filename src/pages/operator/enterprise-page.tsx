/**
 * The frame of an enterprise's pages: who it is, what asks for attention, its parts as tabs, and what was just done.
 */
import type { Child, FC } from "hono/jsx";
import type { EnterpriseState } from "../../enterprise/books/ledger.ts";
import { Name } from "../kit/parts.tsx";
import { conditionsOf } from "./condition.ts";
import { operatorPage } from "./frame.tsx";
import { Badges } from "./list-view.tsx";
import { enterpriseHref, type OperatorContext } from "./session.tsx";
import { OPERATOR_PATH } from "./sign-in.tsx";

const TABS = {
  overview: "Overview",
  settings: "Settings",
  grants: "Grants",
  cap: "Spend cap",
  keys: "Keys",
  webhooks: "Webhooks",
  journal: "Journal",
  audit: "Audit",
} as const;
export type EnterpriseTab = keyof typeof TABS;

/** What a form has done, said on the page that it leads to. */
const DONE = {
  created: "Created.",
  saved: "Saved.",
  suspended: "Suspended. No new run starts; reports of runs under way are still recorded, and told to stop.",
  resumed: "Resumed. Runs can start again.",
  granted: "Granted.",
  voided: "Voided. What remained of the grant was taken back.",
  revoked: "Revoked. The key stops at its next request.",
  queued: "A test event is on its way. Load this page again to see what came of it.",
  owed: "The copy cannot be written at this moment. The rebuild begins again by itself once it can.",
  rebuilt: "Rebuilt. The copy was deleted and written anew.",
  moved: "The test clock was moved.",
} as const;
export type Done = keyof typeof DONE;

/** Where a form leads when it has done its work. */
export function doneHref({ identity }: Pick<EnterpriseState, "identity">, tab: EnterpriseTab, done: Done): string {
  return `${tabHref(identity.id, tab)}?done=${done}`;
}

export function tabHref(id: string, tab: EnterpriseTab): string {
  return tab === "overview" ? enterpriseHref(id) : enterpriseHref(id, tab);
}

export function enterprisePage(c: OperatorContext, tab: EnterpriseTab, children: Child, status: 200 | 409 | 422 = 200) {
  const { state } = c.var;
  const done = c.req.method === "GET" ? c.req.query("done") : undefined;
  return c.html(
    operatorPage({
      title: `${TABS[tab]} · \u2068${state.settings.name}\u2069`,
      children: (
        <>
          <Heading state={state} />
          <Tabs state={state} tab={tab} />
          {isDone(done) && (
            <p id="notice" class="notice saved" data-announce="status">
              {DONE[done]}
            </p>
          )}
          {children}
        </>
      ),
    }),
    status,
  );
}

const Heading: FC<{ state: EnterpriseState }> = ({ state: { identity, settings, gauge } }) => (
  <div class="heading">
    <p class="crumbs">
      <a href={OPERATOR_PATH}>Enterprises</a> / <span class="name">{identity.id}</span>
    </p>
    <h1>
      <Name>{settings.name}</Name>
    </h1>
    <span>
      <Badges conditions={conditionsOf(gauge, settings.suspended)} />
    </span>
  </div>
);

const Tabs: FC<{ state: EnterpriseState; tab: EnterpriseTab }> = ({ state: { identity, settings }, tab }) => (
  <nav class="tabs sub" aria-label="Enterprise">
    {(Object.keys(TABS) as EnterpriseTab[])
      .filter((name) => name !== "cap" || settings.billingModel === "byom")
      .map((name) => (
        <a href={tabHref(identity.id, name)} aria-current={name === tab ? "page" : undefined}>
          {TABS[name]}
        </a>
      ))}
  </nav>
);

function isDone(done: string | undefined): done is Done {
  return done !== undefined && Object.hasOwn(DONE, done);
}
