/**
 * The way from the Worker to an enterprise's object: a new stub for each call, because a stub that failed stays broken.
 */
import type { EnterpriseObject } from "./object.ts";

export function enterpriseObject(env: Env, enterprise: string): DurableObjectStub<EnterpriseObject> {
  return env.ENTERPRISE.getByName(enterprise);
}
