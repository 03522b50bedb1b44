// Channels: who may change them, what each of them gets and when, and how a message is delivered. This file is long
// because one set of receivers outside the Worker serves all of these tests.
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import {
  CREDIT,
  costing,
  type Enterprise,
  expectProblem,
  invalidPaths,
  newEnterprise,
  objectOf,
  operator,
} from "./api.ts";

const HOOK = "https://hooks.acme.example/alerts";
const SLACK = "https://hooks.slack.com/services/T0000000/B0000000/abcdefghijklmnopqrstuvwx";

type Received = { to: string; headers: Record<string, string>; body: string };
type Email = { to: string; from: { email: string; name: string }; subject: string; text: string; html: string };

let received: Received[];
let emails: Email[];
let respond: (to: string) => Promise<Response>;

// Replaces the receivers, the only thing here that is outside the Worker.
beforeEach(() => {
  received = [];
  emails = [];
  respond = async () => new Response(null, { status: 204 });
  vi.stubGlobal("fetch", async (to: string, init: RequestInit) => {
    received.push({ to, headers: init.headers as Record<string, string>, body: init.body as string });
    return respond(to);
  });
  const sender = { send: async (email: Email) => void emails.push(email) };
  Object.defineProperty(env, "EMAIL", { value: sender, configurable: true, writable: true });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

const newCredits = (settings: Record<string, unknown> = {}) =>
  newEnterprise({ monthly_allowance_micros: 100 * CREDIT, plan: "pro", ...settings });
const put = ({ path }: Pick<Enterprise, "path">, id: string, body: Record<string, unknown>) =>
  operator("PUT", `${path}/channels/${id}`, body);
const webhook = (fields: Record<string, unknown> = {}) => ({ kind: "webhook", target: HOOK, ...fields });
const list = async ({ path }: Pick<Enterprise, "path">) => (await operator("GET", `${path}/channels`)).body.rows;
const log = async ({ path }: Pick<Enterprise, "path">) =>
  (await operator("GET", `${path}/webhooks?limit=100`)).body.rows;

/** Runs the alarm until everything is delivered. Returns the codes that went to this URL. */
async function codesAt({ id, path }: Pick<Enterprise, "id" | "path">, url = HOOK): Promise<string[]> {
  for (let n = 0; n < 3; n++) await runDurableObjectAlarm(objectOf(id));
  await expect
    .poll(async () => (await log({ path })).filter(({ state }: { state: string }) => state === "pending"))
    .toEqual([]);
  return received.filter(({ to }) => to === url).map(({ body }) => JSON.parse(body).data.code);
}

it("lists channels by id, a page at a time", async () => {
  const enterprise = await newCredits();
  for (const id of ["c", "a", "b"]) await put(enterprise, id, webhook());
  const page = async (query: string) => (await operator("GET", `${enterprise.path}/channels${query}`)).body;
  const idsOf = ({ rows }: { rows: { id: string }[] }) => rows.map(({ id }) => id);

  expect(idsOf(await page(""))).toEqual(["a", "b", "c"]);
  expect((await page("")).next_cursor).toBeNull();
  const first = await page("?limit=2");
  expect(idsOf(first)).toEqual(["a", "b"]);
  const last = await page(`?limit=2&cursor=${encodeURIComponent(first.next_cursor)}`);
  expect(idsOf(last)).toEqual(["c"]);
  expect(last.next_cursor).toBeNull();
  for (const query of ["?limit=0", "?limit=101", "?cursor=x", "?unknown=1"]) {
    expectProblem(await operator("GET", `${enterprise.path}/channels${query}`), 422, "validation_failed");
  }
});

it("makes, shows, changes and removes a channel", async () => {
  const e = await newCredits();
  const made = await put(e, "ops", webhook({ thresholds: [90, 60, 60] }));
  expect(made.status).toBe(201);
  expect(made.body).toEqual({
    id: "ops",
    kind: "webhook",
    target: HOOK,
    events: null,
    thresholds: [60, 90],
    active: true,
    paused: false,
    confirmed: null,
    created_at: expect.any(String),
    last_delivery: null,
    webhook_secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/),
  });
  const { webhook_secret: secret, ...shown } = made.body;
  expect(await list(e)).toEqual([shown]);
  const changed = await put(e, "ops", webhook({ events: ["exhausted"], active: false }));
  expect(changed.status).toBe(200);
  expect(changed.body).toEqual({
    ...shown,
    events: ["exhausted"],
    thresholds: [50, 75, 90, 100],
    active: false,
    paused: true,
  });
  const rotated = await put(e, "ops", webhook({ rotate_secret: true }));
  expect(rotated.body.webhook_secret).toMatch(/^whsec_/);
  expect(rotated.body.webhook_secret).not.toBe(secret);
  const moved = await put(e, "ops", webhook({ target: `${HOOK}/2` }));
  expect(moved.body.webhook_secret).toMatch(/^whsec_/);
  expect(moved.body.webhook_secret).not.toBe(rotated.body.webhook_secret);
  expect((await operator("DELETE", `${e.path}/channels/ops`)).status).toBe(204);
  expect(await list(e)).toEqual([]);
  expectProblem(await operator("DELETE", `${e.path}/channels/ops`), 404, "not_found");
  expectProblem(await operator("POST", `${e.path}/channels/ops/test`), 404, "not_found");
});

it("refuses what is not a channel", async () => {
  const e = await newCredits();
  const bad: [string, Record<string, unknown>][] = [
    ["kind", { kind: "sms", target: HOOK }],
    ["target", { kind: "webhook", target: "http://hooks.acme.example/" }],
    ["target", { kind: "webhook", target: "https://10.0.0.1/hook" }],
    ["target", { kind: "slack", target: "https://hooks.slack.com.internal/services/a" }],
    ["target", { kind: "slack", target: "ops@acme.example" }],
    ["target", { kind: "email", target: HOOK }],
    ["target", { kind: "email", target: "a@b@c" }],
    ["target", { kind: "webhook", target: "https://fuelgauge.test/hook" }],
    ["target", { kind: "slack", target: "https://hooks.slack.com/***uvwx" }],
    ["events.0", webhook({ events: ["usage"] })],
    ["events.0", webhook({ events: ["usage_0"] })],
    ["events.0", webhook({ events: ["cap_101"] })],
    ["thresholds.0", webhook({ thresholds: [0] })],
    ["thresholds.0", webhook({ thresholds: [101] })],
    ["thresholds.0", webhook({ thresholds: [50.5] })],
    ["rotate_secret", { kind: "slack", target: SLACK, rotate_secret: true }],
    ["secret", webhook({ secret: "mine" })],
  ];
  for (const [path, body] of bad) {
    const answer = await put(e, "ops", body);
    expect([body, answer.status === 422 ? invalidPaths(answer) : answer.status]).toEqual([body, [path]]);
  }
  expect(await list(e)).toEqual([]);
});

it("allows 50 channels, and changes of them", async () => {
  const e = await newCredits();
  for (let n = 0; n < 50; n++) expect((await put(e, `c${n}`, webhook())).status).toBe(201);
  expectProblem(await put(e, "c50", webhook()), 409, "too_many_channels");
  expect((await put(e, "c49", webhook({ active: false }))).status).toBe(200);
});

it("lets admins change channels, and nobody else", async () => {
  const e = await newCredits();
  const admin = await e.createKey(["admin"]);
  expect((await admin.send("PUT", `${e.path}/channels/ops`, webhook())).status).toBe(201);
  expectProblem(await e.agent("PUT", `${e.path}/channels/x`, webhook()), 403, "scope_denied");
  expectProblem(await e.agent("GET", `${e.path}/channels`), 403, "scope_denied");
  expectProblem(await e.agent("POST", `${e.path}/channels/ops/test`), 403, "scope_denied");
  await operator("DELETE", `${e.path}/keys/${admin.id}`);
  expectProblem(await admin.send("DELETE", `${e.path}/channels/ops`), 401, "key_revoked");
});

it("sends each channel the highest of the thresholds it has chosen that usage has passed, once", async () => {
  const e = await newCredits();
  await put(e, "a", webhook({ thresholds: [10, 60] }));
  await put(e, "b", webhook({ target: `${HOOK}/b`, thresholds: [33] }));
  for (const [i, credits] of [5, 10, 18, 1, 1, 30].entries()) await e.debit(costing(credits, { run: `r${i}` }));
  expect(await codesAt(e)).toEqual(["usage_10", "on_track_to_run_out", "usage_60"]);
  expect(await codesAt(e, `${HOOK}/b`)).toEqual(["usage_33", "on_track_to_run_out"]);
  expect((await log(e)).map(({ channel, type }: Record<string, string>) => [channel, type])).toContainEqual([
    "b",
    "threshold.crossed",
  ]);
});

it("sends each level of a budget once to webhook_url and to the channels, and again in the next period", async () => {
  const e = await newCredits({ webhook_url: `${HOOK}/url` });
  await put(e, "ops", webhook({ events: ["budget_75", "budget_90", "budget_reached"] }));
  await operator("PUT", `${e.path}/budgets/user/*/day`, { limit_micros: 10 * CREDIT });
  await operator("PUT", `${e.path}/budgets/group/none/cycle`, { limit_micros: 12 * CREDIT, action: "warn" });
  for (const credits of [7, 8, 8.5, 9, 10, 11]) await e.debit(costing(credits, { final: false }));
  await e.moveTo("2026-03-11T00:00:00Z");
  await e.debit(costing(21, { final: false }));
  const sentTo = async (url: string) => {
    await codesAt(e, url);
    const messages = received.filter(({ to }) => to === url).map(({ body }) => JSON.parse(body));
    return messages
      .filter(({ type }) => type === "budget.crossed")
      .map(({ data: { code, budget } }) => `${code} ${budget.dimension} ${budget.id} ${budget.period}`);
  };
  const all = [
    "budget_75 user u1 day",
    "budget_75 group none cycle",
    "budget_90 user u1 day",
    "budget_reached user u1 day",
    "budget_90 group none cycle",
    "budget_reached user u1 day",
    "budget_reached group none cycle",
  ];
  expect((await sentTo(HOOK)).sort()).toEqual([...all].sort());
  expect((await sentTo(`${HOOK}/url`)).sort()).toEqual([...all].sort());
});

it("signs what a webhook gets, with the gauge and the name of the enterprise", async () => {
  const e = await newCredits();
  const { body: channel } = await put(e, "ops", webhook({ events: ["usage_50"], thresholds: [50] }));
  await e.debit(costing(60));
  await codesAt(e);
  const [{ headers, body }] = received as [Received];
  expect(new Webhook(channel.webhook_secret).verify(body, headers)).toMatchObject({
    type: "threshold.crossed",
    data: {
      enterprise: e.id,
      name: "Acme",
      time_zone: "UTC",
      code: "usage_50",
      level: "info",
      gauge: { used_micros: 60 * CREDIT },
    },
  });
});

it("says that credits are used up, that there are some again, and starts over with the next cycle", async () => {
  const e = await newCredits();
  await put(e, "ops", webhook({ events: ["exhausted", "recovered"] }));
  await e.debit(costing(120));
  await e.debit(costing(130));
  await e.grant({ id: "g", amount_micros: 10 * CREDIT });
  await e.grant({ id: "h", amount_micros: 50 * CREDIT });
  await e.debit(costing(200));
  await e.moveTo("2026-04-01T00:00:00Z");
  await e.debit(costing(1, { run: "r2", started_at: "2026-04-01T00:00:00Z" }));
  expect(await codesAt(e)).toEqual(["exhausted", "recovered", "exhausted", "recovered"]);
});

it("sends the thresholds of the spend cap, and that it is reached", async () => {
  const e = await newCredits({ billing_model: "byom", monthly_allowance_micros: null });
  await put(e, "ops", webhook({ thresholds: [40, 100], events: ["cap_40", "cap_100", "exhausted", "recovered"] }));
  await operator("PUT", `${e.path}/spend-cap`, { monthly_cap_micros: CREDIT });
  await e.debit(costing(50));
  await e.debit(costing(120));
  await operator("PUT", `${e.path}/spend-cap`, { monthly_cap_micros: null });
  expect(await codesAt(e)).toEqual(["cap_40", "cap_100", "exhausted", "recovered"]);
});

it("says once that bonus expires soon", async () => {
  const e = await newCredits();
  await put(e, "ops", webhook({ events: ["bonus_expiring"] }));
  await e.grant({ id: "g", amount_micros: 30 * CREDIT, expires_at: "2026-03-28T00:00:00Z" });
  expect(await codesAt(e)).toEqual([]);
  await e.moveTo("2026-03-22T00:00:00Z");
  await e.moveTo("2026-03-23T00:00:00Z");
  expect(await codesAt(e)).toEqual(["bonus_expiring"]);
  expect(JSON.parse(received[0]?.body ?? "").data).toMatchObject({
    expires_at: "2026-03-28T00:00:00.000Z",
    amount_micros: 30 * CREDIT,
  });
});

it("reports a cycle at its end, with those who used most", async () => {
  const e = await newCredits();
  await operator("PUT", `${e.path}/directory`, { users: [{ id: "u1", name: "Ada" }] });
  await put(e, "ops", webhook({ events: ["cycle_report"] }));
  await e.debit(costing(20, { run: "r1" }));
  await e.debit(costing(30, { run: "r2", user: "u2", workspace: "w2" }));
  await e.moveTo("2026-04-01T00:00:00Z");
  expect(await codesAt(e)).toEqual(["cycle_report"]);
  expect(JSON.parse(received[0]?.body ?? "")).toMatchObject({
    type: "cycle.reported",
    data: {
      cycle: { starts_at: "2026-03-01T00:00:00.000Z", ends_at: "2026-04-01T00:00:00.000Z" },
      unit: "credits",
      used_micros: 50 * CREDIT,
      limit_micros: 100 * CREDIT,
      requests: 2,
      top: {
        workspaces: [{ id: "w2" }, { id: "w1" }],
        users: [
          { id: "u2", name: null, requests: 1, amount_micros: 30 * CREDIT },
          { id: "u1", name: "Ada", requests: 1, amount_micros: 20 * CREDIT },
        ],
        models: [{ id: "gpt-5", requests: 2, amount_micros: 50 * CREDIT }],
      },
    },
  });
  await e.moveTo("2026-04-02T00:00:00Z");
  expect(await codesAt(e)).toEqual(["cycle_report"]);
});

it("sends nothing late: to a new channel, to one that was paused, and to none", async () => {
  const e = await newCredits();
  await e.debit(costing(80));
  await put(e, "ops", webhook({ thresholds: [50, 90], events: ["usage_50", "usage_90", "exhausted"] }));
  await e.debit(costing(81));
  await put(e, "ops", webhook({ active: false }));
  await e.debit(costing(120));
  await put(e, "ops", webhook({ events: ["usage_90", "exhausted"] }));
  await e.debit(costing(121));
  expect(await codesAt(e)).toEqual([]);
});

it("gives up what waits for a channel that was removed or paused", async () => {
  const e = await newCredits();
  respond = async () => new Response(null, { status: 500 });
  for (const id of ["gone", "paused"]) await put(e, id, webhook({ target: `${HOOK}/${id}`, events: ["usage_50"] }));
  await e.debit(costing(60));
  await runDurableObjectAlarm(objectOf(e.id));
  await expect.poll(() => received.length).toBe(2);
  await operator("DELETE", `${e.path}/channels/gone`);
  expect((await log(e)).find(({ channel }: { channel: string }) => channel === "gone")).toMatchObject({
    state: "given_up",
    last_error: "the channel was removed",
  });
  expect((await list(e))[0].last_delivery).toMatchObject({ state: "pending", last_status: 500, attempts: 1 });
});

it("posts blocks to Slack, and shows the URL to nobody afterwards", async () => {
  const e = await newCredits({ name: "Acme <!channel> & Sons" });
  const made = await put(e, "team", { kind: "slack", target: SLACK, events: ["usage_75"] });
  expect(made.body.target).toBe(SLACK);
  expect(made.text).not.toContain("whsec_");
  const masked = "https://hooks.slack.com/***uvwx";
  expect(await list(e)).toMatchObject([{ target: masked }]);
  expect((await put(e, "team", { kind: "slack", target: masked, events: ["usage_75"] })).body.target).toBe(masked);
  await e.debit(costing(80));
  await runDurableObjectAlarm(objectOf(e.id));
  await expect.poll(() => received.map(({ to }) => to)).toEqual([SLACK]);
  const message = JSON.parse(received[0]?.body ?? "");
  expect(message.text).toBe("Acme &lt;!channel&gt; &amp; Sons has used 75 % of its credits");
  expect(message.blocks[1].text.text).toContain("<https://fuelgauge.test/settings/usage|Open the usage page>");
  await expect.poll(async () => (await log(e))[0].state).toBe("delivered");
  for (const route of ["channels", "webhooks", "entries", ""]) {
    expect((await operator("GET", `${e.path}/${route}`.replace(/\/$/, ""))).text).not.toContain("abcdefghijkl");
  }
});

it("tests a channel at once, and says how that went", async () => {
  const e = await newCredits();
  await put(e, "ops", webhook({ active: false }));
  const test = () => operator("POST", `${e.path}/channels/ops/test`);
  expect((await test()).body).toEqual({ delivered: true, detail: "The receiver answered 204." });
  respond = async () => new Response("no", { status: 404 });
  expect((await test()).body).toEqual({ delivered: false, detail: "The receiver answered 404." });
  respond = () => Promise.reject(new TypeError(`cannot reach ${HOOK}`));
  expect((await test()).body).toEqual({ delivered: false, detail: "The receiver cannot be reached: TypeError." });
  expect(await log(e)).toMatchObject([
    { channel: "ops", type: "test", state: "given_up", attempts: 1, last_error: "TypeError", next_attempt_at: null },
    { state: "given_up", last_status: 404 },
    { state: "delivered", last_status: 204 },
  ]);
  expect(JSON.parse(received[0]?.body ?? "")).toMatchObject({ type: "test", data: { enterprise: e.id, code: "test" } });
});

it("asks the recipient of an email channel first, and sends nothing before", async () => {
  const e = await newCredits();
  const made = await put(e, "mail", { kind: "email", target: "ops@acme.example", events: ["usage_50"] });
  expect(made.body).toMatchObject({ target: "ops@acme.example", active: false, paused: false, confirmed: false });
  const alarm = () => runDurableObjectAlarm(objectOf(e.id));
  await alarm();
  await expect.poll(() => emails.length).toBe(1);
  const [asked] = emails as [Email];
  expect(asked).toMatchObject({ to: "ops@acme.example", from: { email: "fuelgauge@platform.example" } });
  const link = new URL(/https:\S+/.exec(asked.text)?.[0] ?? "");
  expect(link.pathname).toBe("/confirm-email");
  const token = link.searchParams.get("token") ?? "";
  expect(JSON.stringify(await log(e))).not.toContain(token);
  const stored = await runInDurableObject(objectOf(e.id), (_, { storage }) =>
    JSON.stringify(storage.sql.exec("SELECT * FROM webhooks").toArray()),
  );
  expect(stored).not.toContain(token);
  expect(await log(e)).toMatchObject([{ channel: "mail", type: "confirmation", state: "delivered" }]);
  expect((await operator("POST", `${e.path}/channels/mail/test`)).body).toMatchObject({ delivered: false });
  await e.debit(costing(60));
  await alarm();
  expect(emails).toHaveLength(1);

  const shown = await exports.default.fetch(link.href, { headers: { Accept: "text/html" } });
  expect(await shown.text()).toContain("ops@acme.example");
  expect((await list(e))[0]).toMatchObject({ active: false, confirmed: false });
  const form = (sent: string) =>
    exports.default.fetch("https://fuelgauge.test/confirm-email", {
      method: "POST",
      headers: { "Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin" },
      body: new URLSearchParams({ token: sent }),
    });
  expect((await form(`${token}x`)).status).toBe(410);
  expect((await form(token)).status).toBe(200);
  expect((await form(token)).status).toBe(200);
  expect((await list(e))[0]).toMatchObject({ active: true, confirmed: true });
  await e.grant({ id: "g", amount_micros: 100 * CREDIT });
  await e.debit(costing(110));
  await alarm();
  await expect
    .poll(() => emails.map(({ subject }) => subject))
    .toEqual(["Confirm messages about Acme", "Acme has used 50 % of its credits"]);
  // Another address must be confirmed again, and the old link does not do that.
  const moved = await put(e, "mail", { kind: "email", target: "eve@acme.example" });
  expect(moved.body).toMatchObject({ active: false, confirmed: false });
  expect((await form(token)).status).toBe(410);
});

it("refuses an email channel if the deployment cannot send emails", async () => {
  const e = await newCredits();
  Object.defineProperty(env, "EMAIL", { value: undefined, configurable: true, writable: true });
  expectProblem(await put(e, "mail", { kind: "email", target: "ops@acme.example" }), 409, "email_not_configured");
});

it("counts messages that were given up in the metrics", async () => {
  const metric = async () => {
    const { text } = await operator("GET", "/metrics");
    return Number(/^fuelgauge_deliveries_failed_total (\d+)$/m.exec(text)?.[1]);
  };
  const before = await metric();
  const e = await newCredits();
  respond = async () => new Response(null, { status: 410 });
  await put(e, "ops", webhook({ events: ["usage_50"] }));
  await e.debit(costing(60));
  await codesAt(e);
  await runDurableObjectAlarm(objectOf(e.id));
  await expect.poll(metric).toBe(before + 1);
});
