// Makes the fixture of the upgrade test: run it at a release's commit, before anything else changes, with
// `node test/upgrade/make-state.ts`, or from a built bundle of the release: `… make-state.ts BUNDLE COMMIT`.
// The Worker first writes a state folder and is stopped before it has projected everything. A second process opens a
// copy of that folder, and its answers are what a later release must give too. The file is named after the release. This
// file is long because the state needs one example of everything that a release can store.
import { execFileSync } from "node:child_process";
import { createHash, createHmac } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { sign } from "hono/jwt";
import { pickEarly, seededRandom, wholeBetween } from "../../tools/kit/random.ts";
import { buildWorker } from "../../tools/workerd/build.ts";
import { Runtime } from "../../tools/workerd/runtime.ts";
import { type Credentials, type Fixture, SECRETS, writeFixture } from "./fixture.ts";
import { readAll, sendDebits } from "./requests.ts";

const FAR = Date.UTC(2099, 0, 1);
const CREDIT = 1_000_000;
const OLD_MODELS = ["claude-sonnet-4-5", "gpt-5", "gemini-2.5-pro"];
const random = seededRandom("upgrade");
const root = mkdtempSync(join(tmpdir(), "fuelgauge-upgrade-"));
const state = join(root, "state");

await main().finally(() => rmSync(root, { recursive: true, force: true }));

async function main(): Promise<void> {
  const bundle = process.argv[2] ?? buildWorker(join(root, "bundle"));
  const first = new Runtime(bundle, state, { secrets: SECRETS });
  await first.start();
  await first.migrate();
  const credentials = await writeState(first);
  await first.stop();

  const copy = join(root, "copy");
  cpSync(state, copy, { recursive: true });
  const second = new Runtime(bundle, copy, { secrets: SECRETS, variables: { RECORD: "1" } });
  await second.start();
  const fixture = await record(second, credentials);
  await second.stop();
  console.log(`${writeFixture(fixture, state)} bytes, ${fixture.reads.length} answers`);
}

async function writeState(runtime: Runtime): Promise<Record<string, Credentials>> {
  const credentials: Record<string, Credentials> = {};
  const startedAt = new Map<string, string>();
  const put = (enterprise: string, body: unknown) => runtime.call("PUT", `/v1/enterprises/${enterprise}`, body);
  const post = (enterprise: string, path: string, body: unknown = {}) =>
    runtime.call("POST", `/v1/enterprises/${enterprise}/${path}`, body);
  const clock = (enterprise: string, now: string) => post(enterprise, "test-clock", { now });
  const debit = async (enterprise: string, sent: { run: string } & Record<string, unknown>) => {
    const { test_clock } = (await runtime.call("GET", `/v1/enterprises/${enterprise}`)) as {
      test_clock: string | null;
    };
    const report = { ...sent, started_at: startedAt.get(sent.run) ?? test_clock ?? new Date().toISOString() };
    startedAt.set(sent.run, report.started_at);
    const { results } = (await send(runtime, enterprise, credentials[enterprise] as Credentials, [report])) as {
      results: { code?: string }[];
    };
    if (results[0]?.code !== undefined) throw new Error(JSON.stringify(results[0]));
  };

  // Credits: two turns, each kind of grant, debt paid and written off, refunds, pruned runs, two price books.
  await put("acme", {
    name: "Acme",
    billing_model: "credits",
    plan: "pro",
    monthly_allowance_micros: 400 * CREDIT,
    time_zone: "Europe/Berlin",
    anchor_day: 31,
    upgrade_url: "https://acme.example/upgrade",
    webhook_url: "https://upgrade-fixture.example.com/hook",
    test_clock: "2026-01-15T09:00:00.000Z",
  });
  credentials.acme = await makeCredentials(runtime, "acme");
  await runtime.call("PUT", "/v1/enterprises/acme/directory", {
    groups: [{ id: "team-a", name: "Team A" }],
    workspaces: [
      { id: "shop", name: "Shop", group_id: "team-a" },
      { id: "docs", name: "Docs" },
    ],
    users: [{ id: "ada", name: "Ada Lovelace" }],
  });
  for (const [id, credits, expires_at] of [
    ["g-used", 30, "2026-02-20T00:00:00.000Z"],
    ["g-expired", 500, "2026-01-20T00:00:00.000Z"],
    ["g-voided", 50, null],
    ["g-open", 900, "2026-12-01T00:00:00.000Z"],
  ] as const) {
    const grant = { id, amount_micros: credits * CREDIT, source: "promotion", ...(expires_at ? { expires_at } : {}) };
    await post("acme", "grants", grant);
  }
  await post("acme", "grants/g-voided/void");
  await debit("acme", report("forgotten", 0, 900_000));
  let nowMs = Date.parse("2026-01-15T09:00:00.000Z");
  for (let n = 1; n <= 40; n++) {
    nowMs += wholeBetween(random, 1, 30) * 3_600_000;
    await clock("acme", new Date(nowMs).toISOString());
    await debit("acme", report(`run-${n}`, n, wholeBetween(random, 1_000, 400_000)));
    if (n % 3 === 0) await debit("acme", { ...report(`run-${n}`, n, 20_000), model: OLD_MODELS[(n + 1) % 3] });
    if (n % 5 === 0) await debit("acme", { ...report(`run-${n}`, n, 500), final: true });
    // Draws of the last cycle, and of grants that have ended, are partly refunded in a later cycle.
    if (n % 7 === 0 && n > 7) await debit("acme", { ...report(`run-${n - 7}`, n - 7, 400), final: true });
    if (n === 30) {
      const book = (await runtime.call("GET", "/v1/price-book")) as { models: { id: string }[] };
      const models = book.models.map((model) =>
        model.id === "gpt-5" ? { ...model, input: "1.5", cache_read: "0.123456", aliases: ["fixture-alias"] } : model,
      );
      await runtime.call("PUT", "/v1/price-book", {
        models: [...models, { id: "house-model", input: "2", output: "7.25" }],
      });
    }
  }
  // More than everything: debt, of which a grant pays a part, in a run that is refunded later.
  await debit("acme", { ...report("huge", 1, 9_000_000), model: "fixture-alias" });
  await debit("acme", { ...report("huge-2", 2, 2_000_000), model: "house-model" });
  await post("acme", "grants", { id: "g-pays", amount_micros: 100 * CREDIT, source: "goodwill", note: "Sorry." });
  await runtime.project("acme");
  // The turn writes off the rest of the debt. Pruning forgets the first runs.
  await clock("acme", "2026-03-03T10:00:00.000Z");
  await runtime.project("acme");
  await post("acme", "grants", { id: "g-march", amount_micros: 40 * CREDIT, source: "purchase" });
  for (let n = 41; n <= 52; n++) await debit("acme", report(`run-${n}`, n, wholeBetween(random, 10_000, 500_000)));
  await debit("acme", { ...report("in-debt", 1, 6_000_000), model: "house-model" });
  await post("acme", "grants", { id: "g-late", amount_micros: 15 * CREDIT, source: "purchase" });

  // A free plan that is used up, referred by acme, with holds in every state.
  await put("free", {
    name: "Free & Co",
    billing_model: "credits",
    plan: "free",
    test_clock: "2026-03-10T12:00:00.000Z",
  });
  credentials.free = await makeCredentials(runtime, "free");
  const { referral_code } = (await runtime.call("GET", "/v1/enterprises/acme")) as { referral_code: string };
  await runtime.call("POST", "/v1/referrals", { code: referral_code, referee: "free" });
  const who = { surface: "web", workspace: "shop", user: "ada" };
  const start = (run: string, credits: number, hold_ttl_seconds = 86_400) =>
    post("free", "runs", { run, ...who, hold_micros: credits * CREDIT, hold_ttl_seconds });
  await start("hold-expired", 5, 60);
  await start("hold-released", 6);
  await start("hold-active", 7);
  await start("hold-spent", 1);
  await runtime.call("DELETE", "/v1/enterprises/free/runs/hold-released/hold");
  await clock("free", "2026-03-10T12:05:00.000Z");
  await debit("free", { ...report("hold-active", 1, 10_000), ...who });
  await debit("free", { ...report("hold-spent", 2, 100_000), ...who });

  // Byom: a cap, spend in two cycles, and a meter that began in credits.
  await put("byom", {
    name: "Byom",
    billing_model: "credits",
    plan: "team",
    time_zone: "Asia/Kathmandu",
    test_clock: "2026-02-27T12:00:00.000Z",
  });
  credentials.byom = await makeCredentials(runtime, "byom");
  await debit("byom", report("began-in-credits", 0, 50_000));
  await put("byom", { billing_model: "byom" });
  await runtime.call("PUT", "/v1/enterprises/byom/spend-cap", { monthly_cap_micros: 20 * CREDIT });
  await debit("byom", report("usd-1", 1, 300_000));
  await clock("byom", "2026-03-02T12:00:00.000Z");
  await debit("byom", { ...report("usd-1", 1, 10_000), final: true });
  for (let n = 2; n <= 12; n++) await debit("byom", report(`usd-${n}`, n, wholeBetween(random, 5_000, 300_000)));
  await runtime.call("PUT", "/v1/enterprises/byom/spend-cap", { monthly_cap_micros: 40 * CREDIT });

  // Further usage kinds, tiers, an estimate, a multiplier, and a price override.
  await put("free", { price_multiplier: "1.25" });
  const own = { id: "own-model", input: "1", output: "2", web_searches: "10", tiers: { flex: { input: "0.5" } } };
  await runtime.call("PUT", "/v1/enterprises/free/price-overrides", { models: [own] });
  const kinds = { cache_write_1h_tokens: 700, output_audio_tokens: 90, web_searches: 2 };
  const further = (run: string, n: number, input_tokens: number) => {
    const { usage, ...rest } = report(run, n, input_tokens);
    return { ...rest, run, usage: { ...(usage as object), ...kinds } };
  };
  await debit("free", { ...further("kinds-1", 1, 2_000), model: "own-model" });
  await debit("free", { ...further("kinds-1", 1, 3_000), model: "own-model", tier: "flex" });
  await debit("byom", { ...further("kinds-2", 2, 4_000), model: "claude-sonnet-4-5" });
  await debit("byom", { ...further("kinds-2", 2, 300_000), model: "claude-sonnet-4-5", tier: "above_200000" });
  await debit("byom", { ...report("kinds-3", 3, 5_000), estimated: true });

  // Usage without a price, budgets in every state, channels, imported history, and a person who was erased.
  await debit("free", { ...report("waits", 1, 6_000), model: "nobody-prices-this" });
  const budget = (dimension: string, id: string, period: string, credits: number | null, action = "block") =>
    runtime.call("PUT", `/v1/enterprises/free/budgets/${dimension}/${id}/${period}`, {
      limit_micros: credits === null ? null : credits * CREDIT,
      action,
    });
  await budget("user", "*", "cycle", 900);
  await budget("user", "ada", "day", 900);
  await budget("user", "bob", "cycle", null);
  await budget("workspace", "shop", "cycle", 500, "warn");
  await budget("group", "team-b", "day", 2);
  // Messages about the debits of the test would have ids that differ.
  const target = "https://channel-fixture.example.com/hook";
  const channel = { kind: "webhook", target, events: ["cycle_report"], thresholds: [50, 90] };
  await runtime.call("PUT", "/v1/enterprises/free/channels/ops", channel);
  const imported = { workspace: "shop", user: "ada", model: "gpt-5", requests: 3, amount_micros: 7 * CREDIT };
  const days = ["2026-01-05", "2026-02-11", "2026-02-12"].map((day) => ({ day, surface: "web", ...imported }));
  await post("free", "history", { unit: "credits", rows: days });
  await debit("free", { ...report("of-eve", 1, 9_000), workspace: "lab", user: "eve" });
  await runtime.project("free");
  await post("free", "users/eve/erase");

  // The real clock.
  await put("today", { name: "Today", billing_model: "credits", plan: "team" });
  credentials.today = await makeCredentials(runtime, "today");
  await debit("today", report("today-1", 1, 90_000));

  for (const enterprise of ["acme", "free", "byom", "today"]) await runtime.project(enterprise);
  // The process stops before these reach the copy.
  await debit("free", { ...report("hold-spent", 2, 140_000), ...who });
  await debit("byom", report("usd-3", 3, 400_000));
  await debit("acme", report("run-52", 52, 600_000));
  return credentials;
}

/** The nth run's report of its first model. Its attribution depends on the run alone. */
function report(run: string, n: number, input_tokens: number): { run: string } & Record<string, unknown> {
  const pick = seededRandom(run);
  return {
    run,
    model: OLD_MODELS[n % 3],
    usage: {
      input_tokens,
      output_tokens: input_tokens >> 4,
      cache_read_tokens: input_tokens * 2,
      cache_write_tokens: 7,
    },
    surface: n % 2 === 0 ? "web" : "cli",
    workspace: pickEarly(pick, ["shop", "docs", "lab"]),
    user: pickEarly(pick, ["ada", "bob"]),
  };
}

async function makeCredentials(runtime: Runtime, enterprise: string): Promise<Credentials> {
  const addKey = async (name: string, scopes: string[]) =>
    (await runtime.call("POST", `/v1/enterprises/${enterprise}/keys`, { name, scopes })) as { id: string; key: string };
  const revoked = await addKey("revoked", ["debit", "read"]);
  await runtime.call("DELETE", `/v1/enterprises/${enterprise}/keys/${revoked.id}`);
  // The format of the release, with an expiry that no interface would give.
  const token = (kind: string, origin = "") =>
    sign(
      { kind, ent: enterprise, sub: "ada", role: "admin", jti: `${enterprise}-${kind}`, org: origin, exp: FAR / 1000 },
      SECRETS.signingSecret,
      "HS256",
    );
  const usedLink = await sign(
    { kind: "link", ent: enterprise, sub: "bob", role: "member", jti: `${enterprise}-used`, org: "", exp: FAR / 1000 },
    SECRETS.signingSecret,
    "HS256",
  );
  const response = await fetch(`http://localhost:${runtime.port}/signin`, {
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded", origin: `http://localhost:${runtime.port}` },
    body: new URLSearchParams({ token: usedLink }),
    redirect: "manual",
  });
  if (!/^fuelgauge=/.test(response.headers.get("set-cookie") ?? "")) throw new Error(`sign-in: ${response.status}`);
  return {
    key: (await addKey("agents", ["debit", "read"])).key,
    adminKey: (await addKey("admin", ["admin", "read"])).key,
    revokedKey: revoked.key,
    session: await token("session"),
    embedToken: await token("embed", "https://ide.example"),
    link: await token("link"),
    usedLink,
  };
}

/** Reads everything, sends more reports, and reads again. */
async function record(runtime: Runtime, credentials: Record<string, Credentials>): Promise<Fixture> {
  for (const enterprise of Object.keys(credentials)) await runtime.project(enterprise);
  await sleep(100);
  await (await runtime.ask("recorded-calls")).arrayBuffer();
  const reads = await readAll(runtime);
  const debits = await sendDebits(runtime, credentials);
  for (const enterprise of Object.keys(credentials)) await runtime.project(enterprise);
  const readsAfterDebits = await readAll(runtime);
  await operate(runtime);
  const calls = (await (await runtime.ask("recorded-calls")).json()) as Fixture["calls"];
  const expiresAt = String(FAR);
  // The release keeps the padding of base64url.
  const hash = createHash("sha256").update(SECRETS.operatorKey).digest("base64url").padEnd(44, "=");
  const claim = `operator-session\n${expiresAt}\n${hash}`;
  const { referral_code } = (await runtime.call("GET", "/v1/enterprises/free")) as { referral_code: string };
  return {
    release: process.argv[3] ?? execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim(),
    credentials,
    operatorSession: `${expiresAt}.${createHmac("sha256", SECRETS.signingSecret).update(claim).digest("base64url").padEnd(44, "=")}`,
    referralCode: referral_code,
    reads,
    debits,
    readsAfterDebits,
    calls: calls.filter(({ object }) => object !== "today"),
  };
}

/** Calls the interface's other routes, so that the calls of objects behind them are recorded too. */
async function operate(runtime: Runtime): Promise<void> {
  const free = "/v1/enterprises/free";
  const run = { surface: "cli", workspace: "shop", user: "ada" };
  const { id } = (await runtime.call("POST", `${free}/keys`, { name: "later", scopes: ["read"] })) as { id: string };
  await runtime.call("DELETE", `${free}/keys/${id}`);
  await runtime.call("POST", `${free}/runs`, { run: "started", ...run, model: "gpt-5", hold_micros: 3 * CREDIT });
  await runtime.call("POST", `${free}/runs`, { run: "started", ...run, hold_micros: 9 * CREDIT });
  await runtime.call("DELETE", `${free}/runs/started/hold`);
  await runtime.call("POST", `${free}/grants`, { id: "later", amount_micros: 5 * CREDIT, source: "goodwill" });
  await runtime.call("GET", `${free}/grants`);
  await runtime.call("POST", `${free}/grants/later/void`);
  await runtime.call("PUT", `${free}/directory`, { users: [{ id: "ada", name: "Ada" }] });
  await runtime.call("PUT", free, { name: "Free, renamed" });
  await runtime.call("POST", `${free}/test-clock`, { now: "2026-04-03T12:00:00.000Z" });
  await runtime.call("PUT", "/v1/enterprises/byom/spend-cap", { monthly_cap_micros: null });
  await runtime.call("POST", "/v1/enterprises/acme/webhooks/test");
  await runtime.call("GET", "/v1/enterprises?limit=10");
  await runtime.call("GET", `${free}/audit`);
  await runtime.call("POST", `${free}/rebuild`);
}

async function send(runtime: Runtime, enterprise: string, { key }: Credentials, reports: unknown[]): Promise<unknown> {
  const response = await fetch(`http://localhost:${runtime.port}/v1/enterprises/${enterprise}/debits`, {
    method: "POST",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ reports }),
  });
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`);
  return response.json();
}
