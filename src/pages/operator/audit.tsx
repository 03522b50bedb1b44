/**
 * Is it right? The audit of an enterprise's books and of its copy, run when asked for; and the copy written anew, after
 * a question.
 */
import { Hono } from "hono";
import type { FC } from "hono/jsx";
import { isOver } from "../../access/limits.ts";
import { catalogOf } from "../../catalog/object.ts";
import type { AuditCheck } from "../../enterprise/jobs/audit.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { isCopyError } from "../../wire/transient.ts";
import { readBlock } from "../kit/read-block.ts";
import { Question } from "./dialogs.tsx";
import { doneHref, enterprisePage, tabHref } from "./enterprise-page.tsx";
import { type Column, formatUtc, Row, Table } from "./frame.tsx";
import { LastAudit } from "./scheduled-audits.tsx";
import { enterpriseHref, type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/enterprises/:e/audit";
const REBUILD_PATH = "/operator/enterprises/:e/rebuild";
const COPY_CHECK = "copy_equals_ledger";
const COLUMNS: readonly Column[] = [{ title: "Check" }, { title: "Result" }, { title: "What was found" }];

type Audit = { checkedAtMs: number; checks: AuditCheck[] };

export const enterpriseAudit = new Hono<OperatorEnv>()
  .get(PATH, (c) => auditPage(c, null))
  .post(PATH, async (c) => {
    if (await isCostly(c)) return operatorProblem(c, "rate_limited");
    const audit = await enterpriseStub(c.env, c.var.state.identity.id).audit();
    return isRefusal(audit) ? operatorProblem(c, "not_found") : auditPage(c, audit);
  })
  .get(REBUILD_PATH, (c) => {
    const { id } = c.var.state.identity;
    return enterprisePage(
      c,
      "audit",
      <Question
        title="Rebuild the copy?"
        action={enterpriseHref(id, "rebuild")}
        confirm="Delete the copy and write it anew"
        back={tabHref(id, "audit")}
      >
        All that D1 has of this enterprise is deleted and written anew from its ledger. Until that is done, charts,
        tables and lists lack rows; balances and debits are untouched.
      </Question>,
    );
  })
  .post(REBUILD_PATH, async (c) => {
    if (await isCostly(c)) return operatorProblem(c, "rate_limited");
    const done = await rebuild(c);
    return done === null ? operatorProblem(c, "not_found") : c.redirect(doneHref(c.var.state, "audit", done), 303);
  });

async function rebuild(c: OperatorContext): Promise<"rebuilt" | "owed" | null> {
  try {
    return isRefusal(await enterpriseStub(c.env, c.var.state.identity.id).rebuild()) ? null : "rebuilt";
  } catch (error) {
    if (!isCopyError(error)) throw error;
    console.error(JSON.stringify({ event: "rebuild_failed", error: String(error) }));
    return "owed";
  }
}

function isCostly(c: OperatorContext): Promise<boolean> {
  return isOver(c.env, "LIMIT_COSTLY", `${c.req.path} operator`);
}

async function auditPage(c: OperatorContext, audit: Audit | null) {
  const { id } = c.var.state.identity;
  const note = await readBlock("last audit", () => catalogOf(c.env).lastAudit(id));
  const children = (
    <>
      <section class="card table" aria-labelledby="audit-title">
        <div class="head">
          <h2 id="audit-title">Audit</h2>
          <form method="post" action={tabHref(id, "audit")} data-once>
            <button class="button plain" type="submit">
              Run the audit
            </button>
          </form>
        </div>
        {audit === null ? (
          <p class="muted">
            Recomputes the books of this enterprise from their rows, and compares every row of the copy in D1 with them.
            It changes nothing.
          </p>
        ) : (
          <Result audit={audit} />
        )}
        <LastAudit note={note} />
      </section>
      <section class="card" aria-labelledby="rebuild-title">
        <h2 id="rebuild-title">Copy</h2>
        <p>
          Charts, tables and lists are read from a copy in D1. It can be deleted and written anew from the ledger, which
          mends a failed <code>{COPY_CHECK}</code>.
        </p>
        <p class="buttons">
          <a class="button plain" href={enterpriseHref(id, "rebuild")}>
            Rebuild the copy
          </a>
        </p>
      </section>
    </>
  );
  return enterprisePage(c, "audit", children);
}

const Result: FC<{ audit: Audit }> = ({ audit: { checks, checkedAtMs } }) => {
  const failed = checks.filter(({ ok }) => !ok);
  return (
    <>
      {failed.length === 0 ? (
        <p id="notice" class="notice saved" data-announce="status">
          All is right: {checks.length} of {checks.length} checks hold.
        </p>
      ) : (
        <p id="notice" class="notice invalid" data-announce="alert">
          {failed.length} of {checks.length} checks failed: {failed.map(({ name }) => name).join(", ")}.
          {failed.every(({ name }) => name === COPY_CHECK) && " Only the copy is wrong: rebuild it."}
        </p>
      )}
      <Table
        id="rows-audit"
        caption={`Checked ${formatUtc(checkedAtMs)} UTC by the enterprise's clock`}
        columns={COLUMNS}
        empty="Nothing was checked."
      >
        {checks.map(({ name, ok, detail }) => (
          <Row
            columns={COLUMNS}
            cells={[
              <code>{name}</code>,
              <span class={`badge ${ok ? "ok" : "critical"}`}>{ok ? "Right" : "Wrong"}</span>,
              <span class="name">{detail}</span>,
            ]}
          />
        ))}
      </Table>
    </>
  );
};
