/**
 * How the Worker calls an enterprise's object. Get a new stub for each call: once a call through a stub has failed, the
 * stub stays broken.
 */
import type { EnterpriseObject } from "../enterprise/object.ts";

export function enterpriseStub(env: Env, enterprise: string): DurableObjectStub<EnterpriseObject> {
  return env.ENTERPRISE.getByName(enterprise);
}
