/**
 * Runs the scheduled reconciliation. It audits some enterprises: first those never audited, then those with the oldest
 * audits. It logs differences and records them in the catalog, but fixes nothing. A wrong balance needs a person, and
 * rebuilding a wrong copy would delete the evidence of the cause.
 */
import { type AuditNote, catalogOf } from "../catalog/object.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "./enterprise-stub.ts";

const ENTERPRISES_PER_RUN = 20;
/** After this time a run starts no further audit. The next run continues. */
const MAX_RUN_MS = 60_000;

/** Runs the reconciliation once. Returns how many enterprises it audited, and how many of them did not pass. */
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
    // The enterprise was added to the list, but then never created.
    if (isRefusal(audit)) return { state: "ok", checkedAtMs, detail: "the enterprise does not exist" };
    if ("tooLarge" in audit) return { state: "too_large", checkedAtMs, detail: "audit it by hand, at a quiet hour" };
    const faults = audit.checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
    return { state: faults.length === 0 ? "ok" : "drift", checkedAtMs, detail: faults.join("; ") };
  } catch (error) {
    return { state: "failed", checkedAtMs, detail: String(error) };
  }
}
