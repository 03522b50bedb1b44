/** Takes an enterprise back to an earlier moment. This release has no such restore and says so. */
import type { Denied } from "../access/refusals.ts";
import type { Address } from "../catalog/addresses.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import type { AtMs } from "../ledger/time.ts";
import { enterpriseStub } from "./enterprise-stub.ts";

/** Returns the job that restores the enterprise to what it was at this moment. */
export async function restoreEnterprise(
  env: Env,
  address: Address,
  _atMs: AtMs,
): Promise<{ job: string } | Refused | Denied> {
  const state = await enterpriseStub(env, address).state({ kind: "operator" });
  return isRefusal(state) ? state : refuse({ code: "not_supported" });
}
