/**
 * The scheduled reconciliation: audits enterprises in turn, starting with the one whose last audit is oldest. It logs a
 * difference and notes it in the catalog, but changes nothing: a wrong balance needs a person, and a rebuild of a wrong
 * copy would delete the evidence of its cause.
 */
import { type AuditNote, catalogOf } from "../catalog/object.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "./enterprise-stub.ts";

const ENTERPRISES_PER_RUN = 20;
/** No audit starts later than this after the start of a run: the next run follows soon. */
const MAX_RUN_MS = 60_000;

/** One run; returns how many enterprises were audited, and for how many of them the audit did not pass. */
export async function reconcile(env: Env): Promise<{ audited: number; wrong: number }> {
  const startedMs = Date.now();
  const catalog = catalogOf(env);
  const counts = { audited: 0, wrong: 0 };
  for (const id of await catalog.nextToAudit(ENTERPRISES_PER_RUN)) {
    if (Date.now() - startedMs > MAX_RUN_MS) break;
    const note = await auditOf(env, id);
    await catalog.noteAudit(id, note);
    counts.audited += 1;
    if (note.state === "ok") continue;
    counts.wrong += 1;
    console.error(JSON.stringify({ event: `audit_${note.state}`, enterprise: id, detail: note.detail }));
  }
  console.log(JSON.stringify({ event: "reconciled", ...counts, ms: Date.now() - startedMs }));
  return counts;
}

async function auditOf(env: Env, id: string): Promise<AuditNote> {
  const checkedAtMs = Date.now();
  try {
    const audit = await enterpriseStub(env, id).auditIfQuick();
    // It was listed before it was created, and then never created.
    if (isRefusal(audit)) return { state: "ok", checkedAtMs, detail: "the enterprise does not exist" };
    if ("tooLarge" in audit) return { state: "too_large", checkedAtMs, detail: "audit it by hand, at a quiet hour" };
    const faults = audit.checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
    return { state: faults.length === 0 ? "ok" : "drift", checkedAtMs, detail: faults.join("; ") };
  } catch (error) {
    return { state: "failed", checkedAtMs, detail: String(error) };
  }
}
