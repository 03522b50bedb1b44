/** The request that makes a key. */
import { z } from "@hono/zod-openapi";
import { SCOPES } from "../access/callers.ts";
import { label, orNull, time } from "./fields.ts";

export const newKey = z
  .strictObject({
    name: label(200),
    scopes: z
      .array(z.enum(SCOPES))
      .min(1, "must name a scope")
      .refine((scopes) => new Set(scopes).size === scopes.length, "must not name a scope twice"),
    expires_at: orNull(time, "string").optional(),
  })
  .openapi("NewKey");

export type NewKeyRequest = z.infer<typeof newKey>;
