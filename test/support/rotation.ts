/**
 * The secrets of a deployment after each step of docs/operate.md that rotates them. test/docs/setup.test.ts checks that
 * the documented commands make these changes. test/worker/rotation.test.ts sends traffic while they are made.
 */
type Pair = { OPERATOR_KEY: string; SIGNING_SECRET: string };
export type Secrets = Pair & { OPERATOR_KEY_PREVIOUS?: string; SIGNING_SECRET_PREVIOUS?: string };

export function rotationSteps(old: Pair, next: Pair): readonly [Secrets, Secrets, Secrets, Secrets] {
  const previous = ({ OPERATOR_KEY, SIGNING_SECRET }: Pair) => ({
    OPERATOR_KEY_PREVIOUS: OPERATOR_KEY,
    SIGNING_SECRET_PREVIOUS: SIGNING_SECRET,
  });
  return [old, { ...old, ...previous(next) }, { ...next, ...previous(old) }, next];
}
