// The requests whose answers the fixture holds: every question about every enterprise, and more reports for its meters.
import type { Runtime } from "../../tools/workerd/runtime.ts";
import type { Credentials, Fixture, Recorded } from "./fixture.ts";

/** Enterprises with a test clock: their answers do not depend on the day on which the test runs. */
export const FROZEN = ["acme", "free", "byom"];
const USAGE = [24, 7, 30].map((n) => `usage/timeseries?range=${n === 24 ? "24h" : `${n}d`}`);
const TOP = ["workspaces", "groups", "users"].map((dimension) => `usage/top/${dimension}`);
const QUESTIONS = ["", "gauge", "grants?limit=100", "keys", "webhooks?limit=100", "runs.csv", ...USAGE, ...TOP];

/** Questions of later releases. Of an enterprise whose usage is older than the usage cube, some are refused. */
const LATER = [
  "cycles",
  "budgets",
  "budgets/user/ada",
  "channels",
  "price-overrides",
  "usage/kinds",
  "usage/top/models",
  "usage/top/users?workspace=shop",
  "export?kind=usage",
  "export?kind=entries",
];

/** Reads the gauge, all lists, all receipts and all charts of every enterprise with a test clock. */
export async function readAll(runtime: Runtime): Promise<Recorded[]> {
  const recorded: Recorded[] = [{ path: "/v1/price-book", answer: await read(runtime, "/v1/price-book") }];
  for (const enterprise of FROZEN) {
    const root = `/v1/enterprises/${enterprise}`;
    const runs = await readList(runtime, `${root}/runs`);
    const paths = [
      ...QUESTIONS.map((question) => (question === "" ? root : `${root}/${question}`)),
      ...runs.map(({ run }) => `${root}/runs/${run}`),
    ];
    recorded.push({ path: `${root}/runs`, answer: runs });
    recorded.push({ path: `${root}/entries`, answer: await readList(runtime, `${root}/entries`) });
    for (const path of paths) recorded.push({ path, answer: await read(runtime, path) });
    for (const question of LATER) {
      const path = `${root}/${question}`;
      const { status, answer } = await ask(runtime, path);
      recorded.push({ path, answer: status === 200 ? withoutCursor(answer) : { status } });
    }
  }
  return recorded;
}

/** Reports more usage of the fixture's meters, old and new, and returns the answers. */
export async function sendDebits(
  runtime: Runtime,
  credentials: Record<string, Credentials>,
): Promise<Fixture["debits"]> {
  const debits: Fixture["debits"] = [];
  for (const enterprise of FROZEN) {
    const receipts = (await readList(runtime, `/v1/enterprises/${enterprise}/runs`)).map(({ run }) => String(run));
    for (const run of receipts) {
      const receipt = await read(runtime, `/v1/enterprises/${enterprise}/runs/${run}`);
      const { meters } = receipt as { meters: { model: string; tier?: string; usage: Record<string, number> }[] };
      for (const [i, meter] of meters.entries()) {
        const { usage } = meter;
        // The first release knows no tiers.
        const model = { model: meter.model, ...(meter.tier === undefined ? {} : { tier: meter.tier }) };
        const grown = Object.fromEntries(
          Object.entries(usage).map(([kind, tokens]) => [kind, tokens + 1_111 * (i + 1)]),
        );
        const shrunk = Object.fromEntries(Object.entries(usage).map(([kind, tokens]) => [kind, tokens >> 1]));
        for (const report of [
          { run, ...model, usage: grown },
          { run, ...model, usage: shrunk, final: true },
        ]) {
          debits.push({ enterprise, report, answer: await debit(runtime, enterprise, credentials, report) });
        }
      }
    }
    const { test_clock } = (await read(runtime, `/v1/enterprises/${enterprise}`)) as { test_clock: string };
    const late = { model: "gpt-5", usage: { input_tokens: 1, output_tokens: 1 } };
    const who = { surface: "web", workspace: "new", user: "new", started_at: test_clock };
    for (const report of [
      { ...late, run: "forgotten", ...who, started_at: "2026-01-15T09:00:00.000Z" },
      { ...late, run: "new-run", ...who },
      { ...late, run: "new-run", ...who, user: "other" },
      { ...late, run: "new-run", model: "fixture-alias", usage: { input_tokens: 100_000, output_tokens: 5_000 } },
    ]) {
      debits.push({ enterprise, report, answer: await debit(runtime, enterprise, credentials, report) });
    }
  }
  return debits;
}

async function debit(
  runtime: Runtime,
  enterprise: string,
  credentials: Record<string, Credentials>,
  report: unknown,
): Promise<unknown> {
  const response = await fetch(`http://localhost:${runtime.port}/v1/enterprises/${enterprise}/debits`, {
    method: "POST",
    headers: { authorization: `Bearer ${credentials[enterprise]?.key}`, "content-type": "application/json" },
    body: JSON.stringify(report),
  });
  return response.json();
}

async function readList(runtime: Runtime, path: string): Promise<Record<string, unknown>[]> {
  const rows: Record<string, unknown>[] = [];
  let cursor: string | null = null;
  do {
    const page = (await read(runtime, `${path}?limit=50${cursor === null ? "" : `&cursor=${cursor}`}`)) as {
      rows: Record<string, unknown>[];
      next_cursor: string | null;
    };
    rows.push(...page.rows);
    cursor = page.next_cursor;
  } while (cursor !== null);
  return rows;
}

/** Callers cannot read an export's cursor: it counts restores and changes. */
function withoutCursor(answer: unknown): unknown {
  return typeof answer === "string" ? answer.replace(/\{"next":.*\}\n?$/, "") : answer;
}

/** The JSON or the text of an answer. Throws unless the status is 200. */
async function read(runtime: Runtime, path: string): Promise<unknown> {
  const { status, answer } = await ask(runtime, path);
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${JSON.stringify(answer)}`);
  return answer;
}

async function ask(runtime: Runtime, path: string): Promise<{ status: number; answer: unknown }> {
  const response = await fetch(`http://localhost:${runtime.port}${path}`, {
    headers: { authorization: `Bearer ${runtime.operatorKey}` },
  });
  const isJson = /[/+]json/.test(response.headers.get("content-type") ?? "");
  return { status: response.status, answer: await (isJson ? response.json() : response.text()) };
}
