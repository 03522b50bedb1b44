/** Whom a sign-in link is for. */
import { z } from "@hono/zod-openapi";
import { id } from "./fields.ts";

export const role = z.enum(["admin", "member"]);
export const newSession = z.strictObject({ user: id, role }).openapi("NewSession");
