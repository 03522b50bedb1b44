/**
 * Deletes an enterprise. The catalog records the deletion before anything is deleted, and continues it whatever fails.
 * The first part of it runs within the call, so that keys and sessions have stopped when the call is answered.
 */
import { OPERATOR } from "../access/callers.ts";
import type { Denied } from "../access/refusals.ts";
import type { Address } from "../catalog/addresses.ts";
import { catalogOf } from "../catalog/object.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import { enterpriseStub } from "./enterprise-stub.ts";

export async function deleteEnterprise(env: Env, address: Address): Promise<{ job: string } | Refused | Denied> {
  const { enterprise } = address;
  const stub = enterpriseStub(env, address);
  const state = await stub.state(OPERATOR);
  if (isRefusal(state)) return state;
  const begun = await catalogOf(env).beginDeletion(enterprise, stub.id.toString());
  if (begun === null) return refuse({ code: "not_found" });
  if (isRefusal(begun)) return begun;
  try {
    await enterpriseStub(env, address).deleteStep(enterprise);
  } catch (error) {
    console.error(JSON.stringify({ event: "deletion_failed", enterprise, failures: 1, error: String(error) }));
  }
  return begun;
}

/** Whether an enterprise with this id was deleted less than 35 days ago. */
export async function isDeleted(env: Env, enterprise: string): Promise<boolean> {
  return catalogOf(env).isDeleted(enterprise);
}
