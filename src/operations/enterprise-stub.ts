/**
 * Gets the stub with which the Worker calls an enterprise's object. Get a new one for each call: after a call fails,
 * its stub stays broken.
 */
import type { EnterpriseObject } from "../enterprise/object.ts";

export function enterpriseStub(env: Env, enterprise: string): DurableObjectStub<EnterpriseObject> {
  return env.ENTERPRISE.getByName(enterprise);
}
