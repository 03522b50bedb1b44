/**
 * The operator's routes to give people access, and to end it. One makes a link that signs a browser in, once. One makes
 * a short-lived token for the usage bar, which works on one origin only. One signs a person out everywhere.
 */
import { signingSecret } from "../access/secrets.ts";
import { mintToken } from "../access/tokens.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { issueToken, makeLink } from "../operations/sign-in.ts";
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
          "The link works once, within 5 minutes. It opens a page with one button. Pressing the button uses up the link and signs the browser in for 12 hours. A link for a member ends the role `admin` in older sessions and links of the same person.",
        tag: "Operator",
        access: { scope: "operator", operatorScopes: ["sessions"] },
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
      const link = await makeLink(c.env, c.req.url, c.var.address, c.req.valid("json"));
      if (isRefusal(link)) return refused(c, link.refusal);
      const { url, expiresAtMs } = link;
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
        access: { scope: "operator", operatorScopes: ["sessions"] },
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
      const { ttl_seconds, ...who } = c.req.valid("json");
      const known = await issueToken(c.env, c.var.address, { ...who, kind: "embed" });
      if (isRefusal(known)) return refused(c, known.refusal);
      const expiresAtMs = Date.now() + ttl_seconds * 1000;
      // The usage bar offers the invitation from 50% usage on, even if no alert in the gauge links to it. `href` is
      // ASCII, because the bar decodes the token with atob().
      // An object of the last release does not send the links.
      const { referralUrl } = known.links ?? known.settings;
      const inviteUrl = referralUrl === null ? null : new URL(referralUrl).href;
      const claims = {
        ...who,
        inviteUrl,
        enterprise: c.var.enterprise,
        region: c.var.address.region,
        issuedAtMs: known.issuedAtMs,
        id: crypto.randomUUID(),
        kind: "embed" as const,
      };
      const token = await mintToken(signingSecret(c.env), { ...claims, expiresAtMs });
      return c.json({ token, expires_at: formatIso(expiresAtMs) }, 201);
    },
  )
  .openapi(
    createRoute({
      ...declare({
        method: "post",
        path: "/v1/enterprises/{e}/users/{user}/sign-out",
        name: "signOutUser",
        summary: "Sign a person out everywhere",
        details:
          "Ends all sessions, unused sign-in links and embed tokens of this person that were made before now, and closes their sockets with code 4401. Call this when a person leaves or loses the role `admin`.",
        empty: true,
        tag: "Operator",
        access: { scope: "operator", operatorScopes: ["sessions"] },
        answers: { 204: { description: "Signed out" } },
      }),
      request: {
        params: inEnterprise.extend({
          user: id.openapi({
            example: "ada",
            param: { name: "user", in: "path", description: "The person's id. Percent-encode a `/` in it." },
          }),
        }),
      },
    }),
    async (c) => {
      const ended = await enterpriseStub(c.env, c.var.address).signOutPerson(c.req.valid("param").user);
      return isRefusal(ended) ? refused(c, ended.refusal) : c.body(null, 204);
    },
  );
