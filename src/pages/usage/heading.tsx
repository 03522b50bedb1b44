/**
 * The heading of the usage page: the billing cycle, the pill that says whether the page is live, and the exports. The
 * cycle and the exports are regions, because a new cycle or a filter can change them while the page is open.
 */
import type { FC } from "hono/jsx";
import { formatIso } from "../../wire/time.ts";
import { formatDate, formatMoment, formatPeriod } from "../kit/dates.ts";
import type { Signed } from "../kit/layout.tsx";
import { Name } from "../kit/parts.tsx";
import type { PageView } from "../kit/view.ts";
import type { Outlook } from "./outlook.ts";
import type { UsageQuery } from "./query.ts";

type Props = { view: PageView; outlook: Outlook; query: UsageQuery; signed: Signed };

export const Heading: FC<Props> = (props) => (
  <div class="heading">
    <h1>Usage</h1>
    <span id="pill" class="pill" data-state="off" hx-ws:connect={`${apiPath(props.signed)}/live`} hx-swap="none">
      Not live
    </span>
    <details class="menu">
      <summary class="button plain">Export</summary>
      <Exports {...props} />
    </details>
    <Period {...props} />
    <noscript>
      <p class="muted">Live updates need JavaScript. Every number and link here works without it.</p>
    </noscript>
  </div>
);

export const Exports: FC<Pick<Props, "query" | "signed">> = ({ query, signed }) => {
  const { filter } = query;
  const params = filter === null ? "" : `?${new URLSearchParams({ [filter.dimension]: filter.id })}`;
  return (
    <ul id="exports">
      <li>
        <a href={`${apiPath(signed)}/runs.csv${params}`} download>
          {filter === null ? "This cycle's runs (CSV)" : `This cycle's runs of this ${filter.dimension} (CSV)`}
        </a>
      </li>
      <li>
        <a href={`${apiPath(signed)}/gauge`}>The balance (JSON)</a>
      </li>
      <li>
        <button type="button" class="quiet scripted" data-print>
          Print this page
        </button>
      </li>
    </ul>
  );
};

export const Period: FC<Pick<Props, "view" | "outlook" | "signed">> = ({ view, outlook, signed }) => {
  const { nowMs, startsAtMs, endsAtMs } = outlook;
  const { timeZone } = view;
  return (
    <div id="period">
      <p class="on-paper">
        <Name>{signed.name}</Name>, as of {formatMoment(nowMs, timeZone)}
      </p>
      <p class="muted">
        Billing cycle {formatPeriod(startsAtMs, endsAtMs, timeZone)} ({timeZone}) ·{" "}
        {outlook.resetHelps ? "resets" : "ends"}{" "}
        <time datetime={formatIso(endsAtMs)}>{formatDate(endsAtMs, timeZone)}</time>
      </p>
    </div>
  );
};

function apiPath({ enterprise }: Signed): string {
  return `/v1/enterprises/${encodeURIComponent(enterprise)}`;
}
