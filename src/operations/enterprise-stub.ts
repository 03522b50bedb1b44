/** How the Worker reaches an enterprise's Durable Object. */
import { type Address, findAddress, objectAt } from "../catalog/addresses.ts";
import type { EnterpriseObject } from "../enterprise/object.ts";
import type { LocationHint } from "../ledger/regions.ts";
import { isWorthRetrying } from "../wire/transient.ts";

/**
 * Returns a stub for one call: get a new stub for each call, because a stub stays broken after a call fails.
 * @param address from the caller's claims (a key, a session, a token or a link), or from the catalog
 */
export function enterpriseStub(
  env: Env,
  address: Address,
  hint: LocationHint | null = null,
): DurableObjectStub<EnterpriseObject> {
  return objectAt(env, address, hint);
}

/**
 * Calls an enterprise's object, and once more with a new stub if the platform says that the call may be retried. The
 * object may have done what the first call asked for, so use this only for calls that may be repeated.
 */
export async function callEnterprise<T>(
  env: Env,
  address: Address,
  call: (stub: DurableObjectStub<EnterpriseObject>) => Promise<T>,
): Promise<T> {
  try {
    return await call(enterpriseStub(env, address));
  } catch (error) {
    if (!isWorthRetrying(error)) throw error;
    return call(enterpriseStub(env, address));
  }
}

/** Returns a stub for one call by the operator or a schedule; null if no such enterprise was ever created. */
export async function findEnterprise(env: Env, id: string): Promise<DurableObjectStub<EnterpriseObject> | null> {
  const address = await findAddress(env, id);
  return address === null ? null : enterpriseStub(env, address);
}
