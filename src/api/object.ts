/** The way from a route to the object of its path's enterprise. */
import type { Context } from "hono";
import type { EnterpriseObject } from "../enterprise/object.ts";
import { enterpriseObject } from "../enterprise/stub.ts";
import type { ApiEnv } from "./auth.ts";

export function objectOf(c: Context<ApiEnv>): DurableObjectStub<EnterpriseObject> {
  return enterpriseObject(c.env, c.var.enterprise);
}
