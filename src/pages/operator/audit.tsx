/**
 * The audit of an enterprise's books and of its copy, run on request, and the rebuild of the copy, after a confirmation.
 */

import { Hono } from "hono";
import type { FC } from "hono/jsx";
import { isOver } from "../../access/limits.ts";
import { catalogOf } from "../../catalog/object.ts";
import type { AuditResult } from "../../enterprise/jobs/audit.ts";
import type { AuditState } from "../../enterprise/jobs/audit-in-call.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { Question } from "../kit/dialogs.tsx";
import { PostButton } from "../kit/form.tsx";
import { readBlock } from "../kit/read-block.ts";
import { mayOpen } from "./access.ts";
import { doneHref, enterprisePage, tabHref } from "./enterprise-page.tsx";
import { type Column, formatUtc, Row, Table } from "./frame.tsx";
import { COPY_CHECK, RebuildAdvice } from "./rebuild-advice.tsx";
import { LastAudit } from "./scheduled-audits.tsx";
import { enterpriseHref, type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/enterprises/:e/audit";
const REBUILD_PATH = "/operator/enterprises/:e/rebuild";
const COLUMNS: readonly Column[] = [{ title: "Check" }, { title: "Result" }, { title: "Details" }];

export const enterpriseAudit = new Hono<OperatorEnv>()
  .get(PATH, (c) => auditPage(c, null))
  .post(PATH, async (c) => {
    if (await isCostly(c)) return operatorProblem(c, "rate_limited");
    const audit = await enterpriseStub(c.env, c.var.address).audit({ sliced: true });
    if (isRefusal(audit)) return operatorProblem(c, "not_found");
    return "job" in audit ? c.redirect(tabHref(c.var.state.identity.id, "audit"), 303) : auditPage(c, audit);
  })
  .get(REBUILD_PATH, (c) => {
    const { id } = c.var.state.identity;
    return enterprisePage(
      c,
      "data",
      <Question
        title="Rebuild the copy?"
        action={enterpriseHref(id, "rebuild")}
        confirm="Rebuild the copy"
        back={tabHref(id, "data")}
      >
        Writes everything that D1 holds of this enterprise again, from its ledger, and then deletes what the ledger does
        not have. Charts, tables and lists stay readable meanwhile.
      </Question>,
    );
  })
  .post(REBUILD_PATH, async (c) => {
    if (await isCostly(c)) return operatorProblem(c, "rate_limited");
    const done = await rebuild(c);
    return done === null ? operatorProblem(c, "not_found") : c.redirect(doneHref(c.var.state, "data", done), 303);
  });

async function rebuild(c: OperatorContext): Promise<"rebuilt" | "rebuild_pending" | null> {
  const rebuilt = await enterpriseStub(c.env, c.var.address).rebuild();
  if (isRefusal(rebuilt)) return null;
  return "job" in rebuilt ? "rebuild_pending" : "rebuilt";
}

function isCostly(c: OperatorContext): Promise<boolean> {
  return isOver(c.env, "LIMIT_COSTLY", `${c.req.method} audit page ${c.var.state.identity.id}`);
}

async function auditPage(c: OperatorContext, audit: AuditResult | null) {
  const { id } = c.var.state.identity;
  const note = await readBlock("last audit", () => catalogOf(c.env).lastAudit(id));
  const state = audit === null ? await readState(c) : null;
  const children = (
    <>
      <section class="card table" aria-labelledby="audit-title">
        <div class="head">
          <h2 id="audit-title">Audit</h2>
          <PostButton action={tabHref(id, "audit")} label="Run the audit" />
        </div>
        {state?.running != null ? (
          <Progress id={id} running={state.running} />
        ) : audit === null ? (
          <p class="muted">
            Recomputes this enterprise's books from their rows, and compares every row of the copy in D1 with them.
            Changes nothing.
          </p>
        ) : (
          <Result audit={audit} />
        )}
        <LastAudit note={note} />
      </section>
      {mayOpen(c.var.caller, `GET ${REBUILD_PATH}`) && <RebuildSection id={id} />}
    </>
  );
  return enterprisePage(c, "audit", children);
}

async function readState(c: OperatorContext): Promise<AuditState | null> {
  const state = await readBlock("audit", async () => enterpriseStub(c.env, c.var.address).auditState());
  return state === null || isRefusal(state) ? null : state;
}

const Progress: FC<{ id: string; running: NonNullable<AuditState["running"]> }> = ({ id, running }) => (
  <>
    <p id="notice" class="notice" data-announce="status">
      The audit is running: <progress value={running.progress} max="1" /> {Math.round(running.progress * 100)} %
    </p>
    <p class="muted">
      {running.detail}. It goes on without this page. <a href={tabHref(id, "audit")}>Show its progress</a>
    </p>
  </>
);

/** What leads to the rebuild of the copy. */
const RebuildSection: FC<{ id: string }> = ({ id }) => (
  <section class="card" aria-labelledby="rebuild-title">
    <h2 id="rebuild-title">Copy</h2>
    <RebuildAdvice id={id} />
  </section>
);

const Result: FC<{ audit: AuditResult }> = ({ audit: { checks, checkedAtMs } }) => {
  const failed = checks.filter(({ ok }) => !ok);
  return (
    <>
      {failed.length === 0 ? (
        <p id="notice" class="notice saved" data-announce="status">
          All {checks.length} checks passed.
        </p>
      ) : (
        <p id="notice" class="notice invalid" data-announce="alert">
          {failed.length} of {checks.length} checks failed: {failed.map(({ name }) => name).join(", ")}.
          {failed.every(({ name }) => name === COPY_CHECK) && " Only the copy is wrong. Rebuild it."}
        </p>
      )}
      <Table
        id="rows-audit"
        caption={`Checked ${formatUtc(checkedAtMs)} UTC on the enterprise's clock`}
        columns={COLUMNS}
        empty="Nothing was checked."
      >
        {checks.map(({ name, ok, detail }) => (
          <Row
            columns={COLUMNS}
            cells={[
              <code>{name}</code>,
              <span class={`badge ${ok ? "ok" : "critical"}`}>{ok ? "Passed" : "Failed"}</span>,
              <span class="name">{detail}</span>,
            ]}
          />
        ))}
      </Table>
    </>
  );
};
