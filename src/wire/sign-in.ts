/** The requests that make a sign-in link, and a token for the usage bar. */
import { z } from "@hono/zod-openapi";
import { ROLES } from "../access/callers.ts";
import { id } from "./fields.ts";

const role = z.enum(ROLES);
/** Longer than any name of DNS with its scheme and port. */
const MAX_ORIGIN_CHARS = 300;
const origin = z
  .string()
  .max(MAX_ORIGIN_CHARS)
  .refine(
    (text) => /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text,
    "must be an origin such as https://editor.example",
  )
  .openapi({ type: "string", example: "https://editor.example" });

export const newEmbedToken = z
  .strictObject({ user: id, role, origin, ttl_seconds: z.int().min(1).max(3_600).default(900) })
  .openapi("NewEmbedToken");

export const newSession = z.strictObject({ user: id, role }).openapi("NewSession");
