/**
 * The scheduled reconciliation: enterprises are audited in turn, those first that were not for the longest time. What
 * differs is told, in a line of the log and in the catalog, and left as it is: a wrong balance needs a person; and a copy
 * that is wrong may be wrong again tomorrow, so its traces must not be rebuilt away before somebody has seen them.
 */
import { type AuditNote, catalogOf } from "../catalog/object.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "./enterprise-stub.ts";

const ENTERPRISES_A_TURN = 20;
/** Nothing is begun after so long: the next turn comes soon. */
const TURN_MS = 60_000;

/** One turn; how many enterprises were looked at, and how many of them are not as they should be. */
export async function reconcile(env: Env): Promise<{ audited: number; wrong: number }> {
  const startedMs = Date.now();
  const catalog = catalogOf(env);
  const turn = { audited: 0, wrong: 0 };
  for (const id of await catalog.nextToAudit(ENTERPRISES_A_TURN)) {
    if (Date.now() - startedMs > TURN_MS) break;
    const note = await auditOf(env, id);
    await catalog.noteAudit(id, note);
    turn.audited += 1;
    if (note.state === "ok") continue;
    turn.wrong += 1;
    console.error(JSON.stringify({ event: `audit_${note.state}`, enterprise: id, detail: note.detail }));
  }
  console.log(JSON.stringify({ event: "reconciled", ...turn, ms: Date.now() - startedMs }));
  return turn;
}

async function auditOf(env: Env, id: string): Promise<AuditNote> {
  const checkedAtMs = Date.now();
  try {
    const audit = await enterpriseStub(env, id).auditIfQuick();
    // Noted before it was made, and then never made.
    if (isRefusal(audit)) return { state: "ok", checkedAtMs, detail: "there is no such enterprise" };
    if ("tooLarge" in audit) return { state: "too_large", checkedAtMs, detail: "audit it by hand, at a quiet hour" };
    const faults = audit.checks.filter(({ ok }) => !ok).map(({ name, detail }) => `${name}: ${detail}`);
    return { state: faults.length === 0 ? "ok" : "drift", checkedAtMs, detail: faults.join("; ") };
  } catch (error) {
    return { state: "failed", checkedAtMs, detail: String(error) };
  }
}
