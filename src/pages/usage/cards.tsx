/** The four cards: days remaining, days elapsed, average per day, and how long the balance lasts at this pace. */
import type { FC } from "hono/jsx";
import type { Gauge } from "../../ledger/gauge.ts";
import { type AtMs, DAY_MS } from "../../ledger/time.ts";
import { formatDate, formatTime } from "../kit/dates.ts";
import { formatAmount, formatCount, formatDays, formatLasting, formatTenths, timeLeft } from "../kit/format.ts";
import type { PageView } from "../kit/view.ts";
import type { Outlook } from "./outlook.ts";

type Props = { gauge: Gauge; outlook: Outlook; timeZone: string; previous?: PageView["previous"] };
/** From here on, a percentage says less than the two numbers. */
const MAX_COMPARED_PERCENT = 999;

type Card = { id: string; label: string; value: string; note: string };

export const Cards: FC<Props> = (props) => <CardList cards={cardsOf(props)} />;

export const CardList: FC<{ cards: Card[] }> = ({ cards }) => (
  <dl id="cards" class="cards" aria-label="The billing cycle">
    {cards.map(({ id, label, value, note }) => (
      <div class="card">
        <dt>{label}</dt>
        <dd id={`card-${id}`}>
          <strong class={value.length > 9 ? "words" : undefined}>{value}</strong>
          <small>{note}</small>
        </dd>
      </div>
    ))}
  </dl>
);

export function cardsOf({ gauge, outlook, timeZone, previous }: Props): Card[] {
  const { cycle, unit } = gauge;
  const remaining = timeLeft(outlook.endsAtMs - outlook.nowMs, cycle.daysRemaining);
  return [
    {
      id: "remaining",
      label: remaining.noun === "hour" ? "Hours remaining" : "Days remaining",
      value: formatCount(remaining.count),
      note: `until ${formatDate(outlook.endsAtMs, timeZone)}`,
    },
    {
      id: "elapsed",
      label: "Days elapsed",
      value: formatCount(cycle.daysElapsed),
      note: `of ${formatCount(cycle.daysTotal)}`,
    },
    {
      id: "average",
      label: "Average per day",
      value: formatAmount(gauge.avgPerDayMicros, unit),
      note: comparison(gauge, previous) ?? (unit === "usd" ? "in this cycle" : "credits, in this cycle"),
    },
    {
      id: "run-out",
      label: unit === "usd" ? "Cap reached in" : "Run out in",
      ...runOutOf({ gauge, outlook, timeZone }),
    },
  ];
}

function runOutOf({ gauge, outlook, timeZone }: Props): { value: string; note: string } {
  const { runOut } = outlook;
  if (gauge.totalMicros === null) return { value: "—", note: "no cap is set" };
  if (gauge.remainingMicros === 0) {
    return { value: "Now", note: gauge.spend === null ? "nothing is left" : "the cap is reached" };
  }
  if (gauge.usedMicros === 0) return { value: "—", note: `nothing ${gauge.unit === "usd" ? "spent" : "used"} yet` };
  if (runOut === null) return { value: "—", note: "too early to tell" };
  if (!runOut.beforeReset) return { value: formatTenths(runOut.days), note: marginOf(runOut.atMs, outlook) };
  const at = runOut.atMs ?? outlook.nowMs;
  const time = runOut.days < 1 ? `, ${formatTime(at, timeZone)}` : "";
  return { value: formatLasting(runOut.days), note: `around ${formatDate(at, timeZone)}${time}` };
}

/** "+18 % on the last cycle": compares with the previous cycle at the same point. Null if there is nothing to compare. */
function comparison({ usedMicros }: Gauge, previous: Props["previous"]): string | null {
  if (previous == null || previous.usedByNowMicros <= 0) return null;
  const percent = Math.round((usedMicros / previous.usedByNowMicros - 1) * 100);
  if (percent > MAX_COMPARED_PERCENT) return null;
  const sign = percent > 0 ? "+" : percent < 0 ? "−" : "±";
  return `${sign}${Math.abs(percent)} % on the last cycle`;
}

/** How long after the reset credits run out. */
function marginOf(runOutAtMs: AtMs | null, { endsAtMs, resetHelps }: Outlook): string {
  const end = resetHelps ? "the reset" : "the cycle ends";
  if (runOutAtMs === null) return "more than ten years";
  const halfDays = Math.floor((runOutAtMs - endsAtMs) / (DAY_MS / 2));
  if (halfDays === 0) return `shortly after ${end}`;
  if (halfDays === 1) return `half a day after ${end}`;
  return `${formatDays(Math.floor(halfDays / 2))} after ${end}`;
}
