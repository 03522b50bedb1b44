/** Loads the state of the signed-in enterprise, which every page shows. */
import type { Context } from "hono";
import type { Denied } from "../../access/refusals.ts";
import type { CopyView, ViewAsked } from "../../enterprise/answers.ts";
import { isRefusal, type Refused } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { type ParsedGauge, parseGauge } from "../../wire/gauge.ts";
import type { Signed } from "./layout.tsx";
import { callerOf, type PageEnv } from "./session.ts";

export type PageView = Omit<CopyView, "gauge"> & {
  gauge: ParsedGauge;
  /** The only user whose data the reader may see; null if there is no such limit. */
  onlyUser: string | null;
};

/** @param asked what the page shows beside the current state */
export async function loadView(c: Context<PageEnv>, asked?: ViewAsked): Promise<PageView | Refused | Denied> {
  const view = await enterpriseStub(c.env, c.var.session).copyView(callerOf(c.var.session), asked);
  return isRefusal(view) ? view : { onlyUser: null, ...view, gauge: parseGauge(view.gauge) };
}

/** The signed-in person as the frame of the page shows them. */
export function signedOf(c: Context<PageEnv>, { gauge, userName }: PageView): Signed {
  return { ...c.var.session, name: gauge.name, userName: userName ?? null };
}
