/**
 * Grants of bonus credits: listed, added, and voided after a confirmation. The form carries the grant's id, so that a
 * form that is sent twice grants once.
 */
import { Hono } from "hono";
import type { FC } from "hono/jsx";
import { byOf } from "../../access/callers.ts";
import type { GrantSummary } from "../../ledger/grants.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { grantRequestOf, newGrant, parseGrant } from "../../wire/grant.ts";
import { cutPage } from "../../wire/paging.ts";
import { fieldErrors } from "../../wire/problems.ts";
import { Question } from "../kit/dialogs.tsx";
import { Choice, errorsOf, errorsOfRefusal, Field, type Form, hasErrors, PostForm, readForm } from "../kit/form.tsx";
import { formatAmount, formatCharge } from "../kit/format.ts";
import { Name } from "../kit/parts.tsx";
import { mayOpen } from "./access.ts";
import { doneHref, enterprisePage, tabHref } from "./enterprise-page.tsx";
import { beforeOf, type Column, Older, Row, Table, Utc } from "./frame.tsx";
import { parseAmount, parseUtcField } from "./parse-fields.ts";
import { enterpriseHref, type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/enterprises/:e/grants";
const PAGE_ROWS = 20;
const SOURCES = { promotion: "Promotion", goodwill: "Goodwill", purchase: "Purchase", referral: "Referral" };
const STATES: Record<GrantSummary["state"], string> = {
  active: "Active",
  used: "Used up",
  expired: "Expired",
  voided: "Voided",
};
const COLUMNS: readonly Column[] = [
  { title: "Grant" },
  { title: "Source" },
  { title: "Granted" },
  { title: "Expires" },
  { title: "Amount", num: true },
  { title: "Left", num: true },
  { title: "State" },
];

export const enterpriseGrants = new Hono<OperatorEnv>()
  .get(PATH, (c) => grantsPage(c, blank()))
  .post(PATH, async (c) => {
    const values = await readForm(c);
    const amount = parseAmount(values.amount_micros ?? "");
    const parsed = newGrant.safeParse({
      id: values.id,
      amount_micros: amount ?? Number.NaN,
      source: values.source,
      note: values.note?.trim() || null,
      expires_at: parseUtcField(values.expires_at ?? "") ?? null,
    });
    if (!parsed.success) {
      const errors = errorsOf(fieldErrors(parsed.error));
      if (amount === null) errors.amount_micros = "Must be an amount such as 100 or 12.5.";
      return grantsPage(c, { values, errors });
    }
    const added = await enterpriseStub(c.env, c.var.address).addGrant(grantRequestOf(parsed.data), byOf(c.var.caller));
    if (isRefusal(added)) return grantsPage(c, { values, errors: errorsOfRefusal(added.refusal, "id") });
    return c.redirect(doneHref(c.var.state, "grants", "granted"), 303);
  })
  .get(`${PATH}/:id/void`, async (c) => {
    const grant = await findGrant(c, c.req.param("id"));
    if (grant === null) return operatorProblem(c, "not_found");
    const { id } = c.var.state.identity;
    return enterprisePage(
      c,
      "grants",
      <Question
        title="Void this grant?"
        action={enterpriseHref(id, "grants", grant.id, "void")}
        confirm={`Take back ${formatCharge(grant.remainingMicros, "credits")}`}
        back={tabHref(id, "grants")}
      >
        {formatCharge(grant.remainingMicros, "credits")} of grant <Name>{grant.id}</Name> are taken back. This cannot be
        undone. What runs have drawn from the grant is not affected.
      </Question>,
    );
  })
  .post(`${PATH}/:id/void`, async (c) => {
    const voided = await enterpriseStub(c.env, c.var.address).voidGrant(c.req.param("id"), byOf(c.var.caller));
    if (isRefusal(voided)) return operatorProblem(c, "not_found");
    return c.redirect(doneHref(c.var.state, "grants", "voided"), 303);
  });

async function grantsPage(c: OperatorContext, form: Form) {
  const { id } = c.var.state.identity;
  const listed = await enterpriseStub(c.env, c.var.address).grants(c.var.caller, beforeOf(c), PAGE_ROWS);
  if (isRefusal(listed)) return operatorProblem(c, "not_found");
  const { rows, last } = cutPage(listed, PAGE_ROWS);
  const mayChange = mayOpen(c.var.caller, `POST ${PATH}`);
  const children = (
    <>
      <section class="card table" aria-labelledby="grants-title">
        <h2 id="grants-title">Grants</h2>
        <Table
          id="rows-grants"
          caption="Newest first, in credits; times are UTC"
          columns={COLUMNS}
          empty="There are no grants yet."
        >
          {rows.map(({ view }) => (
            <GrantRow enterprise={id} grant={parseGrant(view)} mayVoid={mayChange} />
          ))}
        </Table>
        <Older
          path={tabHref(id, "grants")}
          before={last === null ? null : String(last.seq)}
          later={c.req.query("before") !== undefined}
        />
      </section>
      {mayChange && (
        <section class="card" aria-labelledby="add-title">
          <h2 id="add-title">Add a grant</h2>
          {c.var.state.settings.billingModel === "byom" && (
            <p class="muted">This enterprise brings its own model: credits count only after it is billed in credits.</p>
          )}
          <PostForm form={form} action={tabHref(id, "grants")} submit="Grant" refused="Nothing was granted." wide>
            <Field form={form} name="amount_micros" label="Credits" inputmode="decimal" />
            <Choice form={form} name="source" label="Source" options={SOURCES} />
            <Field
              form={form}
              name="expires_at"
              label="Expires (UTC)"
              optional
              type="datetime-local"
              hint="If empty, the grant never expires."
            />
            <Field
              form={form}
              name="note"
              label="Note"
              optional
              maxlength={1000}
              hint="Visible to the people of the enterprise."
            />
            <Field form={form} name="id" label="Id" maxlength={128} hint="An id can be granted only once." />
          </PostForm>
        </section>
      )}
    </>
  );
  return enterprisePage(c, "grants", children, hasErrors(form) ? 422 : 200);
}

type GrantRowProps = { enterprise: string; grant: GrantSummary; mayVoid: boolean };

const GrantRow: FC<GrantRowProps> = ({ enterprise, grant, mayVoid }) => (
  <Row
    columns={COLUMNS}
    faded={grant.state !== "active"}
    cells={[
      <>
        <Name>{grant.id}</Name>
        {grant.note !== null && (
          <small class="muted">
            <Name>{grant.note}</Name>
          </small>
        )}
      </>,
      SOURCES[grant.source],
      <Utc atMs={grant.grantedAtMs} />,
      grant.expiresAtMs === null ? "never" : <Utc atMs={grant.expiresAtMs} />,
      formatAmount(grant.amountMicros, "credits"),
      formatAmount(grant.state === "active" ? grant.remainingMicros : 0, "credits"),
      <>
        {STATES[grant.state]}
        {mayVoid && grant.state === "active" && (
          <>
            {" · "}
            <a href={enterpriseHref(enterprise, "grants", grant.id, "void")}>
              Void<span class="unseen"> {grant.id}</span>
            </a>
          </>
        )}
      </>,
    ]}
  />
);

function blank(): Form {
  return { values: { source: "promotion", id: `grant-${crypto.randomUUID().slice(0, 13)}` }, errors: {} };
}

/** A grant that can be voided; null when no active grant has this id. */
async function findGrant(c: OperatorContext, id: string): Promise<GrantSummary | null> {
  const grant = await enterpriseStub(c.env, c.var.address).grant(c.var.caller, id);
  return isRefusal(grant) || grant.state !== "active" ? null : parseGrant(grant);
}
