/**
 * The deployment's secrets, and the one place that decides whether they are strong enough to be used (rule R16).
 * A missing or short secret must close the whole deployment: with an empty OPERATOR_KEY, an empty key would open it.
 */

/** `openssl rand -hex 32` makes 64 characters; 32 of those are still 128 bits. */
const MIN_SECRET_LENGTH = 32;

const REQUIRED = ["OPERATOR_KEY", "SIGNING_SECRET"] as const;
const OPTIONAL = ["OPERATOR_KEY_PREVIOUS", "SIGNING_SECRET_PREVIOUS"] as const;

/**
 * The names of the secrets that are missing or shorter than MIN_SECRET_LENGTH; empty when the deployment may serve.
 * The optional ones count only when they are set and not empty.
 */
export function weakSecrets(env: object): string[] {
  const values = env as Readonly<Record<string, unknown>>;
  const isWeak = (name: string) => typeof values[name] !== "string" || values[name].length < MIN_SECRET_LENGTH;
  const isSet = (name: string) => values[name] !== undefined && values[name] !== "";
  return [...REQUIRED.filter(isWeak), ...OPTIONAL.filter((name) => isSet(name) && isWeak(name))];
}
