/** Explains how each number on the page is calculated, with its values, and how recent the numbers are. */
import type { FC } from "hono/jsx";
import type { Micros } from "../../ledger/micros.ts";
import { DAY_MS } from "../../ledger/time.ts";
import { formatIso } from "../../wire/time.ts";
import { formatClock, formatPeriod } from "../kit/dates.ts";
import { countOf, formatDecimal, formatExact } from "../kit/format.ts";
import { Moment } from "../kit/parts.tsx";
import type { PageView } from "../kit/view.ts";
import type { Outlook } from "./outlook.ts";

type Props = { view: PageView; outlook: Outlook };

/** From this lag on, the page says that the copy is behind. The projection promises five seconds. */
const MIN_SHOWN_LAG_MS = 10_000;

export const Explanation: FC<Props> = ({ view, outlook }) => {
  const { gauge, timeZone } = view;
  const exact = (micros: Micros) => formatExact(micros, gauge.unit);
  const days = Math.max(1, (outlook.nowMs - outlook.startsAtMs) / DAY_MS);
  return (
    <details id="explanation" class="card explanation">
      <summary>
        <span>How these numbers are calculated</span>
      </summary>
      <dl>
        <div>
          <dt>Billing cycle</dt>
          <dd>
            {formatPeriod(outlook.startsAtMs, outlook.endsAtMs, timeZone)} in the time zone {timeZone}. It ends on{" "}
            <Moment atMs={outlook.endsAtMs} timeZone={timeZone} />. Days elapsed are rounded down and days remaining up.
          </dd>
        </div>
        <div>
          <dt>Used</dt>
          <dd>
            The charges of this cycle minus refunds: {exact(gauge.usedMicros)}. A charge counts from the moment it
            arrives, and is exact to a millionth; numbers are rounded only for display. Percentages of the bar are
            rounded down.
          </dd>
        </div>
        <div>
          <dt>Average per day</dt>
          <dd>
            What was used, divided by the days elapsed (at least one): {exact(gauge.usedMicros)} ÷ {formatDecimal(days)}{" "}
            = {exact(gauge.avgPerDayMicros)}.
          </dd>
        </div>
        {gauge.remainingMicros !== null && (
          <div>
            <dt>{gauge.spend === null ? "Run out in" : "Cap reached in"}</dt>
            <dd>
              How long {exact(gauge.remainingMicros)} last at {exact(gauge.avgPerDayMicros)} a day
              {gauge.runOutDays === null ? "." : `: ${formatDecimal(gauge.runOutDays)} days.`}
              {gauge.spend === null && " What expires before it is used does not count."} There is no forecast in the
              first 24 hours of a cycle.
            </dd>
          </div>
        )}
        {gauge.spend === null && (
          <div>
            <dt>Order of use</dt>
            <dd>
              Runs draw on the monthly allowance first, then on the grant that expires soonest. Unused allowance ends
              with the cycle; grants last until they are used up or expire.
            </dd>
          </div>
        )}
        <div>
          <dt>Requests</dt>
          <dd>
            A run counts as one request from its first report on. Every run has a receipt that shows its tokens, its
            pinned prices, and where each part of its charge was drawn from.
          </dd>
        </div>
        <div>
          <dt>As of when</dt>
          <dd>
            The balance and the cards come from the ledger itself. The chart, the tables and the runs come from a copy
            that follows within seconds. The chart counts a charge in the hour or day in which it arrived. All times are
            in the time zone {timeZone}.
          </dd>
        </div>
      </dl>
    </details>
  );
};

/** The time of the ledger's numbers, and of the copy's if it is behind. Scripts read the data attributes. */
export const AsOf: FC<Props> = ({ view, outlook }) => (
  <p id="as-of" class="as-of muted" data-seq={view.gauge.seq}>
    <time datetime={formatIso(outlook.nowMs)}>as of {formatClock(outlook.nowMs, view.timeZone)}</time>
    <CopyAsOf view={view} outlook={outlook} />
  </p>
);

export const CopyAsOf: FC<Props> = ({ view, outlook }) => {
  const lagMs = outlook.nowMs - view.copyAsOfMs;
  return (
    <span id="copy-as-of" data-lag={lagMs}>
      {lagMs > MIN_SHOWN_LAG_MS &&
        ` · chart and tables as of ${formatClock(view.copyAsOfMs, view.timeZone)}, ${formatLag(lagMs)} behind`}
    </span>
  );
};

function formatLag(ms: number): string {
  if (ms < 60_000) return countOf(Math.floor(ms / 1000), "second");
  return ms < 3_600_000 ? countOf(Math.floor(ms / 60_000), "minute") : countOf(Math.floor(ms / 3_600_000), "hour");
}
