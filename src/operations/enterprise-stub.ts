/**
 * How the Worker reaches an enterprise's object. Callers ask for a new stub for each call, because a stub stays broken
 * once a call through it has failed.
 */
import type { EnterpriseObject } from "../enterprise/object.ts";

export function enterpriseStub(env: Env, enterprise: string): DurableObjectStub<EnterpriseObject> {
  return env.ENTERPRISE.getByName(enterprise);
}
