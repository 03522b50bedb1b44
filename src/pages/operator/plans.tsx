/**
 * /operator/plans: the catalogue of plans as one form. The form carries the version that it shows, so that two people who
 * edit the plans do not undo each other's change. A row without an id is left out.
 */
import { Hono } from "hono";
import type { FC } from "hono/jsx";
import { byOf } from "../../access/callers.ts";
import type { FieldError } from "../../ledger/refusals.ts";
import { changePlans, readPlans } from "../../operations/plans.ts";
import { parsePlans, plansPut } from "../../wire/plan.ts";
import { fieldErrors } from "../../wire/problems.ts";
import { Check, Field, type Form, hasErrors, PostForm, readForm } from "../kit/form.tsx";
import { mayOpen } from "./access.ts";
import { type Column, operatorPage, Row, Table } from "./frame.tsx";
import { formatAmountField, parseAmount } from "./parse-fields.ts";
import type { OperatorContext, OperatorEnv } from "./session.tsx";

const PATH = "/operator/plans";
const NEW_ROWS = 1;
const MAX_ROWS = 101;
const BUSY = "Some enterprises have not reported their plan yet. Please send the form again.";

export const operatorPlans = new Hono<OperatorEnv>()
  .get(PATH, async (c) => plansPage(c, await readValues(c), c.req.query("done") !== undefined))
  .post(PATH, async (c) => {
    const values = await readForm(c);
    const count = Math.min(Math.max(0, Number(values.rows) || 0), MAX_ROWS);
    const rows = Array.from({ length: count }, (_, i) => i).filter((i) => (values[`id_${i}`] ?? "").trim() !== "");
    const amounts: FieldError[] = [];
    const plans = rows.map((i) => {
      const allowanceMicros = parseAmount(values[`allowance_micros_${i}`] ?? "");
      if (allowanceMicros === null) {
        amounts.push({ path: `allowance_micros_${i}`, message: "Must be an amount such as 1200 or 12.5." });
      }
      const [id, name] = [`id_${i}`, `name_${i}`].map((field) => (values[field] ?? "").trim());
      return { id, name, allowance_micros: allowanceMicros ?? 0, free: values[`free_${i}`] !== undefined };
    });
    const parsed = plansPut.safeParse({ plans, version: Number(values.version) });
    const faults = parsed.success ? [] : fieldErrors(parsed.error).map((error) => fieldOf(error, rows));
    const errors = Object.fromEntries([...faults, ...amounts].map(({ path, message }) => [path, message]));
    if (!parsed.success || amounts.length > 0) return plansPage(c, { values, errors });
    const knownVersion = parsed.data.version ?? null;
    const changed = await changePlans(c.env, { plans: parsePlans(parsed.data), knownVersion, by: byOf(c.var.caller) });
    if ("plans" in changed) return c.redirect(`${PATH}?done=saved`, 303);
    return plansPage(c, { values, errors: { "": messageOf(changed) } });
  });

function messageOf(refusal: Exclude<Awaited<ReturnType<typeof changePlans>>, { plans: unknown }>): string {
  if ("conflict" in refusal) return "Somebody else has changed the plans. Load this page again.";
  if ("unrecorded" in refusal) return BUSY;
  const { plan, enterprise } = refusal.inUse;
  return `The enterprise “${enterprise}” has the plan “${plan}”. Give it another plan first.`;
}

/** The error of a plan's member, at the field of its row. */
function fieldOf({ path, message }: FieldError, rows: readonly number[]): FieldError {
  const [, at, member] = path.split(".");
  return member === undefined ? { path: "", message } : { path: `${member}_${rows[Number(at)]}`, message };
}

async function readValues(c: OperatorContext): Promise<Form> {
  const { version, plans } = await readPlans(c.env);
  const rows = plans.flatMap(({ id, name, allowanceMicros, free }, i) => [
    [`id_${i}`, id],
    [`name_${i}`, name],
    [`allowance_micros_${i}`, formatAmountField(allowanceMicros)],
    ...(free ? [[`free_${i}`, "yes"]] : []),
  ]);
  const all = [...rows, ["rows", String(plans.length + NEW_ROWS)], ["version", String(version)]];
  return { values: Object.fromEntries(all), errors: {} };
}

function plansPage(c: OperatorContext, form: Form, saved = false) {
  const rows = Math.min(Number(form.values.rows) || 0, MAX_ROWS);
  const children = (
    <>
      <div class="heading">
        <h1>Plans</h1>
      </div>
      <section class="card">
        {saved && (
          <p class="notice saved" data-announce="status">
            Saved.
          </p>
        )}
        {!mayOpen(c.var.caller, `POST ${PATH}`) ? (
          <PlanTable form={form} rows={rows} />
        ) : (
          <>
            <p>
              An edited plan applies to an enterprise from its next cycle. A larger allowance also applies at once when
              its settings are next saved. Clear an id to remove its plan.
            </p>
            <PostForm
              form={form}
              action={PATH}
              submit="Save"
              hidden={{ version: form.values.version ?? "", rows: String(rows) }}
              wide
            >
              {Array.from({ length: rows }, (_, i) => (
                <PlanFields form={form} row={i} />
              ))}
            </PostForm>
          </>
        )}
      </section>
    </>
  );
  return c.html(operatorPage(c, { title: "Plans", tab: "plans", children }), hasErrors(form) ? 422 : 200);
}

const COLUMNS: readonly Column[] = [
  { title: "Plan" },
  { title: "Name" },
  { title: "Credits in each cycle", num: true },
];

/** The catalogue for those who may not change it. */
const PlanTable: FC<{ form: Form; rows: number }> = ({ form: { values }, rows }) => (
  <Table id="rows-plans" caption="What each plan gives" columns={COLUMNS} empty="There are no plans.">
    {Array.from({ length: rows - NEW_ROWS }, (_, i) => (
      <Row columns={COLUMNS} cells={[values[`id_${i}`], values[`name_${i}`], values[`allowance_micros_${i}`]]} />
    ))}
  </Table>
);

const PlanFields: FC<{ form: Form; row: number }> = ({ form, row }) => (
  <fieldset class="fields">
    <legend>{form.values[`id_${row}`] || "A new plan"}</legend>
    <Field form={form} name={`id_${row}`} label="Id" maxlength={128} />
    <Field form={form} name={`name_${row}`} label="Name" maxlength={200} />
    <Field form={form} name={`allowance_micros_${row}`} label="Credits in each cycle" inputmode="decimal" />
    <Check form={form} name={`free_${row}`} label="free: people see that they are on the free tier" />
  </fieldset>
);
