/**
 * Decides whether the deployment's secrets are strong enough to be used (rule R16). If a secret is missing or too
 * short, the deployment must refuse every request: with an empty OPERATOR_KEY, for example, an empty key would be
 * accepted.
 */

/** `openssl rand -hex 32` prints 64 characters. Half of them still contain 128 bits. */
const MIN_SECRET_LENGTH = 32;

const REQUIRED = ["OPERATOR_KEY", "SIGNING_SECRET"] as const;
const OPTIONAL = ["OPERATOR_KEY_PREVIOUS", "SIGNING_SECRET_PREVIOUS"] as const;

/**
 * Returns the names of the secrets that are missing or shorter than MIN_SECRET_LENGTH. If there are none, the
 * deployment may serve requests. An optional secret counts only if it is set and not empty.
 */
export function weakSecrets(env: object): string[] {
  const values = env as Readonly<Record<string, unknown>>;
  const isWeak = (name: string) => typeof values[name] !== "string" || values[name].length < MIN_SECRET_LENGTH;
  const isSet = (name: string) => values[name] !== undefined && values[name] !== "";
  return [...REQUIRED.filter(isWeak), ...OPTIONAL.filter((name) => isSet(name) && isWeak(name))];
}
