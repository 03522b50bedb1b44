/** How these numbers are made: each with its formula and its values, and as of when. */
import type { FC } from "hono/jsx";
import type { CopyView } from "../enterprise/object.ts";
import { DAY_MS } from "../ledger/micros.ts";
import { formatClock, formatMoment, formatPeriod } from "./dates.ts";
import { countOf, formatCharge } from "./format.ts";
import type { Outlook } from "./outlook.ts";

type Props = { view: CopyView; outlook: Outlook };

/** A copy this far behind is said to be: the projection promises five seconds. */
const BEHIND_MS = 10_000;

export const Explanation: FC<Props> = ({ view, outlook }) => {
  const { gauge, timeZone } = view;
  const used = formatCharge(gauge.used_micros, gauge.unit);
  const average = formatCharge(gauge.avg_per_day_micros, gauge.unit);
  const days = Math.max(1, (outlook.nowMs - outlook.startsAtMs) / DAY_MS).toFixed(1);
  return (
    <details id="explanation" class="card explanation">
      <summary>
        <span>How these numbers are made</span>
      </summary>
      <ul>
        <li>
          The billing cycle is {formatPeriod(outlook.startsAtMs, outlook.endsAtMs, timeZone)} in the time zone{" "}
          {timeZone}. It ends on {formatMoment(outlook.endsAtMs, timeZone)}.
        </li>
        <li>
          Used are the charges of this cycle less their refunds: {used}. A charge counts when it arrives, and is exact
          to a millionth; rounding happens only here, on the screen.
        </li>
        <li>
          The average per day is what was used, divided by the days that have passed (at least one): {used} ÷ {days} ={" "}
          {average}.
        </li>
        {gauge.remaining_micros !== null && (
          <li>
            Running out is what is left, divided by that average: {formatCharge(gauge.remaining_micros, gauge.unit)} ÷{" "}
            {average}
            {gauge.run_out_days === null ? "." : ` = ${gauge.run_out_days} days.`} In the first 24 hours of a cycle
            there is no forecast.
          </li>
        )}
        {gauge.spend === null && (
          <li>
            Runs draw on the monthly allowance first, then on grants: the soonest expiry first. What is left of the
            allowance ends with the cycle; grants stay.
          </li>
        )}
        <li>
          A run is one request, from its first report on. Every run has a receipt: its tokens, its pinned prices, and
          where each part of its charge was drawn from.
        </li>
        <li>
          Balance and cards come from the ledger itself. Chart, tables and runs come from a copy that follows within
          seconds, and the chart counts a charge in the hour or day of its arrival.
        </li>
      </ul>
    </details>
  );
};

/** As of when the numbers are: those of the ledger, and those of the copy where it is behind. Script reads the data. */
export const AsOf: FC<Props> = ({ view, outlook }) => (
  <p id="as-of" class="as-of muted" data-seq={view.gauge.seq}>
    as of {formatClock(outlook.nowMs, view.timeZone)}
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
