/**
 * Lists the keys of an enterprise, and makes one. The key is returned once and never stored; the enterprise's Durable
 * Object stores only its hash. The operator may make keys with any scope. An admin key may make only keys without the
 * scope `admin`.
 */
import { type Caller, mayManageKey } from "../access/callers.ts";
import { mintKey } from "../access/keys.ts";
import { secretIdOf } from "../access/mac.ts";
import { type Denied, deny } from "../access/refusals.ts";
import { signingSecret, signingSecrets } from "../access/secrets.ts";
import type { Address } from "../catalog/addresses.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import type { KeyJson, NewKeyRequest } from "../wire/key.ts";
import { enterpriseStub } from "./enterprise-stub.ts";

/** Returns the id of the secret that signs now, and whether a previous one is still accepted. */
export async function signingSecretIds(env: Env): Promise<{ currentId: string; hasPrevious: boolean }> {
  const [current, previous] = signingSecrets(env);
  return { currentId: await secretIdOf(current), hasPrevious: previous !== undefined };
}

export async function makeKey(
  env: Env,
  caller: Caller,
  address: Address,
  { name, scopes, expires_at }: NewKeyRequest,
): Promise<(KeyJson & { key: string }) | Refused | Denied> {
  if (!mayManageKey(caller, scopes)) return deny({ code: "scope_denied" });
  const expiresAtMs = expires_at ?? null;
  // Keys expire in real time, even for an enterprise with a test clock.
  if (expiresAtMs !== null && expiresAtMs <= Date.now()) {
    return refuse({ code: "validation_failed", errors: [{ path: "expires_at", message: "must be in the future" }] });
  }
  const id = crypto.randomUUID();
  const { key, hash, secretId } = await mintKey(signingSecret(env), {
    enterprise: address.enterprise,
    region: address.region,
    id,
    scopes,
    expiresAtMs,
  });
  const made = await enterpriseStub(env, address).addKey(caller, { id, name, scopes, hash, secretId, expiresAtMs });
  return isRefusal(made) ? made : { ...made, key };
}

/** Returns the keys after the key `afterId`, newest first: `limit` + 1 of them if there are more than `limit`. */
export async function listKeys(
  env: Env,
  caller: Caller,
  address: Address,
  { afterId, limit }: { afterId: string | null; limit: number },
): Promise<KeyJson[] | Refused | Denied> {
  const keys = await enterpriseStub(env, address).keys(caller, { afterId, limit });
  if (isRefusal(keys)) return keys;
  // An object of the last release ignores the page and returns all keys.
  const start = afterId === null ? 0 : keys.findIndex(({ id }) => id === afterId) + 1;
  return keys.slice(start, start + limit + 1);
}
