/**
 * The operator's pages as one router: the way in, the door, and behind it the list and each enterprise.
 */
import { Hono } from "hono";
import { isTransient } from "../../wire/transient.ts";
import { enterpriseAudit } from "./audit.tsx";
import { enterpriseCap } from "./cap.tsx";
import { enterpriseGrants } from "./grants.tsx";
import { enterpriseJournal } from "./journal.tsx";
import { enterpriseKeys } from "./keys.tsx";
import { enterpriseList } from "./list.tsx";
import { newEnterprise } from "./new-enterprise.tsx";
import { enterpriseOverview } from "./overview.tsx";
import { asOperator, inEnterprise, type OperatorEnv, operatorProblem } from "./session.tsx";
import { enterpriseSettings } from "./settings.tsx";
import { OPERATOR_PATH, operatorSignIn } from "./sign-in.tsx";
import { enterpriseWebhooks } from "./webhooks.tsx";

export const operatorPages = new Hono<OperatorEnv>();

operatorPages.onError((error, c) => {
  if (isTransient(error)) return operatorProblem(c, "ledger_busy");
  console.error(JSON.stringify({ event: "page_failed", path: c.req.routePath, error: String(error.stack ?? error) }));
  return operatorProblem(c, "internal");
});

// Before the door.
operatorPages.route("/", operatorSignIn);
operatorPages.use(`${OPERATOR_PATH}/*`, asOperator);
operatorPages.use(`${OPERATOR_PATH}/enterprises/:e/*`, inEnterprise);
for (const routes of [
  enterpriseList,
  newEnterprise,
  enterpriseOverview,
  enterpriseSettings,
  enterpriseGrants,
  enterpriseCap,
  enterpriseKeys,
  enterpriseWebhooks,
  enterpriseJournal,
  enterpriseAudit,
]) {
  operatorPages.route("/", routes);
}
operatorPages.get(`${OPERATOR_PATH}/*`, (c) => operatorProblem(c, "not_found"));
