/** Loads the state of the signed-in enterprise, which every page shows. */
import type { Context } from "hono";
import type { Denied } from "../../access/refusals.ts";
import type { CopyView } from "../../enterprise/answers.ts";
import { isRefusal, type Refused } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { type ParsedGauge, parseGauge } from "../../wire/gauge.ts";
import { callerOf, type PageEnv } from "./session.ts";

export type PageView = Omit<CopyView, "gauge"> & { gauge: ParsedGauge };

export async function loadView(c: Context<PageEnv>): Promise<PageView | Refused | Denied> {
  const view = await enterpriseStub(c.env, c.var.session).copyView(callerOf(c.var.session));
  return isRefusal(view) ? view : { ...view, gauge: parseGauge(view.gauge) };
}
