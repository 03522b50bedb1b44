/**
 * What replaces the balance on the page of a past cycle: how much was used of what there was, and four cards. Printed, the
 * page is a statement.
 */
import type { FC } from "hono/jsx";
import type { TimeBucket } from "../../copy/read.ts";
import type { EndedCycle } from "../../enterprise/answers.ts";
import { wholeDays } from "../../ledger/calendar.ts";
import type { Unit } from "../../ledger/micros.ts";
import { formatDate } from "../kit/dates.ts";
import { countOf, formatAmount, formatCharge, formatCount, formatPercent } from "../kit/format.ts";
import { CardList } from "./cards.tsx";
import { readOf, type UsageData } from "./data.ts";
import { LegendItem } from "./legend.tsx";

type Props = { data: UsageData; ended: EndedCycle };

export const PastCycle: FC<Props> = ({ data, ended }) => {
  const { unit } = data.view.gauge;
  const used = usedIn(ended, unit);
  const total = ended.allowanceMicros + ended.bonusUsedMicros;
  // A month of imported history has no allowance to compare with.
  const isOfAllowance = unit === "credits" && ended.imported !== true;
  return (
    <>
      <section id="allocation" class="card allocation" aria-labelledby="allocation-title">
        <h2 id="allocation-title" class="unseen">
          {unit === "usd" ? "Spent" : "Credits used"}
        </h2>
        <p class="headline">
          <strong class="big">{formatAmount(used, unit)}</strong>
          <span>{unit === "usd" ? " spent in this cycle" : " credits used in this cycle"}</span>
          {isOfAllowance && <span class="percent">{formatPercent(used, total)}</span>}
        </p>
        {isOfAllowance && <Bar ended={ended} total={total} />}
        {isOfAllowance && (
          <dl class="legend">
            <LegendItem term="Monthly" swatch="monthly">
              {formatAmount(ended.monthlyUsedMicros, unit)} of {formatAmount(ended.allowanceMicros, unit)}
            </LegendItem>
            <LegendItem term="Bonus used" swatch="bonus">
              {formatAmount(ended.bonusUsedMicros, unit)}
            </LegendItem>
            {ended.debtMicros > 0 && <LegendItem term="Written off">{formatAmount(ended.debtMicros, unit)}</LegendItem>}
          </dl>
        )}
      </section>
      <PastCards data={data} ended={ended} />
    </>
  );
};

/** The cards of an ended cycle, or of a selection of it. */
export const PastCards: FC<{ data: UsageData; ended: EndedCycle }> = ({ data, ended }) => (
  <CardList cards={cardsOf(data, ended)} />
);

const Bar: FC<{ ended: EndedCycle; total: number }> = ({ ended, total }) => {
  const width = (micros: number) => `${total <= 0 ? 0 : Math.round((Math.max(0, micros) / total) * 10_000) / 100}%`;
  return (
    <div
      class="meter"
      role="img"
      aria-label={`Monthly ${formatPercent(ended.monthlyUsedMicros, total)}, bonus ${formatPercent(ended.bonusUsedMicros, total)}`}
    >
      <svg width="100%" height="22" aria-hidden="true" focusable="false">
        <rect class="track-fill" width="100%" height="22" />
        <rect class="monthly-fill" width={width(ended.monthlyUsedMicros)} height="22" />
        <rect class="bonus-fill" x={width(ended.allowanceMicros)} width={width(ended.bonusUsedMicros)} height="22" />
      </svg>
    </div>
  );
};

/** What a cycle used in a unit, with what no credit covered. */
export function usedIn(cycle: EndedCycle, unit: Unit): number {
  if (unit === "usd") return cycle.spendUsedMicros;
  return cycle.monthlyUsedMicros + cycle.bonusUsedMicros + cycle.debtMicros;
}

function cardsOf({ view, top, series, selection }: UsageData, ended: EndedCycle) {
  const { unit } = view.gauge;
  const days = Math.max(1, wholeDays(ended.startsAtMs, ended.endsAtMs, ended.timeZone));
  const isFiltered = Object.keys(selection).length > 0;
  const table = readOf(top.user);
  // With filters all cards belong to the selection. The headline above them keeps the whole cycle.
  const used = isFiltered ? table?.totalMicros : usedIn(ended, unit);
  const requests = table?.totalRequests;
  const busiest = busiestOf(readOf(series)?.buckets ?? []);
  return [
    {
      id: "used",
      label: unit === "usd" ? "Spent" : "Used",
      value: used === undefined ? "—" : formatAmount(used, unit),
      note: isFiltered ? "of this selection" : countOf(days, "day"),
    },
    {
      id: "requests",
      label: "Requests",
      value: requests === undefined ? "—" : formatCount(requests),
      note: isFiltered ? "of this selection" : "in the cycle",
    },
    {
      id: "average",
      label: "Average per day",
      value: used === undefined ? "—" : formatAmount(Math.round(used / days), unit),
      note: unit === "usd" ? "in the cycle" : "credits, in the cycle",
    },
    {
      id: "busiest",
      label: "Busiest day",
      value: busiest === null ? "—" : formatDate(busiest.startsAtMs, ended.timeZone),
      note: busiest === null ? "nothing used" : formatCharge(sumOf(busiest), unit),
    },
  ];
}

function busiestOf(buckets: readonly TimeBucket[]): TimeBucket | null {
  const [first, ...rest] = buckets.filter((bucket) => sumOf(bucket) > 0);
  return first === undefined
    ? null
    : rest.reduce((most, bucket) => (sumOf(bucket) > sumOf(most) ? bucket : most), first);
}

function sumOf({ webMicros, cliMicros }: TimeBucket): number {
  return webMicros + cliMicros;
}
