// Webhooks from the charge that crosses a threshold to the receiver, and slow or dead receivers, which must not affect
// anything else.
import { abortAllDurableObjects, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { exports } from "cloudflare:workers";
import { Webhook } from "standardwebhooks";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import {
  auditFailures,
  CREDIT,
  costing,
  type Enterprise,
  invalidPaths,
  newEnterprise,
  OPERATOR_KEY,
  objectOf,
  operator,
} from "./api.ts";

const HOOK_URL = "https://hooks.acme.example/fuel";

type Received = { to: string; headers: Record<string, string>; body: string };

let received: Received[];
let respond: () => Promise<Response>;

// Replaces the receiver, the only thing here that is outside the Worker.
beforeEach(() => {
  received = [];
  respond = async () => new Response(null, { status: 204 });
  vi.stubGlobal("fetch", async (to: string, init: RequestInit) => {
    received.push({ to, headers: init.headers as Record<string, string>, body: init.body as string });
    return respond();
  });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

/** An enterprise with 100 credits and a webhook URL, and its secret. */
async function newEnterpriseWithHook(settings: Record<string, unknown> = {}) {
  const e = await newEnterprise({ monthly_allowance_micros: 100 * CREDIT, ...settings });
  const { body } = await e.put({ webhook_url: HOOK_URL });
  return { ...e, secret: body.webhook_secret as string };
}

const log = async ({ path }: Pick<Enterprise, "path">) => (await operator("GET", `${path}/webhooks`)).body.rows;
const alarm = ({ id }: Pick<Enterprise, "id">) => runDurableObjectAlarm(objectOf(id));
const copyProgress = ({ id }: Pick<Enterprise, "id">) =>
  runInDurableObject(objectOf(id), (_object, state) =>
    state.storage.sql.exec("SELECT value FROM progress WHERE name = 'entries'").toArray(),
  );
const codes = () => received.map(({ body }) => JSON.parse(body).data.code);

it("sends a crossed threshold with the gauge, signed as the Standard Webhooks library expects", async () => {
  const e = await newEnterpriseWithHook();
  await e.debit(costing(60));
  await alarm(e);
  await expect.poll(() => log(e)).toMatchObject([{ type: "threshold.crossed", state: "delivered", attempts: 1 }]);
  const [{ to, headers, body }] = received as [Received];
  expect(to).toBe(HOOK_URL);
  expect(new Webhook(e.secret).verify(body, headers)).toEqual({
    type: "threshold.crossed",
    timestamp: expect.any(String),
    data: {
      enterprise: e.id,
      code: "usage_50",
      level: "info",
      message: expect.stringMatching(/\.$/),
      gauge: await e.gauge(),
    },
  });
  expect(headers["webhook-id"]).toBe((await log(e))[0].id);
});

it("delays no debit, turn or copy while a receiver does not answer", async () => {
  const e = await newEnterpriseWithHook();
  respond = () => new Promise(() => {});
  await e.debit(costing(60));
  await alarm(e);
  expect(received).toHaveLength(1);
  const before = await copyProgress(e);
  const startedMs = Date.now();
  await e.debit(costing(20, { run: "run-2", final: true }));
  await e.moveTo("2026-04-02T00:00:00Z");
  await alarm(e);
  expect(Date.now() - startedMs).toBeLessThan(5_000);
  expect((await copyProgress(e))[0]).not.toEqual(before[0]);
  expect(await e.gauge()).toMatchObject({ used_micros: 0 });
  expect(await auditFailures(e)).toEqual([]);
  // Deliveries are sent one at a time and in order.
  expect(received).toHaveLength(1);
  expect(await log(e)).toMatchObject([
    { state: "pending", attempts: 0 },
    { state: "pending", attempts: 0 },
  ]);
});

it("retries a delivery that was cut off by a restart, under the same id", async () => {
  const e = await newEnterpriseWithHook();
  respond = () => new Promise(() => {});
  await e.debit(costing(60));
  await alarm(e);
  await abortAllDurableObjects();
  respond = async () => new Response("ok");
  expect(await alarm(e)).toBe(true);
  await expect.poll(() => log(e)).toMatchObject([{ state: "delivered" }]);
  expect(new Set(received.map(({ headers }) => headers["webhook-id"])).size).toBe(1);
});

it("sends a test event, and refuses one if there is no webhook URL", async () => {
  const e = await newEnterpriseWithHook();
  expect((await operator("POST", `${e.path}/webhooks/test`)).status).toBe(202);
  await alarm(e);
  await expect.poll(() => log(e)).toMatchObject([{ type: "test", state: "delivered", last_status: 204 }]);
  await e.put({ webhook_url: null });
  expect(invalidPaths(await operator("POST", `${e.path}/webhooks/test`))).toEqual(["webhook_url"]);
});

it("sends the thresholds of the cap, and again after the cap was raised", async () => {
  const e = await newEnterpriseWithHook({ billing_model: "byom", monthly_allowance_micros: null });
  const cap = (usd: number) => operator("PUT", `${e.path}/spend-cap`, { monthly_cap_micros: usd * CREDIT });
  await cap(1);
  for (const [i, credits] of [80, 12, 10].entries()) await e.debit(costing(credits, { run: `r${i}` }));
  await cap(2);
  await e.debit(costing(60, { run: "r9" }));
  await alarm(e);
  await expect.poll(codes).toEqual(["cap_75", "cap_90", "cap_reached", "cap_75"]);
});

it("accepts only https URLs with a public host name", async () => {
  const e = await newEnterprise();
  const hosts = [
    "localhost",
    "localhost.",
    "foo.localhost",
    "printer",
    "printer.",
    "localhost..",
    "hooks..acme.example",
    `${"a".repeat(64)}.example`,
    "db.internal",
    "db.internal.",
    "nas.local",
    "nas.lan",
    "router.home.arpa",
    "host.localdomain",
    "kubernetes.default.svc",
    "db.default.svc.cluster.local",
    "hidden.onion",
    "hooks.test",
    "hooks.invalid",
    "wiki.intranet",
    "127.0.0.1.nip.io",
    "app-10-0-0-1.nip.io",
    "10-0-0-1.sslip.io",
    "10.0.0.1.xip.io",
    "NIP.IO",
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "2130706433",
    "0x7f000001",
    "0x7f.0.0.1",
    "0177.0.0.1",
    "017700000001",
    "%31%32%37.0.0.1",
    "\uff11\uff12\uff17.0.0.1",
    "169.254.169.254",
    "8.8.8.8",
    "[::1]",
    "[::ffff:127.0.0.1]",
    "[fd00::1]",
    "[2001:4860:4860::8888]",
    "user:secret@hooks.acme.example",
    "@hooks.acme.example",
    "hooks.acme.example:8443",
    "hooks.acme.example:443",
    "hooks.acme.example:",
  ];
  for (const host of hosts) {
    const answer = await e.put({ webhook_url: `https://${host}/hook` });
    expect([host, invalidPaths(answer)]).toEqual([host, ["webhook_url"]]);
  }
  expect(invalidPaths(await e.put({ webhook_url: "http://hooks.acme.example/" }))).toEqual(["webhook_url"]);
  expect((await e.put({ webhook_url: "https://hooks.acme.example./fuel?team=a" })).status).toBe(200);
});

const UNSEEN_CHARS = [
  "\t",
  "\n",
  "\r",
  " ",
  "\u0000",
  "\u001f",
  "\u007f",
  "\u0085",
  "\u00a0",
  "\u00ad",
  "\u180e",
].concat(["\u200b", "\u200d", "\u200e", "\u2028", "\u202e", "\u3000", "\u3164", "\ufe0f", "\ufeff"]);

it("and every other URL have no character that a reader cannot see", async () => {
  const e = await newEnterprise();
  const channel = (target: string, kind = "webhook") => operator("PUT", `${e.path}/channels/c`, { kind, target });
  const token = (origin: string) =>
    operator("POST", `${e.path}/embed-tokens`, { user: "u1", role: "member", origin, ttl_seconds: 60 });
  for (const unseen of UNSEEN_CHARS) {
    for (const url of [`https://hooks.ac${unseen}me.example/`, `https://hooks.acme.example/a${unseen}b?x=1`]) {
      const what = JSON.stringify(url);
      for (const field of ["upgrade_url", "referral_url", "webhook_url"]) {
        expect([what, invalidPaths(await e.put({ [field]: url }))]).toEqual([what, [field]]);
      }
      expect([what, invalidPaths(await channel(url))]).toEqual([what, ["target"]]);
      expect([what, invalidPaths(await channel(url, "slack"))]).toEqual([what, ["target"]]);
    }
    const origin = `https://edi${unseen}tor.example`;
    expect([unseen, invalidPaths(await token(origin))]).toEqual([unseen, ["origin"]]);
    expect([unseen, invalidPaths(await channel(`a${unseen}da@acme.example`, "email"))]).toEqual([unseen, ["target"]]);
  }
  // Spaces around a link are removed, as around a name.
  const put = await e.put({ upgrade_url: " https://acme.example/up\n" });
  expect([put.status, put.body.upgrade_url]).toEqual([200, "https://acme.example/up"]);
});

it("does not go to the deployment itself, under the name by which it is called", async () => {
  const e = await newEnterprise();
  const put = (host: string) =>
    exports.default.fetch(`https://usage.platform.example${e.path}`, {
      method: "PUT",
      headers: { Authorization: `Bearer ${OPERATOR_KEY}`, "Content-Type": "application/json" },
      body: JSON.stringify({ webhook_url: `https://${host}/hook` }),
    });
  for (const host of ["usage.platform.example", "Usage.Platform.Example."]) expect((await put(host)).status).toBe(422);
  expect((await put("hooks.platform.example")).status).toBe(200);
});
