/**
 * The object's answers as they are sent to the Worker. They keep the shapes of the last release:
 * during a deploy, old Workers call new objects and new Workers call old ones.
 */
import type { Gauge } from "../ledger/gauge.ts";
import { isRefusal, type Refused } from "../ledger/refusals.ts";
import type { AtMs } from "../ledger/time.ts";
import { type GaugeJson, showGauge } from "../wire/gauge.ts";
import type { StartAnswer, StartRefused } from "./books/commands.ts";
import type { EnterpriseState } from "./books/ledger.ts";
import type { AuditCheck } from "./jobs/audit.ts";

type WithGaugeJson<T extends { gauge: Gauge }> = Omit<T, "gauge"> & { gauge: GaugeJson };

export type StateJson = WithGaugeJson<EnterpriseState>;
export type StartAnswerJson = WithGaugeJson<StartAnswer>;
export type StartRefusedJson = WithGaugeJson<StartRefused>;

/** What a page needs besides the copy: the balance, the clock, and as of when the copy is complete. */
export type CopyView = {
  gauge: GaugeJson;
  suspended: boolean;
  timeZone: string;
  cycleStartsAtMs: AtMs;
  nowMs: AtMs;
  copyAsOfMs: AtMs;
};

export type Audit = { checkedAtMs: AtMs; checks: AuditCheck[] };

/** What a PUT has done; `newWebhookUrl` is set when webhooks go to another URL from now on. */
export type Provisioned = { created: boolean; state: StateJson; newWebhookUrl: string | null };

export function showState(state: EnterpriseState): StateJson;
export function showState(state: EnterpriseState | Refused): StateJson | Refused;
export function showState(state: EnterpriseState | Refused): StateJson | Refused {
  return isRefusal(state) ? state : { ...state, gauge: showGauge(state.gauge, state.settings) };
}
