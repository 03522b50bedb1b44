/** How these numbers are made: each with its formula and its values, and as of when. */
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

/** A copy this far behind is said to be: the projection promises five seconds. */
const BEHIND_MS = 10_000;

export const Explanation: FC<Props> = ({ view, outlook }) => {
  const { gauge, timeZone } = view;
  const exact = (micros: Micros) => formatExact(micros, gauge.unit);
  const days = Math.max(1, (outlook.nowMs - outlook.startsAtMs) / DAY_MS);
  return (
    <details id="explanation" class="card explanation">
      <summary>
        <span>How these numbers are made</span>
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
            The charges of this cycle less their refunds: {exact(gauge.usedMicros)}. A charge counts when it arrives,
            and is exact to a millionth; rounding happens only here, on the screen. Percentages of the bar are rounded
            down.
          </dd>
        </div>
        <div>
          <dt>Average per day</dt>
          <dd>
            What was used, divided by the days that have passed, at least one: {exact(gauge.usedMicros)} ÷{" "}
            {formatDecimal(days)} = {exact(gauge.avgPerDayMicros)}.
          </dd>
        </div>
        {gauge.remainingMicros !== null && (
          <div>
            <dt>{gauge.spend === null ? "Run out in" : "Cap reached in"}</dt>
            <dd>
              What is left, divided by that average: {exact(gauge.remainingMicros)} ÷ {exact(gauge.avgPerDayMicros)}
              {gauge.runOutDays === null ? "." : ` = ${formatDecimal(gauge.runOutDays)} days.`} In the first 24 hours of
              a cycle there is no forecast.
            </dd>
          </div>
        )}
        {gauge.spend === null && (
          <div>
            <dt>Order of use</dt>
            <dd>
              Runs draw on the monthly allowance first, then on grants: the soonest expiry first. What is left of the
              allowance ends with the cycle; grants stay until they are used or expire.
            </dd>
          </div>
        )}
        <div>
          <dt>Requests</dt>
          <dd>
            A run is one request, from its first report on. Every run has a receipt: its tokens, its pinned prices, and
            where each part of its charge was drawn from.
          </dd>
        </div>
        <div>
          <dt>As of when</dt>
          <dd>
            Balance and cards come from the ledger itself. Chart, tables and runs come from a copy that follows within
            seconds, and the chart counts a charge in the hour or day of its arrival. All times are in {timeZone}.
          </dd>
        </div>
      </dl>
    </details>
  );
};

/** As of when the numbers are: those of the ledger, and those of the copy where it is behind. Script reads the data. */
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
      {lagMs > BEHIND_MS &&
        ` · chart and tables as of ${formatClock(view.copyAsOfMs, view.timeZone)}, ${formatLag(lagMs)} behind`}
    </span>
  );
};

function formatLag(ms: number): string {
  if (ms < 60_000) return countOf(Math.floor(ms / 1000), "second");
  return ms < 3_600_000 ? countOf(Math.floor(ms / 60_000), "minute") : countOf(Math.floor(ms / 3_600_000), "hour");
}
