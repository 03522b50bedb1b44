/** The operator's pages as one router: signing in, and, for a signed-in operator, the list and each enterprise. */
import { Hono } from "hono";
import { answerPageError } from "../kit/problem-page.tsx";
import { enterpriseAccess } from "./access-tab.tsx";
import { enterpriseAudit } from "./audit.tsx";
import { enterpriseBudgets } from "./budgets.tsx";
import { enterpriseCap } from "./cap.tsx";
import { enterpriseChannels } from "./channels.tsx";
import { enterpriseData } from "./data.tsx";
import { enterpriseDirectory } from "./directory.tsx";
import { operatorFind } from "./find.tsx";
import { operatorFleet } from "./fleet.tsx";
import { enterpriseGrants } from "./grants.tsx";
import { operatorJobs } from "./jobs.tsx";
import { enterpriseJournal } from "./journal.tsx";
import { enterpriseKeys } from "./keys.tsx";
import { enterpriseList } from "./list.tsx";
import { newEnterprise } from "./new-enterprise.tsx";
import { operatorKeys } from "./operator-keys.tsx";
import { enterpriseOverview } from "./overview.tsx";
import { operatorPlans } from "./plans.tsx";
import { operatorPrices } from "./prices.tsx";
import { operatorReferrals } from "./referrals.tsx";
import { loadEnterprise, type OperatorEnv, operatorProblem, requireOperator } from "./session.tsx";
import { enterpriseSettings } from "./settings.tsx";
import { OPERATOR_PATH, operatorSignIn } from "./sign-in.tsx";
import { enterpriseWebhooks } from "./webhooks.tsx";

export const operatorPages = new Hono<OperatorEnv>();

operatorPages.onError((error, c) => answerPageError(error, c, operatorProblem));

// Before requireOperator, which refuses everyone who is not signed in.
operatorPages.route("/", operatorSignIn);
operatorPages.use(`${OPERATOR_PATH}/*`, requireOperator);
operatorPages.use(`${OPERATOR_PATH}/enterprises/:e/*`, loadEnterprise);
for (const routes of [
  enterpriseList,
  newEnterprise,
  operatorPrices,
  operatorPlans,
  operatorKeys,
  operatorReferrals,
  operatorJobs,
  operatorFleet,
  operatorFind,
  enterpriseOverview,
  enterpriseSettings,
  enterpriseGrants,
  enterpriseCap,
  enterpriseBudgets,
  enterpriseAccess,
  enterpriseKeys,
  enterpriseWebhooks,
  enterpriseChannels,
  enterpriseDirectory,
  enterpriseJournal,
  enterpriseAudit,
  enterpriseData,
]) {
  operatorPages.route("/", routes);
}
operatorPages.get(`${OPERATOR_PATH}/*`, (c) => operatorProblem(c, "not_found"));
