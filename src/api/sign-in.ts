/**
 * The operator's routes to give people access. One makes a link that signs a browser in, once. The other makes a
 * short-lived token for the usage bar, which works on one origin only.
 */
import { makeSignInLink } from "../access/sign-in-link.ts";
import { mintToken } from "../access/tokens.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { id } from "../wire/fields.ts";
import { newSession, role } from "../wire/sign-in.ts";
import { formatIso } from "../wire/time.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

const origin = z
  .string()
  .refine(
    (text) => /^https?:/.test(text) && URL.canParse(text) && new URL(text).origin === text,
    "must be an origin such as https://editor.example",
  )
  .openapi({ type: "string", example: "https://editor.example" });

const embedSchema = z
  .strictObject({ user: id, role, origin, ttl_seconds: z.int().min(1).max(3_600).default(900) })
  .openapi("NewEmbedToken");

export const signInRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "post",
        path: "/v1/enterprises/{e}/sessions",
        name: "makeSignInLink",
        summary: "Make a sign-in link",
        details:
          "The link works once, within 5 minutes. It opens a page with one button. Pressing the button uses up the link and signs the browser in for 12 hours.",
        tag: "Operator",
        access: { scope: "operator" },
        answers: {
          201: { description: "The link", schema: z.object({ url: z.url(), expires_at: z.iso.datetime() }) },
        },
      }),
      request: {
        params: inEnterprise,
        body: body(newSession, { user: "ada", role: "admin" }),
      },
    }),
    async (c) => {
      const known = await enterpriseStub(c.env, c.var.enterprise).gauge(c.var.caller);
      if (isRefusal(known)) return refused(c, known.refusal);
      const who = { ...c.req.valid("json"), enterprise: c.var.enterprise };
      const { url, expiresAtMs } = await makeSignInLink(c.env.SIGNING_SECRET, c.req.url, who);
      return c.json({ url, expires_at: formatIso(expiresAtMs) }, 201);
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "post",
        path: "/v1/enterprises/{e}/embed-tokens",
        name: "makeEmbedToken",
        summary: "Make a token for the usage bar",
        details: "The token works on pages of `origin` only, for `ttl_seconds` (900 by default, at most 3,600).",
        tag: "Operator",
        access: { scope: "operator" },
        answers: {
          201: { description: "The token", schema: z.object({ token: z.string(), expires_at: z.iso.datetime() }) },
        },
      }),
      request: {
        params: inEnterprise,
        body: body(embedSchema, { user: "ada", role: "member", origin: "https://editor.example" }),
      },
    }),
    async (c) => {
      const known = await enterpriseStub(c.env, c.var.enterprise).state(c.var.caller);
      if (isRefusal(known)) return refused(c, known.refusal);
      const { ttl_seconds, ...who } = c.req.valid("json");
      const expiresAtMs = Date.now() + ttl_seconds * 1000;
      // The usage bar offers the invitation from 50% usage on, even if no alert in the gauge links to it. `href` is
      // ASCII, because the bar decodes the token with atob().
      const { referralUrl } = known.settings;
      const inviteUrl = referralUrl === null ? null : new URL(referralUrl).href;
      const claims = {
        ...who,
        inviteUrl,
        enterprise: c.var.enterprise,
        id: crypto.randomUUID(),
        kind: "embed" as const,
      };
      const token = await mintToken(c.env.SIGNING_SECRET, { ...claims, expiresAtMs });
      return c.json({ token, expires_at: formatIso(expiresAtMs) }, 201);
    },
  );
