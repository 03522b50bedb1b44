/**
 * What an answer may be, whatever was asked: a documented code with its status, as a problem, and no change of state
 * where it refuses (QUALITY, section 3).
 */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, expect } from "vitest";
import { documentOf } from "../../src/api/document.ts";
import { app } from "../../src/app.tsx";
import { type Answer, expectProblem, objectOf } from "./api.ts";

export const CODES: Record<string, number[]> = {
  malformed_json: [400],
  key_missing: [401],
  key_invalid: [401],
  scope_denied: [403],
  credits_exhausted: [402],
  insufficient_credits: [402],
  spend_cap_reached: [402],
  not_found: [404],
  referral_code_unknown: [404],
  method_not_allowed: [405],
  run_attribution_conflict: [409],
  run_closed: [409],
  grant_conflict: [409],
  not_byom: [409],
  run_too_old: [410],
  body_too_large: [413],
  unsupported_media_type: [415],
  validation_failed: [422],
  unknown_model: [422],
  charge_too_large: [422],
  started_in_future: [422],
  clock_backwards: [422],
  self_referral: [422],
  upgrade_required: [426],
};

const TABLES = [
  "enterprise",
  "cycles",
  "grants",
  "meters",
  "runs",
  "entries",
  "names",
  "keys",
  "links_used",
  "referral",
  "webhooks",
];

/** Every row that the ledger and the catalog go by: what a refused request must leave as it is. */
export async function stateOf(enterprise: string): Promise<string> {
  const rowsOf =
    (tables: readonly string[]) =>
    (_: unknown, { storage }: DurableObjectState) =>
      JSON.stringify(tables.map((table) => storage.sql.exec(`SELECT * FROM ${table}`).toArray()));
  const catalog = env.CATALOG.getByName("catalog");
  const states = [
    await runInDurableObject(objectOf(enterprise), rowsOf(TABLES)),
    await runInDurableObject(catalog, rowsOf(["price_books", "enterprises"])),
  ];
  return states.join();
}

const tally = { requests: 0, serverErrors: 0 };

/** Counts an answer for the sum that a file of tests prints in the end. */
export function count({ status = 200 }: { status?: number | undefined }): void {
  tally.requests += 1;
  if (status >= 500) tally.serverErrors += 1;
}

/** Prints in the end how many requests there were, and how many were answered as faults of the server. */
export function printTally(): void {
  afterAll(() =>
    console.log(`${tally.requests} requests of generated and hostile input, ${tally.serverErrors} server errors`),
  );
}

export function expectDocumented(answer: Answer, what: string): void {
  count(answer);
  if (answer.status < 400) return;
  const { code } = answer.body ?? {};
  expect(`${what}: ${CODES[code]?.includes(answer.status) ? "documented" : `${answer.status} ${answer.text}`}`).toBe(
    `${what}: documented`,
  );
  expectProblem(answer, answer.status, code);
  const told = codesTold.get(/^\w+ [^ ?:]+/.exec(what)?.[0] ?? "");
  // What is no address of the route is no answer of the route.
  if (told === undefined || code === "not_found" || code === "method_not_allowed") return;
  expect([what, told.has(code) ? code : [...told]]).toEqual([what, code]);
}

/** By route, the codes that the OpenAPI document has of it. */
const codesTold = new Map(
  Object.entries(documentOf(app).paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { responses }]): [string, Set<unknown>] => {
      const schemas = Object.values(responses).flatMap(
        ({ content }) => content?.["application/problem+json"]?.schema ?? [],
      );
      const codes = schemas.flatMap(({ allOf = [] }) => allOf.flatMap((part) => part.properties?.code?.enum ?? []));
      return [`${method.toUpperCase()} ${path}`, new Set(codes)];
    }),
  ),
);

/** Sends each and holds the answers against the contract; gives how many were refused. */
export async function sendAll(
  enterprise: string,
  requests: Iterable<readonly [what: string, send: () => Promise<Answer>]>,
): Promise<number> {
  let refused = 0;
  let before = await stateOf(enterprise);
  for (const [what, send] of requests) {
    const answer = await send();
    expectDocumented(answer, what);
    const after = await stateOf(enterprise);
    if (answer.status >= 400) {
      refused += 1;
      expect([what, after]).toEqual([what, before]);
    }
    before = after;
  }
  return refused;
}
