/**
 * The allocation: how much of the credits has been used, as a bar and as a sum; for byom, how much of the spend cap.
 * Segments are SVG rects with lengths in percent, because the content policy forbids inline styles. Bonus is hatched,
 * so that it is recognizable without colour.
 */
import type { FC } from "hono/jsx";
import type { Gauge } from "../../ledger/gauge.ts";
import type { GrantSummary } from "../../ledger/grants.ts";
import { reaches } from "../../ledger/micros.ts";
import { formatShortDate } from "../kit/dates.ts";
import { formatAmount, formatCharge, formatIdentity, formatPercent } from "../kit/format.ts";
import { Unreadable } from "../kit/parts.tsx";
import { MAX_GRANTS } from "./data.ts";
import { Grants } from "./grants.tsx";
import { LegendItem } from "./legend.tsx";
import type { Outlook } from "./outlook.ts";
import { USAGE_PATH } from "./query.ts";

type Props = {
  gauge: Gauge;
  outlook: Outlook;
  timeZone: string;
  grants: GrantSummary[] | null;
};

export const Allocation: FC<Props> = (props) => {
  const { gauge } = props;
  const { usedMicros: used, totalMicros: total, unit } = gauge;
  return (
    <section id="allocation" class="card allocation" data-level={levelOf(gauge)} aria-labelledby="allocation-title">
      <h2 id="allocation-title" class="unseen">
        {gauge.spend === null ? "Credits used" : "Spent"}
      </h2>
      {total === null ? (
        <p class="headline">
          <strong class="big">{formatAmount(used, unit)}</strong> spent this cycle, with no cap
        </p>
      ) : (
        <>
          <p class="headline">
            <strong class="big">{formatAmount(used, unit)}</strong>
            <span>
              {" "}
              of {formatAmount(total, unit)} {unit === "usd" ? "cap spent" : "credits used"}
            </span>
            <span class="percent">{formatPercent(used, total)}</span>
          </p>
          <Bar {...props} total={total} />
        </>
      )}
      {gauge.spend === null ? <CreditLegend {...props} /> : <CapLegend {...props} />}
    </section>
  );
};

const Bar: FC<Props & { total: number }> = ({ gauge, outlook, total }) => {
  const monthly = gauge.monthly ?? { allowanceMicros: total, usedMicros: gauge.usedMicros };
  const bonusStart = share(monthly.allowanceMicros, total);
  const pace = outlook.elapsedRatio * 100;
  return (
    <>
      <div
        class="meter"
        role="meter"
        aria-label={gauge.spend === null ? "Credits used" : "Spend cap used"}
        aria-valuemin={0}
        aria-valuemax={100}
        aria-valuenow={Math.min(100, Math.floor(share(gauge.usedMicros, total)))}
        aria-valuetext={meterText(gauge)}
      >
        <svg width="100%" height="22" aria-hidden="true" focusable="false">
          <defs>
            <pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect class="bonus-fill" width="7" height="7" />
              <rect class="hatch-line" width="2.5" height="7" />
            </pattern>
            <pattern id="hatch-free" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
              <rect class="bonus-line" width="1.5" height="7" />
            </pattern>
          </defs>
          <rect class="track-fill" width="100%" height="22" />
          <rect class="monthly-fill" width={percent(share(monthly.usedMicros, total))} height="22" />
          {gauge.bonus !== null && total > 0 && bonusStart < 100 && (
            <>
              <rect x={percent(bonusStart)} width={percent(100 - bonusStart)} height="22" fill="url(#hatch-free)" />
              <rect
                x={percent(bonusStart)}
                width={percent(share(gauge.bonus.usedMicros, total))}
                height="22"
                fill="url(#hatch)"
              />
              <rect class="border-line" x={percent(bonusStart)} width="2" height="22" />
            </>
          )}
        </svg>
      </div>
      <svg class="pace" width="100%" height="20" focusable="false">
        <svg x={percent(pace)} width="1" height="10" overflow="visible" aria-hidden="true">
          <path d="M0 2l5 8h-10z" />
        </svg>
        <text x={percent(pace)} y="15" dx={pace > 50 ? -11 : 11} text-anchor={pace > 50 ? "end" : "start"}>
          even pace: {Math.floor(pace)} %
        </text>
      </svg>
    </>
  );
};

/** The bar changes its colour and shows a sign from 90 %, and again when nothing is left. */
function levelOf(gauge: Gauge): "warning" | "critical" | undefined {
  if (gauge.remainingMicros === 0) return "critical";
  return gauge.totalMicros !== null && reaches(gauge.usedMicros, gauge.totalMicros, 90) ? "warning" : undefined;
}

const CreditLegend: FC<Props> = ({ gauge, timeZone, grants }) => {
  const { monthly, bonus, unit } = gauge;
  if (monthly === null || bonus === null) return null;
  const bonusTotal = bonus.usedMicros + bonus.remainingMicros;
  const left = (gauge.remainingMicros ?? 0) - gauge.debtMicros;
  const sum = formatIdentity([monthly.allowanceMicros, bonusTotal, -gauge.usedMicros], left, unit);
  const expiry = bonus.nextExpiry;
  return (
    <>
      <dl class="legend">
        <LegendItem term="Monthly" swatch="monthly">
          {formatAmount(monthly.usedMicros, unit)} of {formatAmount(monthly.allowanceMicros, unit)}
        </LegendItem>
        <LegendItem term="Bonus" swatch="bonus">
          {bonusTotal === 0 ? "none" : `${formatAmount(bonus.usedMicros, unit)} of ${formatAmount(bonusTotal, unit)}`}
          {expiry !== null && (
            <span class="muted">
              {" "}
              · {formatAmount(expiry.micros, unit)} expire {formatShortDate(expiry.atMs, timeZone)}
            </span>
          )}
        </LegendItem>
        <LegendItem term={left < 0 ? "Over" : "Left"}>
          <strong>{formatAmount(Math.abs(left), unit)}</strong>
          <Held gauge={gauge} />
        </LegendItem>
      </dl>
      {gauge.remainingMicros !== 0 && monthly.remainingMicros === 0 && (
        <p class="note">The monthly allowance is used up; runs now draw on bonus credits.</p>
      )}
      {gauge.debtMicros > 0 && (
        <p class="note">
          Runs in progress used {formatCharge(gauge.debtMicros, unit)} that no credit covered. New credit pays this debt
          first; any debt left at the end of the cycle is written off.
        </p>
      )}
      <AllHeld gauge={gauge} />
      <p class="identity muted">
        {sum.parts[0]} monthly + {sum.parts[1]} bonus − {sum.parts[2]?.replace("−", "")} used = {sum.sum} left
      </p>
      {grants === null ? (
        <Unreadable what="The grants" retry={USAGE_PATH} />
      ) : (
        <Grants grants={grants} max={MAX_GRANTS} leftMicros={bonus.remainingMicros} timeZone={timeZone} />
      )}
    </>
  );
};

const CapLegend: FC<Props> = ({ gauge }) => {
  const { unit, remainingMicros: left } = gauge;
  const overMicros = gauge.totalMicros === null ? 0 : gauge.usedMicros - gauge.totalMicros;
  return (
    <>
      <dl class="legend">
        <LegendItem term="Spent" swatch="monthly">
          {formatAmount(gauge.usedMicros, unit)}
        </LegendItem>
        <LegendItem term="Cap">
          {gauge.totalMicros === null ? "none" : formatAmount(gauge.totalMicros, unit)}
        </LegendItem>
        {left !== null && (
          <LegendItem term={overMicros > 0 ? "Over" : "Left"}>
            <strong>{formatAmount(Math.max(left, overMicros), unit)}</strong>
            <Held gauge={gauge} />
          </LegendItem>
        )}
        <div class="end">
          <dt class="unseen">Cap settings</dt>
          <dd>
            <a href="/settings/model">Model settings</a>
          </dd>
        </div>
      </dl>
      <AllHeld gauge={gauge} />
    </>
  );
};

/** Shown if no run can start although credit is left, because all of it is held. */
const AllHeld: FC<{ gauge: Gauge }> = ({ gauge }) =>
  gauge.heldMicros > 0 && gauge.remainingMicros !== 0 && gauge.availableMicros === 0 ? (
    <p class="note">All that is left is held for runs in progress: no new run starts until one of them ends.</p>
  ) : null;

/** Shown inline, so that the layout does not shift when holds come and go. */
const Held: FC<{ gauge: Gauge }> = ({ gauge }) =>
  gauge.heldMicros > 0 ? (
    <span class="muted"> · {formatAmount(gauge.heldMicros, gauge.unit)} held for runs</span>
  ) : null;

function meterText(gauge: Gauge): string {
  const { monthly, bonus, unit } = gauge;
  const { usedMicros: used, totalMicros: total } = gauge;
  if (monthly === null || bonus === null) {
    return `${formatAmount(used, unit)} of ${formatAmount(total ?? 0, unit)} spent, ${formatPercent(used, total)}`;
  }
  const monthlyText = `monthly ${formatAmount(monthly.usedMicros, unit)} of ${formatAmount(monthly.allowanceMicros, unit)}`;
  const bonusText = `bonus ${formatAmount(bonus.usedMicros, unit)} of ${formatAmount(bonus.usedMicros + bonus.remainingMicros, unit)}`;
  return `${formatAmount(used, unit)} of ${formatCharge(total ?? 0, unit)} used, ${formatPercent(used, total)}; ${monthlyText}, ${bonusText}`;
}

/** 0 … 100, for drawing. */
function share(part: number, whole: number): number {
  return whole <= 0 ? 0 : Math.min(100, Math.max(0, (part / whole) * 100));
}

function percent(value: number): string {
  return `${Math.round(value * 100) / 100}%`;
}
