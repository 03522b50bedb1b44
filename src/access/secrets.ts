/**
 * The deployment's secrets. This is the only file that reads them, so that a weak secret can never be used (rule R16):
 * with an empty OPERATOR_KEY, for example, an empty key would be accepted. Each secret may have a previous value, which
 * is still accepted while a rotation is under way. Everything new is signed with the current value.
 */

/** `openssl rand -hex 32` prints 64 characters. Half of them still contain 128 bits. */
const MIN_SECRET_LENGTH = 32;

const REQUIRED = ["OPERATOR_KEY", "SIGNING_SECRET"] as const;
const OPTIONAL = ["OPERATOR_KEY_PREVIOUS", "SIGNING_SECRET_PREVIOUS"] as const;
type SecretName = (typeof REQUIRED | typeof OPTIONAL)[number];

/** The accepted values of a secret: first the current one, then the previous one if there is one. */
export type Secrets = readonly [current: string, previous?: string];

/**
 * Returns the names of the secrets that are missing or shorter than MIN_SECRET_LENGTH. If there are none, the
 * deployment may serve requests. An optional secret counts only if it is set and not empty.
 */
export function weakSecrets(env: object): string[] {
  const weak: string[] = [];
  for (const name of REQUIRED) if (isWeak(readSecret(env, name))) weak.push(name);
  for (const name of OPTIONAL) if (isSet(env, name) && isWeak(readSecret(env, name))) weak.push(name);
  return weak;
}

/** Returns the accepted operator keys. Throws if one is weak. */
export function operatorKeys(env: object): Secrets {
  return secretsOf(env, "OPERATOR_KEY", "OPERATOR_KEY_PREVIOUS");
}

/** Returns the secrets with which a signature is accepted. The first one signs. Throws if one is weak. */
export function signingSecrets(env: object): Secrets {
  return secretsOf(env, "SIGNING_SECRET", "SIGNING_SECRET_PREVIOUS");
}

/** Returns the secret that signs. Throws if it is weak. */
export function signingSecret(env: object): string {
  return signingSecrets(env)[0];
}

/** Returns the first result of `find` that is not null, trying the current value first. */
export async function findWithSecret<T>(
  secrets: Secrets,
  find: (secret: string) => Promise<T | null>,
): Promise<T | null> {
  for (const secret of secrets) {
    const found = secret === undefined ? null : await find(secret);
    if (found !== null) return found;
  }
  return null;
}

function secretsOf(env: object, name: SecretName, previous: SecretName): Secrets {
  const current = strongSecret(env, name);
  return isSet(env, previous) ? [current, strongSecret(env, previous)] : [current];
}

/** Throws for a weak secret. The Worker refuses every request before this happens, but alarms and schedules run too. */
function strongSecret(env: object, name: SecretName): string {
  const value = readSecret(env, name);
  if (isWeak(value)) throw new Error(`the secret ${name} is missing or too short`);
  return value as string;
}

function isWeak(value: unknown): boolean {
  return typeof value !== "string" || value.length < MIN_SECRET_LENGTH;
}

function isSet(env: object, name: SecretName): boolean {
  const value = readSecret(env, name);
  return value !== undefined && value !== "";
}

function readSecret(env: object, name: SecretName): unknown {
  return (env as Readonly<Record<string, unknown>>)[name];
}
