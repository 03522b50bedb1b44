/**
 * All pages as one router. A page that fails answers with a problem page, and so does an unknown address, for requests
 * that accept HTML.
 */
import { Hono } from "hono";
import { answerPageError, problemPage, wantsHtml } from "./kit/problem-page.tsx";
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
  routes.onError((error, c) => answerPageError(error, c));
  pageRoutes.route("/", routes);
}
pageRoutes.route("/", operatorPages);

pageRoutes.get("/*", async (c, next) => (wantsHtml(c) ? problemPage(c, "not_found") : next()));
