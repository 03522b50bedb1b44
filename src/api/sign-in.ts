/**
 * The operator's routes to give people access, and to end it. One makes a link that signs a browser in, once. One makes
 * a short-lived token for the usage bar, which works on one origin only. One signs a person out everywhere.
 */
import { isRefusal } from "../ledger/refusals.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { makeEmbedToken, makeLink } from "../operations/sign-in.ts";
import { newEmbedToken, newSession } from "../wire/sign-in.ts";
import { formatIso } from "../wire/time.ts";
import { refused } from "./problem.ts";
import { aboutUser, body, createRoute, declare, inEnterprise, newRouter, z } from "./route.ts";

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
        body: body(newEmbedToken, { user: "ada", role: "member", origin: "https://editor.example" }),
      },
    }),
    async (c) => {
      const made = await makeEmbedToken(c.env, c.var.address, c.req.valid("json"));
      if (isRefusal(made)) return refused(c, made.refusal);
      return c.json({ token: made.token, expires_at: formatIso(made.expiresAtMs) }, 201);
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
      request: { params: aboutUser },
    }),
    async (c) => {
      const ended = await enterpriseStub(c.env, c.var.address).signOutPerson(c.req.valid("param").user);
      return isRefusal(ended) ? refused(c, ended.refusal) : c.body(null, 204);
    },
  );
