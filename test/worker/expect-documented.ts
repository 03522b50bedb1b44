/**
 * Checks answers to bad input: every refusal is a problem document with a documented code and status, and leaves the
 * ledger and the catalog unchanged.
 */
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, expect } from "vitest";
import { documentOf } from "../../src/api/document.ts";
import { app } from "../../src/app.tsx";
import { type Answer, expectProblem, objectOf } from "./api.ts";

/** The statuses that each code may have. */
export const STATUSES_BY_CODE: Record<string, number[]> = {
  malformed_json: [400],
  key_missing: [401],
  key_invalid: [401],
  scope_denied: [403],
  credits_exhausted: [402],
  insufficient_credits: [402],
  spend_cap_reached: [402],
  budget_exhausted: [402],
  not_found: [404],
  not_supported: [501],
  cursor_expired: [410],
  enterprise_deleted: [409],
  referral_code_unknown: [404],
  method_not_allowed: [405],
  run_attribution_conflict: [409],
  run_closed: [409],
  grant_conflict: [409],
  not_byom: [409],
  too_many_budgets: [409],
  run_too_old: [410],
  body_too_large: [413],
  unsupported_media_type: [415],
  validation_failed: [422],
  unknown_model: [404, 422],
  price_book_conflict: [409],
  plan_in_use: [409],
  plans_conflict: [409],
  charge_too_large: [422],
  started_in_future: [422],
  clock_backwards: [422],
  self_referral: [422],
  upgrade_required: [426],
};

const LEDGER_TABLES = [
  "enterprise",
  "cycles",
  "grants",
  "meters",
  "runs",
  "entries",
  "names",
  "keys",
  "budgets",
  "budget_levels",
  "links_used",
  "referral",
  "webhooks",
];

const CATALOG_TABLES = ["price_versions", "price_entries", "enterprises"];

/** How many statements that may write have run, in any object: all objects run in the isolate of the tests. */
let writes = 0;

let stopCounting: (() => void) | null = null;

/** Counts the statements from now on. Asking each object whether it has written takes longer than most requests. */
function countWrites(sql: SqlStorage): void {
  if (stopCounting !== null) return;
  const proto = Object.getPrototypeOf(sql);
  const { exec } = proto;
  proto.exec = function (this: SqlStorage, statement: string, ...params: unknown[]) {
    if (!/^\s*SELECT\b/i.test(statement)) writes += 1;
    return exec.call(this, statement, ...params);
  };
  stopCounting = () => {
    proto.exec = exec;
  };
}

afterAll(() => stopCounting?.());

let last = { enterprise: "", writes: -1, rows: "" };

/**
 * Returns every row of the ledger and the catalog that a refused request must leave unchanged, as text. Reads them only if
 * a statement that may write has run since the last call.
 */
export async function readState(enterprise: string): Promise<string> {
  if (last.enterprise === enterprise && last.writes === writes) return last.rows;
  const readRows = (tables: readonly string[]) => (_: unknown, state: DurableObjectState) => {
    const { sql } = state.storage;
    countWrites(sql);
    return JSON.stringify(tables.map((table) => sql.exec(`SELECT * FROM ${table}`).toArray()));
  };
  const writesBefore = writes;
  const rows = await Promise.all([
    runInDurableObject(objectOf(enterprise), readRows(LEDGER_TABLES)),
    runInDurableObject(env.CATALOG.getByName("catalog"), readRows(CATALOG_TABLES)),
  ]);
  last = { enterprise, writes: writesBefore, rows: rows.join() };
  return last.rows;
}

const tally = { requests: 0, serverErrors: 0 };

/** Counts an answer for the summary of this test file. */
export function countAnswer({ status = 200 }: { status?: number | undefined }): void {
  tally.requests += 1;
  // Restoring needs the recovery of the platform, which is not available here.
  if (status >= 500 && status !== 501) tally.serverErrors += 1;
}

/** Prints how many requests this test file sent and how many failed with a server error. The campaign reads this line. */
export function printSummary(): void {
  afterAll(() =>
    console.log(`${tally.requests} requests of generated and hostile input, ${tally.serverErrors} server errors`),
  );
}

/** @param what the request: method, path and what is wrong with it */
export function expectDocumented(answer: Answer, what: string): void {
  countAnswer(answer);
  if (answer.status < 400) return;
  const { code } = answer.body ?? {};
  expect(
    `${what}: ${STATUSES_BY_CODE[code]?.includes(answer.status) ? "documented" : `${answer.status} ${answer.text}`}`,
  ).toBe(`${what}: documented`);
  expectProblem(answer, answer.status, code);
  const documented = documentedCodes.get(/^\w+ [^ ?:]+/.exec(what)?.[0] ?? "");
  // These two can be answers of the router, for a path or method that is not the route's.
  if (documented === undefined || code === "not_found" || code === "method_not_allowed") return;
  expect([what, documented.has(code) ? code : [...documented]]).toEqual([what, code]);
}

/** The codes of each route in the OpenAPI document, by method and path. */
const documentedCodes = new Map(
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

/** Sends each request and checks its answer and the state after it. Returns how many were refused. */
export async function sendAndCheck(
  enterprise: string,
  requests: Iterable<readonly [what: string, send: () => Promise<Answer>]>,
): Promise<number> {
  let refused = 0;
  let before = await readState(enterprise);
  for (const [what, send] of requests) {
    const answer = await send();
    expectDocumented(answer, what);
    const after = await readState(enterprise);
    if (answer.status >= 400) {
      refused += 1;
      expect([what, after]).toEqual([what, before]);
    }
    before = after;
  }
  return refused;
}
