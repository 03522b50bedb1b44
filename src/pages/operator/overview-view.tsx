/** The blocks of an enterprise's overview: its consumption, and its forms. */
import type { FC } from "hono/jsx";
import type { EnterpriseState } from "../../enterprise/books/enterprise-state.ts";
import { isTooEarly } from "../../ledger/forecast.ts";
import type { Gauge } from "../../ledger/gauge.ts";
import { formatIso } from "../../wire/time.ts";
import { formatDate, formatPeriod } from "../kit/dates.ts";
import { Field, type Form, PostButton, PostForm } from "../kit/form.tsx";
import { formatAmount, formatCharge, formatLasting, formatPercent } from "../kit/format.ts";
import { Copyable } from "../kit/parts.tsx";
import { formatUtc } from "./frame.tsx";
import { enterpriseHref, type OperatorState } from "./session.tsx";

export const Consumption: FC<{ state: OperatorState }> = ({ state: { gauge, settings } }) => (
  <section class="card" aria-labelledby="used-title">
    <h2 id="used-title" class="unseen">
      Consumption
    </h2>
    <p class="headline">
      <span class="big">{formatAmount(gauge.usedMicros, gauge.unit)}</span>{" "}
      <span>
        {gauge.totalMicros === null
          ? "spent this cycle, without a cap"
          : `of ${formatCharge(gauge.totalMicros, gauge.unit)}${gauge.spend === null ? " used" : " cap spent"}`}
      </span>{" "}
      {gauge.totalMicros !== null && <span class="percent">{formatPercent(gauge.usedMicros, gauge.totalMicros)}</span>}
    </p>
    {gauge.totalMicros !== null && (
      <svg class="mini" width="100%" height="8" aria-hidden="true" focusable="false">
        <rect class="track-fill" width="100%" height="8" />
        <rect width={`${Math.min(100, gauge.usedPercent ?? 0)}%`} height="8" />
      </svg>
    )}
    <dl class="facts">
      {factsOf(gauge, settings.timeZone).map(([term, text]) => (
        <div>
          <dt>{term}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
    {gauge.alerts.length > 0 && (
      <ul class="alerts">
        {gauge.alerts.map(({ level, message }) => (
          <li>
            <span class={`badge ${level}`}>{level}</span> {message}
          </li>
        ))}
      </ul>
    )}
    <p class="muted as-of">as of {formatUtc(gauge.asOfMs)} UTC, from the ledger</p>
  </section>
);

/** What the operator copies to other places: the enterprise's id, and its referral code. */
export const Ids: FC<{ id: string; referralCode: string }> = ({ id, referralCode }) => (
  <section class="card" aria-labelledby="ids-title">
    <h2 id="ids-title" class="unseen">
      Id and referral code
    </h2>
    <dl class="facts two">
      <div>
        <dt>Id</dt>
        <dd>
          <Copyable id="enterprise-id" what="the id of the enterprise">
            {id}
          </Copyable>
        </dd>
      </div>
      <div>
        <dt>Referral code</dt>
        <dd>
          <Copyable id="referral-code" what="the referral code">
            {referralCode}
          </Copyable>
        </dd>
      </div>
    </dl>
  </section>
);

export const Suspension: FC<{ state: EnterpriseState }> = ({ state: { identity, settings } }) => (
  <section class="card" aria-labelledby="state-title">
    <h2 id="state-title">{settings.suspended ? "Suspended" : "Suspend"}</h2>
    {settings.suspended ? (
      <>
        <p>No new run can start. Running agents are asked to stop; their reports are still recorded.</p>
        <PostButton action={enterpriseHref(identity.id, "resume")} label="Resume" kind="main" />
      </>
    ) : (
      <>
        <p>No new run can start until the enterprise is resumed.</p>
        <p class="buttons">
          <a class="button plain" href={enterpriseHref(identity.id, "suspend")}>
            Suspend
          </a>
        </p>
      </>
    )}
  </section>
);

export const ClockForm: FC<{ state: EnterpriseState; form: Form }> = ({ state: { identity }, form }) => (
  <section class="card" aria-labelledby="clock-title">
    <h2 id="clock-title">Test clock</h2>
    <p>
      This enterprise follows a test clock, which shows {formatIso(identity.testClockMs ?? 0)}. Moving it does
      everything that falls due on the way, in order.
    </p>
    <PostForm
      form={form}
      action={enterpriseHref(identity.id, "test-clock")}
      submit="Move the clock"
      refused="The clock was not moved."
      kind="plain"
    >
      <Field form={form} name="now" label="Move it forward to (UTC)" type="datetime-local" />
    </PostForm>
  </section>
);

function factsOf(gauge: Gauge, timeZone: string): [string, string][] {
  const { unit, cycle } = gauge;
  const [startsAtMs, endsAtMs] = [cycle.startsAtMs, cycle.endsAtMs];
  const facts: [string, string | null][] = [
    ["Plan", `${gauge.plan}, ${gauge.billingModel === "byom" ? "brings its own model" : "credits"}`],
    ["Left", gauge.remainingMicros === null ? null : formatCharge(gauge.remainingMicros, unit)],
    ["Bonus left", gauge.bonus === null ? null : formatCharge(gauge.bonus.remainingMicros, "credits")],
    ["Held for runs", gauge.heldMicros === 0 ? null : formatCharge(gauge.heldMicros, unit)],
    ["Debt", gauge.debtMicros === 0 ? null : formatCharge(gauge.debtMicros, unit)],
    ["Average per day", formatCharge(gauge.avgPerDayMicros, unit)],
    ["Lasts", lastingOf(gauge)],
    ["Cycle", `${formatPeriod(startsAtMs, endsAtMs, timeZone)} (${timeZone})`],
    ["Resets", formatDate(endsAtMs, timeZone)],
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== null);
}

function lastingOf({ runOutDays, onTrackToRunOut, cycle, asOfMs }: Gauge): string | null {
  if (runOutDays === null) return null;
  if (runOutDays === 0) return "nothing is left";
  if (isTooEarly(cycle, asOfMs)) return "too early to tell";
  return onTrackToRunOut ? `about ${formatLasting(runOutDays)}` : "beyond the reset";
}
