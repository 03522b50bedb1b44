/**
 * Creates an enterprise or changes its settings. Adds the enterprise to the catalog's list before creating it. Returns
 * the secret that signs the webhooks only if it is new.
 */
import { referralCodeOf } from "../access/referral-code.ts";
import type { Denied } from "../access/refusals.ts";
import { signingSecret } from "../access/secrets.ts";
import { webhookSecretOf } from "../access/webhook-secret.ts";
import { findAddress, type Placed } from "../catalog/addresses.ts";
import { catalogOf } from "../catalog/object.ts";
import type { Place } from "../catalog/placement.ts";
import { FIRST_SHARD } from "../copy/shards.ts";
import type { StateJson } from "../enterprise/answers.ts";
import type { Settings } from "../ledger/books.ts";
import type { By } from "../ledger/entries.ts";
import { findTerms } from "../ledger/plans.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import { jurisdictionOf, locationHintOf } from "../ledger/regions.ts";
import { completeSettings, missingSettings, UNKNOWN_PLAN } from "../ledger/settings.ts";
import { type EnterprisePut, patchOf } from "../wire/enterprise.ts";
import { hostOf } from "../wire/webhook-url.ts";
import { isDeleted } from "./delete-enterprise.ts";
import { enterpriseStub } from "./enterprise-stub.ts";
import { claimPlan, endClaim, readPlans } from "./plans.ts";
import { shardsFor } from "./shards.ts";

/** `webhookSecret` is null unless `webhook_url` was set to a new URL, or the secret was replaced. */
type Put = { created: boolean; state: StateJson; webhookSecret: string | null };

const NO_SUCH_PLAN = refuse({ code: "validation_failed", errors: [UNKNOWN_PLAN] });

/** @param site the URL of the request, used to refuse a webhook URL on the deployment's own host */
export async function putEnterprise(
  env: Env,
  site: string,
  id: string,
  requested: EnterprisePut,
  by: By = "operator",
): Promise<Put | Refused | Denied> {
  if (typeof requested.webhook_url === "string" && hostOf(requested.webhook_url) === hostOf(site)) {
    const message = "must not be this deployment's own host";
    return refuse({ code: "validation_failed", errors: [{ path: "webhook_url", message }] });
  }
  const patch = patchOf(requested);
  const complete = completeSettings(patch);
  const rotateSecret = requested.rotate_secret === true;
  if (complete !== null) complete.referralCode = await referralCodeOf(signingSecret(env), id);
  const { plans } = await readPlans(env);
  if (patch.plan !== undefined && findTerms(plans, patch.plan) === undefined) return NO_SUCH_PLAN;
  const address = (await findAddress(env, id)) ?? (await newAddress(env, id, patch, complete));
  if (isRefusal(address)) return address;
  // The enterprise was placed by an earlier request. Its object compares the location hints.
  if (patch.region !== undefined && (jurisdictionOf(patch.region) ?? "") !== address.region) {
    const message = `is chosen at creation; this enterprise has ${address.region || "no jurisdiction"}`;
    return refuse({ code: "validation_failed", errors: [{ path: "region", message }] });
  }
  const stub = enterpriseStub(env, address, locationHintOf(patch.region));
  // Claim the plan first, so that it cannot be left out of the catalogue before the enterprise has it.
  const claim = patch.plan === undefined ? undefined : await claimPlan(env, id, patch.plan);
  if (claim === null) return NO_SUCH_PLAN;
  const { shard } = address;
  const put = await stub.provision(id, patch, complete, requested.test_clock, plans, by, rotateSecret, shard);
  if (claim !== undefined) {
    await endClaim(env, claim, id, isRefusal(put) ? null : { plan: put.state.settings.plan, seq: put.state.gauge.seq });
  }
  if (isRefusal(put)) {
    const isNew = complete === null && put.refusal.code === "validation_failed";
    return isNew && (await isDeleted(env, id)) ? refuse({ code: "enterprise_deleted" }) : put;
  }
  // The enterprise may have been deleted since it was found. Then its object must become empty again.
  if (put.created && (await isDeleted(env, id))) {
    await enterpriseStub(env, address).deleteStep(id);
    return refuse({ code: "enterprise_deleted" });
  }
  const { state, created, newWebhookUrl, webhookSecret } = put;
  if (webhookSecret !== undefined) return { created, state, webhookSecret };
  // An object of the last release signs with a derived secret, which it cannot replace.
  if (rotateSecret) throw new Error("the object cannot replace its webhook secret before it is updated");
  const derived = newWebhookUrl === null ? null : await webhookSecretOf(signingSecret(env), id, newWebhookUrl);
  return { created, state, webhookSecret: derived };
}

/**
 * Adds a new enterprise to the catalog's list, and returns its address. Every existing enterprise must be listed; a
 * listed one need not exist yet.
 */
async function newAddress(
  env: Env,
  id: string,
  patch: Partial<Settings>,
  complete: Settings | null,
): Promise<Placed | Refused> {
  if (complete === null) {
    if (await isDeleted(env, id)) return refuse({ code: "enterprise_deleted" });
    return refuse({ code: "validation_failed", errors: missingSettings(patch) });
  }
  const jurisdiction = jurisdictionOf(complete.region);
  const shards = shardsFor(env, jurisdiction);
  if (shards.length === 0) return refuse({ code: "region_unavailable" });
  const placed = await place(env, id, jurisdiction ?? "", shards);
  return isRefusal(placed) ? placed : { enterprise: id, ...placed };
}

/** Places an enterprise, unless another request has placed it. Returns its place. */
async function place(env: Env, id: string, region: string, shards: readonly string[]): Promise<Place | Refused> {
  try {
    return await catalogOf(env).place(id, region, shards);
  } catch (error) {
    // During a deploy the catalog may still run the last release, which has one place for all enterprises.
    if (region !== "" || !/does not implement/.test(String(error))) throw error;
    await catalogOf(env).enrol(id);
    return { region: "", shard: FIRST_SHARD };
  }
}
