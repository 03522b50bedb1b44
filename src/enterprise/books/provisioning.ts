/** Handles the operator's PUT of an enterprise: creates the enterprise, or changes its settings. */
import type { Settings } from "../../ledger/books.ts";
import type { By } from "../../ledger/entries.ts";
import type { Plan } from "../../ledger/plans.ts";
import { isRefusal, type Refused, refuse } from "../../ledger/refusals.ts";
import { missingSettings, withPlanTerms } from "../../ledger/settings.ts";
import type { AtMs } from "../../ledger/time.ts";

import { putShard } from "./copy-shard.ts";
import type { EnterpriseState } from "./enterprise-state.ts";
import type { Ledger } from "./ledger.ts";
import { migrate } from "./schema.ts";
import { newWebhookSecret, putWebhookSecret } from "./webhook-secret.ts";

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
  /** True replaces the webhook secret. Undefined: the caller is of the last release, and shows the derived secret. */
  rotateSecret: boolean | undefined;
  /** The database for the copy of a new enterprise. */
  shard: string;
};

/** `newWebhookUrl` is null unless the PUT has set or changed the webhook URL; `webhookSecret`, unless it is a new one. */
type Provisioned = Applied & { webhookSecret: string | null };
type Applied = { created: boolean; state: EnterpriseState; newWebhookUrl: string | null };

export function provision(ledger: Ledger, request: ProvisionRequest): Provisioned | Refused {
  const applied = apply(ledger, request);
  if (isRefusal(applied)) return applied;
  const { webhookUrl } = applied.state.settings;
  const isNew = applied.newWebhookUrl !== null || request.rotateSecret === true;
  if (webhookUrl === null || !isNew || request.rotateSecret === undefined) return { ...applied, webhookSecret: null };
  const webhookSecret = newWebhookSecret();
  putWebhookSecret(ledger.sql, webhookUrl, webhookSecret);
  return { ...applied, webhookSecret };
}

function apply(ledger: Ledger, request: ProvisionRequest): Applied | Refused {
  const { patch, rotateSecret } = request;
  const known = ledger.provisioned ? ledger.books.settings.webhookUrl : null;
  const webhookUrl = patch.webhookUrl === undefined ? known : patch.webhookUrl;
  if (rotateSecret === true && webhookUrl === null) {
    const message = "there is no webhook_url whose secret could be replaced";
    return refuse({ code: "validation_failed", errors: [{ path: "rotate_secret", message }] });
  }
  return ledger.provisioned ? change(ledger, request) : create(ledger, request);
}

function create(
  ledger: Ledger,
  { id, patch, complete, testClockMs, plans, by, shard }: ProvisionRequest,
): Applied | Refused {
  if (complete === null) return refuse({ code: "validation_failed", errors: missingSettings(patch) });
  const settings = withPlanTerms(complete, null, plans);
  if (isRefusal(settings)) return settings;
  // First of all, so that no batch can be written before the copy has its place.
  migrate(ledger.sql);
  putShard(ledger.sql, shard);
  const state = ledger.create(id, settings, testClockMs ?? null, by);
  return { created: true, state, newWebhookUrl: settings.webhookUrl };
}

function change(ledger: Ledger, { patch, testClockMs, plans, by }: ProvisionRequest): Applied | Refused {
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
