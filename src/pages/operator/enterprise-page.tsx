/**
 * The frame of an enterprise's pages: its name, the conditions that need attention, its tabs, and what a form has done.
 */
import type { Child, FC } from "hono/jsx";
import type { OperatorCaller } from "../../access/operator-session.ts";
import type { EnterpriseState } from "../../enterprise/books/enterprise-state.ts";
import { Name } from "../kit/parts.tsx";
import { mayOpen } from "./access.ts";
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
  budgets: "Budgets",
  access: "Access",
  keys: "Keys",
  webhooks: "Webhooks",
  channels: "Channels",
  directory: "Directory",
  journal: "Journal",
  audit: "Audit",
  data: "Data",
} as const;
type EnterpriseTab = keyof typeof TABS;

/** What a form has done, shown on the page to which it redirects. */
const DONE = {
  created: "Created.",
  saved: "Saved.",
  signed_out: "Signed out. All sessions, unused links and embed tokens of this person have ended.",
  suspended: "Suspended. No new run can start. Running agents are asked to stop; their reports are still recorded.",
  resumed: "Resumed. Runs can start again.",
  granted: "Granted.",
  voided: "Voided. The rest of the grant was taken back.",
  revoked: "Revoked. The key stops working with its next request.",
  queued: "A test event was queued. Reload this page to see its delivery.",
  rebuild_pending: "The rebuild continues in the background. While D1 is unavailable, it waits.",
  rebuilt: "Rebuilt. The copy was written again from the ledger.",
  moved: "The test clock was moved.",
  tested: "A test was sent. Its result is in the list of deliveries.",
  removed: "The channel was removed.",
  named: "Saved. Lists show the names within seconds.",
} as const;
type Done = keyof typeof DONE;

/** The URL to which a form redirects when it is done. */
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
    operatorPage(c, {
      title: `${TABS[tab]} · \u2068${state.settings.name}\u2069`,
      children: (
        <>
          <Heading state={state} caller={c.var.caller} />
          <Tabs state={state} tab={tab} caller={c.var.caller} />
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

const Heading: FC<Omit<TabProps, "tab">> = ({ state: { identity, settings, gauge }, caller }) => (
  <div class="heading">
    <p class="crumbs">
      <a href={OPERATOR_PATH}>Enterprises</a> / <span class="name">{identity.id}</span>
    </p>
    <h1>
      <Name>{settings.name}</Name>
    </h1>
    {mayOpen(caller, routeOf("overview")) && (
      <span>
        <Badges conditions={conditionsOf(gauge, settings.suspended)} />
      </span>
    )}
  </div>
);

type TabProps = { state: EnterpriseState; tab: EnterpriseTab; caller: OperatorCaller };

const Tabs: FC<TabProps> = ({ state: { identity, settings }, tab, caller }) => (
  <nav class="tabs sub" aria-label="Enterprise">
    {openTabs(caller)
      .filter((name) => name !== "cap" || settings.billingModel === "byom")
      .map((name) => (
        <a href={tabHref(identity.id, name)} aria-current={name === tab ? "page" : undefined}>
          {TABS[name]}
        </a>
      ))}
  </nav>
);

/** The path of an enterprise's first page that a session may open. */
export function openHref(caller: OperatorCaller, id: string): string {
  const [first] = openTabs(caller);
  return first === undefined ? OPERATOR_PATH : tabHref(id, first);
}

function openTabs(caller: OperatorCaller): EnterpriseTab[] {
  return (Object.keys(TABS) as EnterpriseTab[]).filter((tab) => mayOpen(caller, routeOf(tab)));
}

function routeOf(tab: EnterpriseTab): string {
  return `GET /operator/enterprises/:e${tab === "overview" ? "" : `/${tab}`}`;
}

function isDone(done: string | undefined): done is Done {
  return done !== undefined && Object.hasOwn(DONE, done);
}
