/**
 * The router of all pages. A page that fails answers with a problem page, and so does an unknown URL if the request
 * accepts HTML.
 */
import { Hono } from "hono";
import { budgetPages } from "./budgets/page.tsx";
import { answerPageError, problemPage, wantsHtml } from "./kit/problem-page.tsx";
import { noStore, type PageEnv } from "./kit/session.ts";
import { modelPages } from "./model/page.tsx";
import { confirmEmailPages } from "./notifications/confirm-email.tsx";
import { notificationPages } from "./notifications/page.tsx";
import { operatorPages } from "./operator/site.ts";
import { homePages } from "./sign-in/home.tsx";
import { signInPages } from "./sign-in/page.tsx";
import { upgradePages } from "./upgrade/page.tsx";
import { usagePages } from "./usage/page.tsx";
import { receiptPages } from "./usage/receipt.tsx";
import { tableFiles } from "./usage/table-csv.ts";

const pages = [
  homePages,
  signInPages,
  usagePages,
  tableFiles,
  receiptPages,
  modelPages,
  budgetPages,
  notificationPages,
  upgradePages,
  confirmEmailPages,
];

const PRIVATE = ["/", "/signin", "/signout", "/confirm-email", "/demo/*", "/settings/*", "/operator/*"];

export const pageRoutes = new Hono<PageEnv>();

for (const path of PRIVATE) pageRoutes.use(path, noStore);
for (const routes of pages) {
  routes.onError((error, c) => answerPageError(error, c));
  pageRoutes.route("/", routes);
}
pageRoutes.route("/", operatorPages);

pageRoutes.get("/*", async (c, next) => (wantsHtml(c) ? problemPage(c, "not_found") : next()));
