/** Makes, lists, checks and revokes operator keys with scopes, which the catalog object stores. */
import { OPERATOR_SCOPES, type OperatorKey, type OperatorKeySummary, type OperatorScope } from "../access/callers.ts";
import { secretIdOf } from "../access/mac.ts";
import { mintOperatorKey } from "../access/operator-key.ts";
import type { AccessRefusalCode } from "../access/refusals.ts";
import { type Denied, deny } from "../access/refusals.ts";
import { signingSecret } from "../access/secrets.ts";
import { catalogOf } from "../catalog/object.ts";
import type { ListedOperatorKey } from "../catalog/operator-keys.ts";
import { type Refused, refuse } from "../ledger/refusals.ts";

type Request = { name: string; scopes: readonly OperatorScope[]; expires_at?: number | null | undefined };

export async function makeOperatorKey(
  env: Env,
  { name, scopes, expires_at = null }: Request,
): Promise<{ id: string; key: string } | Refused | Denied> {
  if (expires_at !== null && expires_at <= Date.now()) {
    return refuse({ code: "validation_failed", errors: [{ path: "expires_at", message: "must be in the future" }] });
  }
  const id = crypto.randomUUID();
  const { key, hash, secretId } = await mintOperatorKey(signingSecret(env), { id, scopes, expiresAtMs: expires_at });
  const stored = { id, name, scopes: [...scopes], hash, secretId, expiresAtMs: expires_at };
  return (await catalogOf(env).addOperatorKey(stored)) ? { id, key } : deny({ code: "too_many_keys" });
}

/** Lists keys with a number below `before`, newest first, and the id of the secret that signs now. */
export async function listOperatorKeys(env: Env, before: number, limit: number) {
  const listed = await catalogOf(env).operatorKeys(before, limit);
  return { keys: listed.map(summaryOf), currentSecretId: await secretIdOf(signingSecret(env)) };
}

/** Returns null if there is no such key. */
export async function readOperatorKey(env: Env, id: string): Promise<OperatorKeySummary | null> {
  const key = await catalogOf(env).operatorKey(id);
  return key === null ? null : summaryOf(key);
}

/** Returns false if there is no such key. */
export async function revokeOperatorKey(env: Env, id: string): Promise<boolean> {
  return await catalogOf(env).revokeOperatorKey(id);
}

/** Returns why the catalog refuses a key now; null if it does not. Call this immediately before the key's request. */
export async function findOperatorKeyFault(env: Env, { id, hash }: OperatorKey): Promise<AccessRefusalCode | null> {
  return await catalogOf(env).useOperatorKey(id, hash);
}

function summaryOf(key: ListedOperatorKey): OperatorKeySummary & { number: number } {
  return { ...key, scopes: OPERATOR_SCOPES.filter((scope) => key.scopes.includes(scope)) };
}
