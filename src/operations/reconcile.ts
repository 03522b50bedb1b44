/**
 * Runs the scheduled reconciliation. It audits some enterprises: first those never audited, then those with the oldest
 * audits. It logs differences and records them in the catalog, but fixes nothing. A wrong balance needs a person, and
 * rebuilding a wrong copy would delete the evidence of the cause.
 */
import type { AuditNote } from "../catalog/audit-records.ts";
import { catalogOf } from "../catalog/object.ts";
import { isRefusal, refuse } from "../ledger/refusals.ts";
import { findEnterprise } from "./enterprise-stub.ts";

const ENTERPRISES_PER_RUN = 20;
/** After this time a run starts no further audit. The next run continues. */
const MAX_RUN_MS = 60_000;
/** An object that has not responded after this time counts as failed, so that it does not hold up the others. */
const MAX_AUDIT_MS = 30_000;
/** A large audit takes longer than a run. A later run fetches its result, if it is not older than this. */
const MAX_AGE_MS = 3_600_000;

/** Runs the reconciliation once. Returns how many enterprises it audited, and how many of them did not pass. */
export async function reconcile(env: Env): Promise<{ audited: number; wrong: number }> {
  const startedMs = Date.now();
  const catalog = catalogOf(env);
  const counts = { audited: 0, wrong: 0 };
  for (const id of await catalog.nextToAudit(ENTERPRISES_PER_RUN)) {
    if (Date.now() - startedMs > MAX_RUN_MS) break;
    counts.audited += 1;
    const note = await auditOf(env, id);
    if (note === null) continue;
    await catalog.noteAudit(id, note);
    if (note.state === "ok") continue;
    counts.wrong += 1;
    console.error(JSON.stringify({ event: `audit_${note.state}`, enterprise: id, detail: note.detail }));
  }
  console.log(JSON.stringify({ event: "reconciled", ...counts, ms: Date.now() - startedMs }));
  return counts;
}

/** Returns the result of an enterprise's audit; null while a large audit runs. */
async function auditOf(env: Env, id: string): Promise<AuditNote | null> {
  const checkedAtMs = Date.now();
  try {
    const audit = await within(MAX_AUDIT_MS, async () => {
      const stub = await findEnterprise(env, id);
      return stub === null ? refuse({ code: "not_found" }) : stub.audit({ sliced: true, maxAgeMs: MAX_AGE_MS });
    });
    // The enterprise was added to the list, but then never created.
    if (isRefusal(audit)) return { state: "ok", checkedAtMs, detail: "the enterprise does not exist" };
    if ("job" in audit) {
      return audit.failing === undefined ? null : { state: "failed", checkedAtMs, detail: audit.failing };
    }
    const failed = audit.checks.filter(({ ok }) => !ok);
    const detail = failed.map((check) => `${check.name}: ${check.detail}`).join("; ");
    if (failed.length === 0) return { state: "ok", checkedAtMs, detail };
    // If only the copy failed, and that because D1 could not be read, nothing is known to be wrong.
    const unread = audit.copyUnreadable === true && failed.length === 1;
    return { state: unread ? "unreadable" : "drift", checkedAtMs, detail };
  } catch (error) {
    return { state: "failed", checkedAtMs, detail: String(error) };
  }
}

async function within<T>(limitMs: number, call: () => Promise<T>): Promise<T> {
  let cancel = () => {};
  const timeout = new Promise<never>((_, reject) => {
    const timer = setTimeout(() => reject(new Error(`the object has not responded within ${limitMs} ms`)), limitMs);
    cancel = () => clearTimeout(timer);
  });
  try {
    return await Promise.race([call(), timeout]);
  } finally {
    cancel();
  }
}
