/**
 * The spend cap on the model page: the form for admins, the confirmation before a cap that stops new runs at once, what
 * happens at the cap, and the history of changes. Members see everything but the form.
 */
import type { FC } from "hono/jsx";
import type { CapChange } from "../../copy/read.ts";
import type { Gauge } from "../../ledger/gauge.ts";
import type { Micros } from "../../ledger/micros.ts";
import { capName, capText, previewOf } from "../kit/cap.ts";
import { formatDate } from "../kit/dates.ts";
import { Question } from "../kit/dialogs.tsx";
import { formatAmount, formatPercent } from "../kit/format.ts";
import { Moment, Name, Unreadable } from "../kit/parts.tsx";

export const MODEL_PATH = "/settings/model";

/** The form's fields: as they were sent, or those of the current cap. */
export type CapFields = { limit: "cap" | "none"; cap: string };
/** The message above the form. */
export type CapNotice = { kind: "saved" | "invalid" | "conflict"; text: string };

type Props = {
  gauge: Gauge;
  timeZone: string;
  fields: CapFields;
  /** The cap to preview, or a message that says why there is no preview. */
  previewed: Micros | null | string;
  notice: CapNotice | null;
};

export function fieldsOf(gauge: Gauge): CapFields {
  const cap = gauge.spend?.capMicros ?? null;
  return cap === null ? { limit: "none", cap: "" } : { limit: "cap", cap: capText(cap) };
}

export function fromField(gauge: Gauge): string {
  return String(gauge.spend?.capMicros ?? "none");
}

export const SpentFacts: FC<{ gauge: Gauge }> = ({ gauge }) => (
  <dl class="cards three">
    <div class="card">
      <dt>Spent this cycle</dt>
      <dd>
        <strong>{formatAmount(gauge.usedMicros, gauge.unit)}</strong>
        <small>
          {gauge.totalMicros === null ? "no cap" : `${formatPercent(gauge.usedMicros, gauge.totalMicros)} of the cap`}
        </small>
      </dd>
    </div>
    <div class="card">
      <dt>Average per day</dt>
      <dd>
        <strong>{formatAmount(gauge.avgPerDayMicros, gauge.unit)}</strong>
        <small>in this cycle</small>
      </dd>
    </div>
    <div class="card">
      <dt>Spend cap</dt>
      <dd>
        <strong>{gauge.totalMicros === null ? "none" : formatAmount(gauge.totalMicros, gauge.unit)}</strong>
        <small>a month</small>
      </dd>
    </div>
  </dl>
);

export const CapForm: FC<Props> = ({ gauge, timeZone, fields, previewed, notice }) => (
  <section class="card" aria-labelledby="cap-title">
    <h2 id="cap-title">Monthly spend cap</h2>
    {notice !== null && (
      <p id="notice" class={`notice ${notice.kind}`} data-announce={notice.kind === "saved" ? "status" : "alert"}>
        {notice.text}
      </p>
    )}
    <form
      class="cap"
      method="post"
      action={MODEL_PATH}
      hx-get={MODEL_PATH}
      hx-trigger="input delay:250ms"
      hx-target="#preview"
      hx-swap="outerHTML"
      hx-sync="this:replace"
      hx-validate="false"
    >
      <input type="hidden" name="enterprise" value={gauge.enterprise} />
      <input type="hidden" name="from" value={fromField(gauge)} />
      <fieldset>
        <legend class="unseen">The cap</legend>
        <label class="choice">
          <input type="radio" name="limit" value="cap" checked={fields.limit === "cap"} />
          <span>Stop new runs at</span>
        </label>
        <span class="money">
          <span aria-hidden="true">$</span>
          <input
            id="cap"
            name="cap"
            type="text"
            inputmode="decimal"
            autocomplete="off"
            maxlength={16}
            size={14}
            value={fields.cap}
            placeholder="500.00"
            data-in-force={fieldsOf(gauge).cap}
            aria-label="Cap in dollars a month"
            aria-describedby="preview cap-help"
            aria-invalid={notice?.kind === "invalid" ? "true" : undefined}
          />
          <span>a month</span>
        </span>
        <label class="choice">
          <input type="radio" name="limit" value="none" checked={fields.limit === "none"} />
          <span>No cap</span>
        </label>
      </fieldset>
      <p id="cap-help" class="muted">
        From $1.00 to $1,000,000.00, with at most two decimals.
      </p>
      <Preview gauge={gauge} timeZone={timeZone} previewed={previewed} />
      <p class="buttons">
        <button class="button" type="submit">
          Save
        </button>{" "}
        {/* With JavaScript, the preview follows the typing. */}
        <button class="button plain unscripted" type="submit" formmethod="get">
          Preview
        </button>
      </p>
    </form>
  </section>
);

export const Preview: FC<Pick<Props, "gauge" | "timeZone" | "previewed">> = ({ gauge, timeZone, previewed }) => (
  <p id="preview" class="preview">
    {typeof previewed === "string" ? previewed : previewOf(gauge, previewed, timeZone)}
  </p>
);

/** Asks for confirmation before setting a cap that is already spent. */
export const CapConfirmation: FC<{ gauge: Gauge; timeZone: string; capMicros: Micros; fields: CapFields }> = ({
  gauge,
  timeZone,
  capMicros,
  fields,
}) => (
  <Question
    title="This cap is below what is already spent"
    action={MODEL_PATH}
    confirm={`Set the cap to ${formatAmount(capMicros, "usd")}`}
    back={MODEL_PATH}
    keep={`Keep ${gauge.totalMicros === null ? "no cap" : formatAmount(gauge.totalMicros, "usd")}`}
    values={{ enterprise: gauge.enterprise, from: fromField(gauge), limit: fields.limit, cap: fields.cap }}
  >
    {previewOf(gauge, capMicros, timeZone)} Runs in progress are not cut off, but they are asked to stop.
  </Question>
);

export const CapSummary: FC<Pick<Props, "gauge" | "timeZone">> = ({ gauge, timeZone }) => (
  <section class="card" aria-labelledby="cap-title">
    <h2 id="cap-title">Monthly spend cap</h2>
    <p>{previewOf(gauge, gauge.totalMicros, timeZone)}</p>
    <p class="muted">You are signed in as a member. Only an admin can change the cap.</p>
  </section>
);

export const AtCap: FC<{ gauge: Gauge; timeZone: string }> = ({ gauge, timeZone }) => (
  <section class="card" aria-labelledby="at-cap-title">
    <h2 id="at-cap-title">What happens at the cap</h2>
    <ul>
      <li>
        No new run starts. Runs in progress are never cut off: each report is charged, and its answer asks the run to
        stop.
      </li>
      <li>If the cap is raised or removed, runs can start again at once.</li>
      <li>
        At the reset on {formatDate(gauge.cycle.endsAtMs, timeZone)}, spending starts again from zero; the cap stays the
        same.
      </li>
    </ul>
  </section>
);

export const CapHistory: FC<{ changes: CapChange[] | null; timeZone: string }> = ({ changes, timeZone }) => (
  <section class="card table" aria-labelledby="history-title">
    <h2 id="history-title">History</h2>
    {changes === null ? (
      <Unreadable what="The history" retry={MODEL_PATH} />
    ) : changes.length === 0 ? (
      <p class="muted">The cap has never been changed.</p>
    ) : (
      <table>
        <caption class="unseen">Changes to the spend cap, newest first</caption>
        <thead>
          <tr>
            <th scope="col">When</th>
            <th scope="col">By</th>
            <th scope="col" class="num">
              From
            </th>
            <th scope="col" class="num">
              To
            </th>
          </tr>
        </thead>
        <tbody>
          {changes.map(({ atMs, by, fromMicros, toMicros }) => (
            <tr>
              <th scope="row">
                <Moment atMs={atMs} timeZone={timeZone} />
              </th>
              <td>
                <Name>{by.replace(/^user:/, "").replace(/^key:/, "key ")}</Name>
              </td>
              <td class="num">{capName(fromMicros)}</td>
              <td class="num">{capName(toMicros)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    )}
  </section>
);
