// Rate limits: who is refused, for how long, and who is never refused.
import { env, exports } from "cloudflare:workers";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { addressOf } from "../../src/access/limits.ts";
import {
  type Answer,
  costing,
  expectProblem,
  invalidPaths,
  newEnterprise,
  OPERATOR_KEY,
  operator,
  type Send,
  senderWith,
} from "./api.ts";
import { EDITOR_ORIGIN, embedToken, sessionCookie } from "./sessions.ts";

const SCOPES = ["debit", "read", "admin"];

/** The limits of wrangler.toml apply here. In all other tests they are a thousand times as high. */
const { RATE_LIMIT_FACTOR } = env;
beforeAll(() => Object.assign(env, { RATE_LIMIT_FACTOR: "1" }));
afterAll(() => Object.assign(env, { RATE_LIMIT_FACTOR }));

let hosts = 0;
const freshAddress = () => `192.0.2.${++hosts}`;

function from(address: string, key: string | null): Send {
  return (method, path, body, init = {}) =>
    senderWith(key)(method, path, body, { ...init, headers: { ...init.headers, "CF-Connecting-IP": address } });
}

/** Makes this many calls, one after another, and counts their codes ("ok" if not refused). */
async function countCodes(times: number, call: () => Promise<Answer>): Promise<Record<string, number>> {
  const codes: Record<string, number> = {};
  for (let n = 0; n < times; n++) {
    const { status, body, headers } = await call();
    const code = status < 400 ? "ok" : body.code;
    codes[code] = (codes[code] ?? 0) + 1;
    if (status === 429) expect(headers.get("Retry-After")).toMatch(/^[1-9]\d*$/);
  }
  return codes;
}

describe("an address that sends invalid keys", () => {
  it("gets key_invalid a hundred times in ten seconds, then rate_limited", async () => {
    const { path } = await newEnterprise();
    const address = freshAddress();
    const guess = () => from(address, `fg_${crypto.randomUUID()}.x`)("GET", `${path}/gauge`);
    const { key_invalid = 0, rate_limited = 0, ...others } = await countCodes(300, guess);
    expect(others).toEqual({});
    // A new window may begin once during the calls.
    expect(key_invalid).toBeGreaterThanOrEqual(100);
    expect(key_invalid).toBeLessThanOrEqual(200);
    expect(rate_limited).toBe(300 - key_invalid);
    expectProblem(await guess(), 429, "rate_limited");
  });

  it("never has the right operator key refused for what else it sends", async () => {
    const { path } = await newEnterprise();
    const address = freshAddress();
    await countCodes(201, () => from(address, "guess")("GET", `${path}/gauge`));
    expectProblem(await from(address, "guess")("GET", path), 429, "rate_limited");
    expect((await from(address, OPERATOR_KEY)("GET", path)).status).toBe(200);
  });

  it("does not block valid keys, embed tokens and sessions from the same address", async () => {
    const { id, path, key } = await newEnterprise();
    const address = freshAddress();
    await countCodes(201, () => from(address, "guess")("GET", `${path}/gauge`));
    const fresh = await operator("POST", `${path}/keys`, { name: "new", scopes: ["read"] });
    const gaugeWith = async (credential: string | null, headers: HeadersInit = {}) =>
      (await from(address, credential)("GET", `${path}/gauge`, undefined, { headers })).status;
    for (const valid of [key, fresh.body.key]) expect(await gaugeWith(valid)).toBe(200);
    expect(await gaugeWith(await embedToken(id, { role: "member" }), { Origin: EDITOR_ORIGIN })).toBe(200);
    expect(await gaugeWith(null, await sessionCookie(id, { role: "member" }))).toBe(200);
  });

  it("is a whole /64 network for IPv6", () => {
    const addressIn = (text: string) => addressOf(new Headers({ "CF-Connecting-IP": text }));
    expect(addressIn("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2");
    expect(addressIn("2001:db8:1:2::6")).toBe("2001:db8:1:2");
    expect(addressIn("2001:db8::6")).toBe("2001:db8:0:0");
    expect(addressIn("::1")).toBe("0:0:0:0");
    expect(addressIn("203.0.113.9")).toBe("203.0.113.9");
    expect(addressOf(new Headers())).toBe("");
  });
});

it("lets a revoked key wake its object a hundred times in ten seconds, then refuses it at the edge", async () => {
  const { path, createKey } = await newEnterprise();
  const { id, send } = await createKey(SCOPES);
  await operator("DELETE", `${path}/keys/${id}`);
  const { key_revoked = 0, rate_limited = 0 } = await countCodes(300, () => send("POST", `${path}/debits`, costing(1)));
  expect(key_revoked).toBeGreaterThanOrEqual(100);
  expect(key_revoked).toBeLessThanOrEqual(202);
  expect(rate_limited).toBe(300 - key_revoked);
});

it("limits costly routes for each caller and enterprise separately, the operator included", async () => {
  // The binding lets sixty calls a minute pass. That takes long with costly routes, so here a stand-in lets five pass.
  const { LIMIT_COSTLY } = env;
  const calls = new Map<string, number>();
  const limit = async ({ key }: { key: string }) => {
    calls.set(key, (calls.get(key) ?? 0) + 1);
    return { success: (calls.get(key) as number) <= 5 };
  };
  Object.assign(env, { LIMIT_COSTLY: { limit } });
  onTestFinished(() => {
    Object.assign(env, { LIMIT_COSTLY });
  });
  const [one, two] = [await newEnterprise(), await newEnterprise()];
  const reader = await one.createKey(["read"]);
  const costly: [string, Send, string, string][] = [
    ["audit", operator, "GET", `${one.path}/audit`],
    ["rebuild", operator, "POST", `${one.path}/rebuild`],
    ["a test webhook", operator, "POST", `${one.path}/webhooks/test`],
    ["the table of runs", reader.send, "GET", `${one.path}/runs.csv`],
  ];
  for (const [what, send, method, path] of costly) {
    const { rate_limited, ...others } = await countCodes(8, () => send(method, path));
    expect([what, rate_limited, Object.values(others)]).toEqual([what, 3, [5]]);
  }
  expect((await operator("GET", `${two.path}/audit`)).status).toBe(200);
  expect((await one.agent("GET", `${one.path}/runs.csv`)).status).toBe(200);
  expect(invalidPaths(await operator("POST", `${two.path}/webhooks/test`))).toEqual(["webhook_url"]);
});

it("lets a costly route be called sixty times a minute, under every spelling of its path together", async () => {
  const e = await newEnterprise({}, `spelled:${crypto.randomUUID()}`);
  const spellings = [e.id, encodeURIComponent(e.id), e.id.replace(":", "%3a"), e.id.replace("spelled", "%73pelled")];
  let calls = 0;
  const list = () => operator("GET", `/v1/enterprises/${spellings[calls++ % spellings.length]}/runs.csv`);
  const { rate_limited = 0, ok = 0 } = await countCodes(125, list);
  expect(ok).toBeGreaterThanOrEqual(60);
  expect(rate_limited).toBeGreaterThanOrEqual(5);
});

it("answers link_used to a used sign-in link sixty times, then refuses it at the edge", async () => {
  const { path } = await newEnterprise();
  const { body } = await operator("POST", `${path}/sessions`, { user: "ada", role: "member" });
  const form = `token=${new URL(body.url).searchParams.get("token")}`;
  const init = { headers: { "Content-Type": "application/x-www-form-urlencoded" }, redirect: "manual" } as const;
  const codes = await countCodes(125, () => senderWith(null)("POST", "/signin", form, init));
  expect(codes.ok).toBe(1);
  expect(codes.link_used).toBeGreaterThanOrEqual(59);
  expect(codes.rate_limited).toBeGreaterThanOrEqual(4);
});

it("shows a person with an invalid link a page that asks to wait", async () => {
  const headers = { Accept: "text/html", "CF-Connecting-IP": freshAddress() };
  const look = () => exports.default.fetch("https://fuelgauge.test/signin?token=x", { headers });
  for (let n = 0; n < 201; n++) await (await look()).text();
  const answer = await look();
  expect([answer.status, answer.headers.get("Retry-After")]).toEqual([429, "10"]);
  expect(await answer.text()).toContain("Too many requests");
});

it("does not limit 1,500 concurrent debits, starts and gauges of one valid key from one address", async () => {
  const { path, key, gauge } = await newEnterprise();
  const send = from(freshAddress(), key);
  const asked = Array.from({ length: 1_500 }, (_, n) => {
    if (n % 3 === 0) return send("POST", `${path}/debits`, costing(0.001, { run: `run-${n}` }));
    if (n % 3 === 1) return send("POST", `${path}/runs`, { run: `r-${n}`, surface: "cli", workspace: "w", user: "u" });
    return send("GET", `${path}/gauge`);
  });
  const statuses = (await Promise.all(asked)).map(({ status }) => status);
  expect(statuses.filter((status) => status >= 400)).toEqual([]);
  expect((await gauge()).used_micros).toBe(500_000);
});

it("asks the limiter of a key once per hundred requests, and refuses for seconds after its no", async () => {
  const { path, key } = await newEnterprise();
  const { LIMIT_CALLERS } = env;
  let asked = 0;
  let success = true;
  const limit = async () => {
    asked += 1;
    return { success };
  };
  Object.assign(env, { LIMIT_CALLERS: { limit } });
  try {
    const gauge = () => senderWith(key)("GET", `${path}/gauge`);
    expect(await countCodes(250, gauge)).toEqual({ ok: 250 });
    expect(asked).toBe(2);
    success = false;
    // The 300th request asks the limiter, whose refusal applies from then on.
    expect(await countCodes(60, gauge)).toEqual({ ok: 49, rate_limited: 11 });
    expect(asked).toBe(3);
  } finally {
    Object.assign(env, { LIMIT_CALLERS });
  }
});

it("limits nothing if the limiter is not bound or fails", async () => {
  const { path } = await newEnterprise();
  const { LIMIT_FAILURES } = env;
  const broken = { limit: () => Promise.reject(new Error("away")) };
  for (const binding of [undefined, broken]) {
    Object.assign(env, { LIMIT_FAILURES: binding });
    const address = freshAddress();
    const times = binding === undefined ? 150 : 3;
    const codes = await countCodes(times, () => from(address, "guess")("GET", `${path}/gauge`));
    expect(codes).toEqual({ key_invalid: times });
  }
  Object.assign(env, { LIMIT_FAILURES });
});
