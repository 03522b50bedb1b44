/**
 * All pages as one router. A page that fails answers with a problem page, and so does an unknown address, for requests
 * that accept HTML.
 */
import { type Context, Hono } from "hono";
import { isTransient } from "../wire/transient.ts";
import { problemPage, wantsHtml } from "./kit/problem-page.tsx";
import { type PageEnv, privately } from "./kit/session.ts";
import { modelPages } from "./model/page.tsx";
import { operatorPages } from "./operator/site.ts";
import { homePages } from "./sign-in/home.tsx";
import { signInPages } from "./sign-in/page.tsx";
import { usagePages } from "./usage/page.tsx";
import { receiptPages } from "./usage/receipt.tsx";

const pages = [homePages, signInPages, usagePages, receiptPages, modelPages];

const PRIVATE = ["/", "/signin", "/signout", "/demo/*", "/settings/*", "/operator/*"];

export const pageRoutes = new Hono<PageEnv>();

for (const path of PRIVATE) pageRoutes.use(path, privately);
for (const routes of pages) {
  routes.onError(answerError);
  pageRoutes.route("/", routes);
}
pageRoutes.route("/", operatorPages);

pageRoutes.get("/*", async (c, next) => (wantsHtml(c) ? problemPage(c, "not_found") : next()));

function answerError(error: Error, c: Context<PageEnv>): Response | Promise<Response> {
  if (isTransient(error)) return problemPage(c, "ledger_busy");
  console.error(JSON.stringify({ event: "page_failed", path: c.req.routePath, error: String(error.stack ?? error) }));
  return problemPage(c, "internal");
}
