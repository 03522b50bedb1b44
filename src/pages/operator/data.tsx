/**
 * The data of an enterprise as a whole: export, import of history, erasing a person, its copy, restoring, and deleting. What
 * cannot be undone is confirmed on its own page, and long work leads to the page of its job.
 */
import { Hono } from "hono";
import { byOf } from "../../access/callers.ts";
import { catalogOf } from "../../catalog/object.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { jurisdictionOf } from "../../ledger/regions.ts";
import { deleteEnterprise } from "../../operations/delete-enterprise.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { exportRows } from "../../operations/export.ts";
import { importPortions } from "../../operations/import-history.ts";
import { restoreEnterprise } from "../../operations/restore.ts";
import { shardsFor } from "../../operations/shards.ts";
import { decodeExportCursor, EXPORT_KINDS } from "../../wire/export.ts";
import { id as idField, time } from "../../wire/fields.ts";
import { problemOfRefusal } from "../../wire/problems.ts";
import { Question } from "../kit/dialogs.tsx";
import { errorsOfRefusal, type Form, hasErrors, readForm, readTextFile } from "../kit/form.tsx";
import { countOf } from "../kit/format.ts";
import { readBlock } from "../kit/read-block.ts";
import {
  CopyCard,
  DeleteCard,
  EraseCard,
  ExportCard,
  type Forms,
  ImportCard,
  NO_FORMS,
  RestoreCard,
} from "./data-view.tsx";
import { enterprisePage, tabHref } from "./enterprise-page.tsx";
import { formatUtc } from "./frame.tsx";
import { parseHistoryFile, rowFault } from "./history-file.ts";
import { jobHref } from "./jobs.tsx";
import { parseUtcField } from "./parse-fields.ts";
import { enterpriseHref, type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/enterprises/:e";
/** A file must not need more calls than one request may make; a page of an export has 500 rows. */
const MAX_EXPORTED_ROWS = 200_000;

export const enterpriseData = new Hono<OperatorEnv>()
  .get(`${PATH}/data`, (c) => dataPage(c, {}))
  .get(`${PATH}/export`, async (c) => {
    const kind = EXPORT_KINDS.find((known) => known === c.req.query("kind"));
    const after = (c.req.query("after") ?? "").trim();
    const cursor = after === "" ? null : decodeExportCursor(after);
    const isWrong = after !== "" && (cursor === null || cursor.kind !== kind);
    if (kind === undefined || isWrong)
      return exportRefused(c, kind ?? "", after, "This is not the `next` of such a file.");
    const { id } = c.var.state.identity;
    const exported = await exportRows(c.env, c.var.address, { kind, cursor, maxRows: MAX_EXPORTED_ROWS });
    if (isRefusal(exported)) return exportRefused(c, kind, after, problemOfRefusal(exported.refusal).detail);
    const name = `${id}-${kind}.ndjson`.replaceAll(/[^\w.-]/g, "_");
    return c.body(exported, 200, {
      "Content-Type": "application/x-ndjson; charset=utf-8",
      "Content-Disposition": `attachment; filename="${name}"`,
    });
  })
  .post(`${PATH}/import`, async (c) => {
    const values = await readForm(c);
    const refuse = (fault: string) => dataPage(c, { import: { values, errors: { file: fault } } });
    const text = await readTextFile(c, "file");
    if (text === null) return refuse("Choose a file.");
    const parsed = parseHistoryFile(text, values.unit === "usd" ? "usd" : "credits");
    if ("fault" in parsed) return refuse(parsed.fault);
    const { rows, refusal } = await importPortions(c.env, c.var.address, parsed.portions);
    if (refusal === null) {
      return dataPage(c, {}, `${countOf(rows, "row")} imported. Charts and tables show them within seconds.`);
    }
    const fault =
      refusal.code === "validation_failed" ? rowFault(refusal.errors, rows) : problemOfRefusal(refusal).detail;
    const kept = rows === 0 ? "" : ` The ${countOf(rows, "row")} before it were imported; you can send them again.`;
    return refuse(fault + kept);
  })
  .post(`${PATH}/erase`, async (c) => {
    const values = await readForm(c);
    const user = idField.safeParse((values.erased_user ?? "").trim());
    if (!user.success) {
      const [issue] = user.error.issues;
      const errors = errorsOfRefusal(
        { code: "validation_failed", errors: [{ path: "erased_user", message: issue?.message ?? "" }] },
        "erased_user",
      );
      return dataPage(c, { erase: { values, errors } });
    }
    const { id } = c.var.state.identity;
    if (values.confirmed !== "yes") {
      return enterprisePage(
        c,
        "data",
        <Question
          title="Erase this person?"
          action={enterpriseHref(id, "erase")}
          confirm="Erase the person"
          back={tabHref(id, "data")}
          values={{ erased_user: user.data }}
        >
          Everything that names <strong class="name">{user.data}</strong> gets a random name instead, and their
          sessions, links and tokens end. Sums stay. This cannot be undone. Run, workspace and group ids and free text
          are not searched.
        </Question>,
      );
    }
    const erased = await enterpriseStub(c.env, c.var.address).eraseUser(user.data, byOf(c.var.caller));
    return isRefusal(erased) ? operatorProblem(c, "not_found") : c.redirect(jobHref(erased.job), 303);
  })
  .post(`${PATH}/move-copy`, async (c) => {
    const values = await readForm(c);
    const refuse = (errors: Form["errors"]) => dataPage(c, { move: { values, errors } });
    const shard = shardsOf(c).find((known) => known === values.shard);
    if (shard === undefined) return refuse({ shard: "Choose one of the databases." });
    const moved = await enterpriseStub(c.env, c.var.address).moveCopy(shard);
    if (isRefusal(moved)) return refuse(errorsOfRefusal(moved.refusal, "shard"));
    return c.redirect(jobHref(moved.job), 303);
  })
  .post(`${PATH}/restore`, async (c) => {
    const values = await readForm(c);
    const refuse = (fault: string) => dataPage(c, { restore: { values, errors: { at: fault } } });
    const at = time.safeParse(parseUtcField(values.at ?? "") ?? "");
    if (!at.success) return refuse("Enter a time of the last 30 days, in UTC.");
    const { id } = c.var.state.identity;
    if (values.confirmed !== "yes") {
      return enterprisePage(
        c,
        "data",
        <Question
          title="Restore this enterprise?"
          action={enterpriseHref(id, "restore")}
          confirm="Restore it"
          back={tabHref(id, "data")}
          values={{ at: values.at ?? "" }}
        >
          It becomes what it was on {formatUtc(at.data)} UTC. Debits, grants, caps, budgets and settings since then are
          undone. Revoked keys, sign-outs and erased persons stay so. Until it is done, every call is answered with 503.
        </Question>,
      );
    }
    const restored = await restoreEnterprise(c.env, c.var.address, at.data, byOf(c.var.caller));
    if (!isRefusal(restored)) return c.redirect(jobHref(restored.job), 303);
    const { refusal } = restored;
    if (refusal.code === "validation_failed") return refuse(errorsOfRefusal(refusal, "at").at ?? "This time is wrong.");
    const { detail, status, code } = problemOfRefusal(refusal);
    return dataPage(c, { restore: { values, errors: { at: `${detail} (${status} ${code})` } } });
  })
  .get(`${PATH}/delete`, (c) => deletePage(c, { values: {}, errors: {} }))
  .post(`${PATH}/delete`, async (c) => {
    const values = await readForm(c);
    if ((values.confirm ?? "").trim() !== c.var.state.identity.id) {
      return deletePage(c, { values, errors: { confirm: "This is not the enterprise's id. Nothing was deleted." } });
    }
    const deleted = await deleteEnterprise(c.env, c.var.address);
    return isRefusal(deleted) ? operatorProblem(c, "not_found") : c.redirect(jobHref(deleted.job), 303);
  });

function exportRefused(c: OperatorContext, kind: string, after: string, fault: string) {
  return dataPage(c, { export: { values: { kind, after }, errors: { after: fault } } });
}

function shardsOf(c: OperatorContext): string[] {
  return shardsFor(c.env, jurisdictionOf(c.var.address.region));
}

function deletePage(c: OperatorContext, form: Form) {
  const { id } = c.var.state.identity;
  return enterprisePage(
    c,
    "data",
    <Question
      title="Delete this enterprise?"
      action={enterpriseHref(id, "delete")}
      confirm="Delete it for good"
      back={tabHref(id, "data")}
      typed={{ form, name: "confirm", label: `Type its id, ${id}, to delete it` }}
    >
      Its ledger, its copy, its keys and its history are deleted. Keys, links and sessions stop with the next request.
      Nobody can undo this, and the id cannot be used again for 35 days.
    </Question>,
    hasErrors(form) ? 422 : 200,
  );
}

async function dataPage(c: OperatorContext, sent: Partial<Forms>, done: string | null = null) {
  const place = await readBlock("place", () => catalogOf(c.env).placeOf(c.var.state.identity.id));
  const forms = { ...NO_FORMS, ...sent };
  const { id } = c.var.state.identity;
  const children = (
    <>
      {done !== null && (
        <p id="notice" class="notice saved" data-announce="status">
          {done}
        </p>
      )}
      <div class="pair">
        <ExportCard id={id} form={forms.export} />
        <ImportCard id={id} form={forms.import} />
        <EraseCard id={id} form={forms.erase} />
        <CopyCard id={id} form={forms.move} shard={place?.shard ?? null} shards={shardsOf(c)} />
        <RestoreCard id={id} form={forms.restore} />
        <DeleteCard id={id} />
      </div>
    </>
  );
  return enterprisePage(c, "data", children, Object.values(forms).some(hasErrors) ? 422 : 200);
}
