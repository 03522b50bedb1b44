/**
 * Returns the stub that the Worker uses to call an enterprise's Durable Object. Get a new stub for each call, because a
 * stub stays broken after a call fails.
 */
import type { EnterpriseObject } from "../enterprise/object.ts";

export function enterpriseStub(env: Env, enterprise: string): DurableObjectStub<EnterpriseObject> {
  return env.ENTERPRISE.getByName(enterprise);
}
