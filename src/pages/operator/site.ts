/**
 * The operator's pages as one router: the way in, the door, and behind it the list and each enterprise.
 */
import { Hono } from "hono";
import { enterpriseList } from "./list.tsx";
import { asOperator, type OperatorEnv, operatorProblem } from "./session.tsx";
import { OPERATOR_PATH, operatorSignIn } from "./sign-in.tsx";

export const operatorPages = new Hono<OperatorEnv>();

operatorPages.onError((error, c) => {
  const { overloaded, retryable } = error as { overloaded?: boolean; retryable?: boolean };
  if (overloaded === true || retryable === true) return operatorProblem(c, "ledger_busy");
  console.error(JSON.stringify({ event: "page_failed", path: c.req.routePath, error: String(error.stack ?? error) }));
  return operatorProblem(c, "internal");
});

// Before the door.
operatorPages.route("/", operatorSignIn);
operatorPages.use(`${OPERATOR_PATH}/*`, asOperator);
for (const routes of [enterpriseList]) operatorPages.route("/", routes);
operatorPages.get(`${OPERATOR_PATH}/*`, (c) => operatorProblem(c, "not_found"));
