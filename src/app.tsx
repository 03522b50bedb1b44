/**
 * Builds the router of the whole site: the middleware that every request passes, the JSON API and the pages. Also
 * responds to unknown paths, unsupported methods and errors that no route handles.
 */
import { budgetRoutes } from "./api/budgets.ts";
import { channelRoutes } from "./api/channels.ts";
import { cycleRoutes } from "./api/cycles.ts";
import { debitRoutes } from "./api/debits.ts";
import { deletionRoutes } from "./api/deletion.ts";
import { directoryRoutes } from "./api/directory.ts";
import { documentOf } from "./api/document.ts";
import { enterpriseRoutes } from "./api/enterprises.ts";
import { entryRoutes } from "./api/entries.ts";
import { erasureRoutes } from "./api/erasure.ts";
import { everyRequest } from "./api/every-response.ts";
import { exportRoutes } from "./api/export.ts";
import { gaugeRoutes } from "./api/gauge.ts";
import { grantRoutes } from "./api/grants.ts";
import { historyRoutes } from "./api/history.ts";
import { jobRoutes } from "./api/jobs.ts";
import { keyRoutes } from "./api/keys.ts";
import { maintenanceRoutes } from "./api/maintenance.ts";
import { allowedMethods } from "./api/methods.ts";
import { metricRoutes } from "./api/metrics.ts";
import { operatorKeyRoutes } from "./api/operator-keys.ts";
import { planRoutes } from "./api/plans.ts";
import { priceOverrideRoutes } from "./api/price-overrides.ts";
import { priceRoutes } from "./api/prices.ts";
import { answerError, problem } from "./api/problem.ts";
import { referralRoutes } from "./api/referrals.ts";
import { restoreRoutes } from "./api/restore.ts";
import { newRouter } from "./api/route.ts";
import { RememberingRouter } from "./api/router.ts";
import { runRoutes } from "./api/runs.ts";
import { runsCsvRoutes } from "./api/runs-csv.ts";
import { signInRoutes } from "./api/sign-in.ts";
import { socketRoutes } from "./api/sockets.ts";
import { spendCapRoutes } from "./api/spend-cap.ts";
import { usageRoutes } from "./api/usage.ts";
import { topRoutes } from "./api/usage-top.ts";
import { webhookRoutes } from "./api/webhooks.ts";
import { problemPage, wantsHtml } from "./pages/kit/problem-page.tsx";
import { referencePage } from "./pages/reference/page.tsx";
import { pageRoutes } from "./pages/site.tsx";
import type { ApiDocument } from "./wire/api-document.ts";

export const app = newRouter({ router: new RememberingRouter() });

app.use(everyRequest((c) => (wantsHtml(c) ? problemPage(c, "body_too_large") : problem(c, "body_too_large"))));

app.get("/healthz", (c) => c.json({ ok: true }));

for (const routes of [
  debitRoutes,
  socketRoutes,
  runsCsvRoutes,
  runRoutes,
  gaugeRoutes,
  usageRoutes,
  topRoutes,
  cycleRoutes,
  entryRoutes,
  grantRoutes,
  spendCapRoutes,
  budgetRoutes,
  enterpriseRoutes,
  keyRoutes,
  signInRoutes,
  directoryRoutes,
  referralRoutes,
  planRoutes,
  operatorKeyRoutes,
  priceRoutes,
  priceOverrideRoutes,
  maintenanceRoutes,
  jobRoutes,
  exportRoutes,
  deletionRoutes,
  erasureRoutes,
  historyRoutes,
  restoreRoutes,
  metricRoutes,
  webhookRoutes,
  channelRoutes,
]) {
  app.route("/", routes);
}

/** The OpenAPI document, built on first use because most isolates never need it. */
let document: ApiDocument | null = null;
const readDocument = () => (document ??= documentOf(app));
for (const [path, operationId, summary] of [
  ["/healthz", "readHealth", "Check that the Worker answers, without touching a tenant"],
  ["/openapi.json", "readDocument", "Read this document"],
] as const) {
  app.openAPIRegistry.registerPath({
    method: "get",
    path,
    operationId,
    summary,
    tags: ["Service"],
    responses: { 200: { description: "OK", content: { "application/json": { schema: { type: "object" } } } } },
  });
}
app.get("/openapi.json", (c) => c.json(readDocument()));
app.get("/docs", (c) => c.html(referencePage(readDocument())));

// Added after the API, because the pages handle every remaining GET that accepts HTML.
app.route("/", pageRoutes);

app.notFound((c) => {
  const allowed = allowedMethods(app.routes, c.req.path);
  return allowed.length > 0 ? problem(c, "method_not_allowed", { Allow: allowed.join(", ") }) : problem(c, "not_found");
});
app.onError(answerError);
