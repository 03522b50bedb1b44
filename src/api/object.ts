/**
 * The way from a route to an enterprise's object: a new stub for each call, because a stub that failed stays broken.
 */
import type { Context } from "hono";
import type { EnterpriseObject } from "../enterprise/object.ts";
import type { ApiEnv } from "./auth.ts";

/** The object of the path's enterprise. */
export function objectOf(c: Context<ApiEnv>): DurableObjectStub<EnterpriseObject> {
  return enterpriseObject(c.env, c.var.enterprise);
}

export function enterpriseObject(env: Env, enterprise: string): DurableObjectStub<EnterpriseObject> {
  return env.ENTERPRISE.getByName(enterprise);
}
