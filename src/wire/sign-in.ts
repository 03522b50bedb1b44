/** The request that makes a sign-in link. */
import { z } from "@hono/zod-openapi";
import { ROLES } from "../access/callers.ts";
import { id } from "./fields.ts";

export const role = z.enum(ROLES);
export const newSession = z.strictObject({ user: id, role }).openapi("NewSession");
