/**
 * /operator/find: opens the receipt of a run by its id, in a given enterprise or in any. A given enterprise's object has
 * the receipt of every run at once. A search over all enterprises finds only runs that are in their copies.
 */
import { Hono } from "hono";
import type { FC } from "hono/jsx";
import { DIMENSIONS } from "../../ledger/dimensions.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { findRun, type RunsFound } from "../../operations/find-run.ts";
import { readCopy } from "../../operations/read-copy.ts";
import { ID_RULE, isId } from "../../wire/fields.ts";
import { FROM_NEWEST } from "../../wire/paging.ts";
import { parseReceipt } from "../../wire/receipt.ts";
import { errorsOf, Field, type Form, hasErrors } from "../kit/form.tsx";
import { countOf } from "../kit/format.ts";
import { Copyable, Name } from "../kit/parts.tsx";
import { ReceiptView, readReceiptNames } from "../kit/receipt.tsx";
import { operatorPage } from "./frame.tsx";
import { enterpriseHref, type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/find";

export const operatorFind = new Hono<OperatorEnv>()
  .get(PATH, async (c) => {
    const { before } = c.req.query();
    const values = { run: (c.req.query("run") ?? "").trim(), enterprise: (c.req.query("enterprise") ?? "").trim() };
    if (values.run === "") return findPage(c, { values, errors: {} });
    const wrong = Object.entries(values).filter(([name, id]) => !(isId(id) || (name === "enterprise" && id === "")));
    const errors = errorsOf(wrong.map(([path]) => ({ path, message: ID_RULE })));
    if (wrong.length > 0) return findPage(c, { values, errors });
    if (values.enterprise !== "") return c.redirect(enterpriseHref(values.enterprise, "runs", values.run), 303);
    const from = /^\d{1,15}$/.test(before ?? "") ? Number(before) : FROM_NEWEST;
    const found = await findRun(c.env, values.run, from);
    const [only] = found.enterprises;
    const isOnly = only !== undefined && found.enterprises.length === 1 && found.next === null && from === FROM_NEWEST;
    return isOnly
      ? c.redirect(enterpriseHref(only, "runs", values.run), 303)
      : findPage(c, { values, errors: {} }, found);
  })
  .get("/operator/enterprises/:e/runs/:run", async (c) => {
    const run = c.req.param("run");
    const stub = () => enterpriseStub(c.env, c.var.address);
    const [found, view] = await Promise.all([stub().receipt(c.var.caller, run), stub().copyView(c.var.caller)]);
    if (isRefusal(found) || isRefusal(view)) return operatorProblem(c, "not_found");
    const receipt = parseReceipt(found);
    const { id } = c.var.state.identity;
    const copy = readCopy(c.env, c.executionCtx, c.var.address, view.copy);
    const children = (
      <>
        <ReceiptView
          receipt={receipt}
          names={await readReceiptNames(copy, id, receipt)}
          timeZone={view.timeZone}
          crumbs={
            <>
              <a href={PATH}>Find a run</a> › <a href={enterpriseHref(id)}>{c.var.state.settings.name}</a> › Receipt
            </>
          }
          hrefOf={null}
        />
        <section class="card" aria-labelledby="ids-title">
          <h2 id="ids-title">Ids</h2>
          <dl class="facts">
            {[["run", receipt.run] as const, ...DIMENSIONS.map((of) => [of, receipt[of]] as const)].map(([of, id]) => (
              <div>
                <dt>{of[0]?.toUpperCase() + of.slice(1)}</dt>
                <dd>
                  <Copyable id={`id-${of}`} what={`the id of the ${of}`}>
                    {id}
                  </Copyable>
                </dd>
              </div>
            ))}
          </dl>
        </section>
      </>
    );
    return c.html(operatorPage(c, { title: `Receipt of ${receipt.run}`, tab: "find", children }));
  });

function findPage(c: OperatorContext, form: Form, found: RunsFound | null = null) {
  const children = (
    <>
      <div class="heading">
        <h1>Find a run</h1>
      </div>
      <section class="card">
        <p>Opens the receipt of a run: what it used, at which prices, and where its charge was drawn from.</p>
        <form class="form wide" method="get" action={PATH} autocomplete="off">
          <Field form={form} name="run" label="Run" maxlength={128} hint="The id with which the agent reports it." />
          <Field
            form={form}
            name="enterprise"
            label="Enterprise"
            optional
            maxlength={128}
            hint="Its id. Without it, all enterprises are searched, newest first."
          />
          <p class="buttons">
            <button class="button" type="submit">
              Find
            </button>
          </p>
        </form>
        {found !== null && <Found run={form.values.run ?? ""} found={found} />}
      </section>
    </>
  );
  return c.html(operatorPage(c, { title: "Find a run", tab: "find", children }), hasErrors(form) ? 422 : 200);
}

const Found: FC<{ run: string; found: RunsFound }> = ({ run, found: { enterprises, searched, next } }) => (
  <>
    {enterprises.length === 0 ? (
      <p class="notice conflict" data-announce="status">
        None of {countOf(searched, "enterprise")} has a run <Name>{run}</Name> in its copy. A run that has just started
        is there within seconds.
      </p>
    ) : (
      <ul>
        {enterprises.map((id) => (
          <li>
            <a href={enterpriseHref(id, "runs", run)}>
              <Name>{run}</Name> of <Name>{id}</Name>
            </a>
          </li>
        ))}
      </ul>
    )}
    {next !== null && (
      <p class="more">
        <a href={`${PATH}?${new URLSearchParams({ run, before: String(next) })}`}>Search older enterprises</a>
      </p>
    )}
  </>
);
