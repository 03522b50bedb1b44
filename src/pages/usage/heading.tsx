/**
 * The heading of the usage page: the billing cycle, the pill that says whether the page is live, and the exports. The
 * cycle and the exports are regions, because a new cycle or a filter can change them while the page is open.
 */
import type { FC } from "hono/jsx";
import { filtersOf, type Selection } from "../../copy/selection.ts";
import { formatIso } from "../../wire/time.ts";
import { formatDate, formatMoment, formatPeriod } from "../kit/dates.ts";
import type { Signed } from "../kit/layout.tsx";
import { Name } from "../kit/parts.tsx";
import type { PageView } from "../kit/view.ts";
import type { UsageData } from "./data.ts";
import type { Outlook } from "./outlook.ts";
import { type UsageQuery, usageHref, withoutPaging } from "./query.ts";

type Props = {
  view: PageView;
  outlook: Outlook;
  query: UsageQuery;
  signed: Signed;
  cycle: UsageData["cycle"];
  selection: Selection;
};

export const Heading: FC<Props> = (props) => (
  <div class="heading">
    <h1>Usage</h1>
    {props.cycle.ended === null ? (
      <span id="pill" class="pill" data-state="off" hx-ws:connect={`${apiPath(props.signed)}/live`} hx-swap="none">
        Not live
      </span>
    ) : (
      <span id="pill" class="pill" data-state="past">
        Ended
      </span>
    )}
    <div class="menus">
      <Cycles {...props} />
      <details class="menu">
        <summary class="button plain">Export</summary>
        <Exports {...props} />
      </details>
    </div>
    <Period {...props} />
    <noscript>
      <p class="muted">Live updates need JavaScript. Every number and link here works without it.</p>
    </noscript>
  </div>
);

/** The picker of cycles: a menu of links, the newest first. */
const Cycles: FC<Props> = ({ view, cycle, query }) => {
  const ended = view.endedCycles ?? [];
  if (ended.length === 0) return null;
  const { startsAtMs, endsAtMs } = view.gauge.cycle;
  const base = withoutPaging(query);
  return (
    <details class="menu" id="cycles">
      <summary class="button plain">{cycle.ended === null ? "This cycle" : "Past cycle"}</summary>
      <ul>
        <li>
          <a
            href={usageHref(base, { cycle: null, range: "7d", view: "buckets" })}
            aria-current={mark(cycle.ended === null)}
          >
            {formatPeriod(startsAtMs, endsAtMs, view.timeZone)} (current)
          </a>
        </li>
        {ended.map((past) => (
          <li>
            <a
              href={usageHref(base, { cycle: past.startsAtMs, dates: null })}
              aria-current={mark(past.startsAtMs === cycle.startsAtMs)}
            >
              {formatPeriod(past.startsAtMs, past.endsAtMs, past.timeZone)}
            </a>
          </li>
        ))}
      </ul>
    </details>
  );
};

function mark(isCurrent: boolean): "true" | undefined {
  return isCurrent ? "true" : undefined;
}

export const Exports: FC<Pick<Props, "query" | "signed" | "selection">> = ({ query, signed, selection }) => {
  const params = new URLSearchParams(filtersOf(selection));
  if (query.cycle !== null) params.set("cycle", formatIso(query.cycle));
  const filtered = filtersOf(selection).length > 0;
  return (
    <ul id="exports">
      <li>
        <a href={`${apiPath(signed)}/runs.csv${params.size === 0 ? "" : `?${params}`}`} download>
          {filtered ? "The runs of this selection (CSV)" : "The runs of this cycle (CSV)"}
        </a>
      </li>
      <li>
        <a href={`${apiPath(signed)}/gauge`}>The balance (JSON)</a>
      </li>
      <li>
        <button type="button" class="quiet scripted" data-print>
          {query.cycle === null ? "Print this page" : "Print this statement"}
        </button>
      </li>
    </ul>
  );
};

export const Period: FC<Pick<Props, "view" | "outlook" | "signed" | "cycle">> = ({ view, outlook, signed, cycle }) => {
  const { nowMs } = outlook;
  const { startsAtMs, endsAtMs, ended } = cycle;
  const timeZone = ended?.timeZone ?? view.timeZone;
  return (
    <div id="period">
      <p class="on-paper">
        {ended === null ? "" : "Statement of "}
        <Name>{signed.name}</Name>, as of {formatMoment(nowMs, timeZone)}
      </p>
      <p class="muted">
        Billing cycle {formatPeriod(startsAtMs, endsAtMs, timeZone)} ({timeZone}) ·{" "}
        {ended !== null ? "ended" : outlook.resetHelps ? "resets" : "ends"}{" "}
        <time datetime={formatIso(endsAtMs)}>{formatDate(endsAtMs, timeZone)}</time>
      </p>
    </div>
  );
};

function apiPath({ enterprise }: Signed): string {
  return `/v1/enterprises/${encodeURIComponent(enterprise)}`;
}
