/**
 * Takes an enterprise back to an earlier moment. The catalog lists it first, and continues the restore whatever fails. The
 * object refuses calls as soon as the catalog's alarm has reached it.
 */
import type { Denied } from "../access/refusals.ts";
import type { Address } from "../catalog/addresses.ts";
import { catalogOf } from "../catalog/object.ts";
import { noteRestoring } from "../catalog/restoring.ts";
import type { By } from "../ledger/entries.ts";
import { type Refused, refuse } from "../ledger/refusals.ts";
import type { AtMs } from "../ledger/time.ts";
import { enterpriseStub } from "./enterprise-stub.ts";

export async function restoreEnterprise(
  env: Env,
  address: Address,
  atMs: AtMs,
  by: By,
): Promise<{ job: string } | Refused | Denied> {
  const { enterprise } = address;
  const stub = enterpriseStub(env, address);
  const refused = await stub.checkRestore(atMs);
  if (refused !== null) return refused;
  const begun = await catalogOf(env).beginRestore(enterprise, stub.id.toString(), atMs, by);
  if (begun === null) return refuse({ code: "not_found" });
  noteRestoring(enterprise);
  return begun;
}
