/** Handles the operator's PUT of an enterprise: creates the enterprise, or changes its settings. */
import type { Settings } from "../../ledger/books.ts";
import type { By } from "../../ledger/entries.ts";
import type { Plan } from "../../ledger/plans.ts";
import { isRefusal, type Refused, refuse } from "../../ledger/refusals.ts";
import { missingSettings, withPlanTerms } from "../../ledger/settings.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { EnterpriseState, Ledger } from "./ledger.ts";

type ProvisionRequest = {
  id: string;
  patch: Partial<Settings>;
  /**
   * All settings, with defaults for what the patch omits; null if the patch does not suffice to create an enterprise.
   */
  complete: Settings | null;
  /**
   * The time of the test clock. Null or undefined: the real clock for a new enterprise, no change for an existing one.
   */
  testClockMs: AtMs | null | undefined;
  /** The catalogue of plans; null if the caller is a Worker of the last release. */
  plans: readonly Plan[] | null;
  by: By;
};

/** `newWebhookUrl` is null unless the PUT has set or changed the webhook URL. */
type Provisioned = { created: boolean; state: EnterpriseState; newWebhookUrl: string | null };

export function provision(ledger: Ledger, request: ProvisionRequest): Provisioned | Refused {
  return ledger.provisioned ? change(ledger, request) : create(ledger, request);
}

function create(
  ledger: Ledger,
  { id, patch, complete, testClockMs, plans, by }: ProvisionRequest,
): Provisioned | Refused {
  if (complete === null) return refuse({ code: "validation_failed", errors: missingSettings(patch) });
  const settings = withPlanTerms(complete, null, plans);
  if (isRefusal(settings)) return settings;
  const state = ledger.create(id, settings, testClockMs ?? null, by);
  return { created: true, state, newWebhookUrl: settings.webhookUrl };
}

function change(ledger: Ledger, { patch, testClockMs, plans, by }: ProvisionRequest): Provisioned | Refused {
  const { identity, books } = ledger;
  const known = [null, undefined, identity.createdAtMs, identity.testClockMs].includes(testClockMs);
  if (!known || (typeof testClockMs === "number" && identity.testClockMs === null)) {
    const message = "a clock is given at creation, and then only moved forward";
    return refuse({ code: "validation_failed", errors: [{ path: "test_clock", message }] });
  }
  if (patch.region !== undefined && patch.region !== books.settings.region) {
    const message = `is chosen at creation; this enterprise has ${books.settings.region ?? "none"}`;
    return refuse({ code: "validation_failed", errors: [{ path: "region", message }] });
  }
  const state = ledger.changeSettings(patch, by, plans);
  if (isRefusal(state)) return state;
  const { webhookUrl } = state.settings;
  return { created: false, state, newWebhookUrl: webhookUrl === books.settings.webhookUrl ? null : webhookUrl };
}
