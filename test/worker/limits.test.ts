// Rate limits: who is turned away, for how long, and who never is.
import { env, exports } from "cloudflare:workers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { addressOf } from "../../src/access/limits.ts";
import { mintToken } from "../../src/access/tokens.ts";
import {
  type Answer,
  costing,
  expectProblem,
  faultyPaths,
  newEnterprise,
  OPERATOR_KEY,
  operator,
  type Send,
  senderWith,
} from "./api.ts";

const SCOPES = ["debit", "read", "admin"];

beforeAll(() => asDeployed(true));
afterAll(() => asDeployed(false));

/** The limits as they stand in wrangler.toml; elsewhere in the tests they are a thousand times that. */
function asDeployed(deployed: boolean): void {
  Object.assign(env, { RATE_LIMIT_FACTOR: deployed ? "1" : "1000" });
}

let hosts = 0;
const freshAddress = () => `192.0.2.${++hosts}`;

function from(address: string, key: string | null): Send {
  return (method, path, body, init = {}) =>
    senderWith(key)(method, path, body, { ...init, headers: { ...init.headers, "CF-Connecting-IP": address } });
}

/** What came of each of so many calls, one after another: the codes, and how often. */
async function codesOf(times: number, call: () => Promise<Answer>): Promise<Record<string, number>> {
  const codes: Record<string, number> = {};
  for (let n = 0; n < times; n++) {
    const { status, body, headers } = await call();
    const code = status < 400 ? "in" : body.code;
    codes[code] = (codes[code] ?? 0) + 1;
    if (status === 429) expect(headers.get("Retry-After")).toMatch(/^[1-9]\d*$/);
  }
  return codes;
}

describe("an address that shows what is no key", () => {
  it("is told so a hundred times in ten seconds, then to wait", async () => {
    const { path } = await newEnterprise();
    const address = freshAddress();
    const guess = () => from(address, `fg_${crypto.randomUUID()}.x`)("GET", `${path}/gauge`);
    const { key_invalid = 0, rate_limited = 0, ...others } = await codesOf(300, guess);
    expect(others).toEqual({});
    // The window may turn meanwhile, once.
    expect(key_invalid).toBeGreaterThanOrEqual(100);
    expect(key_invalid).toBeLessThanOrEqual(200);
    expect(rate_limited).toBe(300 - key_invalid);
    expectProblem(await guess(), 429, "rate_limited");
  });

  it("cannot guess the operator's key meanwhile, not even rightly; elsewhere nothing has changed", async () => {
    const { path } = await newEnterprise();
    const address = freshAddress();
    await codesOf(201, () => from(address, "guess")("GET", `${path}/gauge`));
    expectProblem(await from(address, OPERATOR_KEY)("GET", path), 429, "rate_limited");
    expect((await from(freshAddress(), OPERATOR_KEY)("GET", path)).status).toBe(200);
  });

  it("does not stand in the way of good keys and tokens that come from there too", async () => {
    const { id, path, key } = await newEnterprise();
    const address = freshAddress();
    await codesOf(201, () => from(address, "guess")("GET", `${path}/gauge`));
    const fresh = await operator("POST", `${path}/keys`, { name: "new", scopes: ["read"] });
    for (const good of [key, fresh.body.key]) {
      expect((await from(address, good)("GET", `${path}/gauge`)).status).toBe(200);
    }
    const token = await operator("POST", `${path}/embed-tokens`, {
      user: "u1",
      role: "member",
      origin: "https://editor.example",
    });
    const headers = { Origin: "https://editor.example" };
    expect((await from(address, token.body.token)("GET", `${path}/gauge`, undefined, { headers })).status).toBe(200);
    const session = await mintToken(env.SIGNING_SECRET, {
      ...{ kind: "session", enterprise: id, user: "u1", role: "member", id: "s", origin: "" },
      expiresAtMs: Date.now() + 60_000,
    });
    const cookie = { headers: { Cookie: `__Host-fuelgauge=${session}` } };
    expect((await from(address, null)("GET", `${path}/gauge`, undefined, cookie)).status).toBe(200);
  });

  it("is one network for IPv6, whatever host of it asks", () => {
    const addressIn = (text: string) => addressOf(new Headers({ "CF-Connecting-IP": text }));
    expect(addressIn("2001:db8:1:2:3:4:5:6")).toBe("2001:db8:1:2");
    expect(addressIn("2001:db8:1:2::6")).toBe("2001:db8:1:2");
    expect(addressIn("2001:db8::6")).toBe("2001:db8:0:0");
    expect(addressIn("::1")).toBe("0:0:0:0");
    expect(addressIn("203.0.113.9")).toBe("203.0.113.9");
    expect(addressOf(new Headers())).toBe("");
  });
});

it("lets a revoked key wake its object a hundred times in ten seconds, then no more", async () => {
  const { path, keyOf } = await newEnterprise();
  const { id, send } = await keyOf(SCOPES);
  await operator("DELETE", `${path}/keys/${id}`);
  const { key_revoked = 0, rate_limited = 0 } = await codesOf(300, () => send("POST", `${path}/debits`, costing(1)));
  expect(key_revoked).toBeGreaterThanOrEqual(100);
  expect(key_revoked).toBeLessThanOrEqual(202);
  expect(rate_limited).toBe(300 - key_revoked);
});

it("limits what is costly for each caller and enterprise by itself, the operator too", async () => {
  const [one, two] = [await newEnterprise(), await newEnterprise()];
  const reader = await one.keyOf(["read"]);
  const costly: [string, Send, string, string][] = [
    ["audit", operator, "GET", `${one.path}/audit`],
    ["rebuild", operator, "POST", `${one.path}/rebuild`],
    ["a test webhook", operator, "POST", `${one.path}/webhooks/test`],
    ["the table of runs", reader.send, "GET", `${one.path}/runs.csv`],
  ];
  for (const [what, send, method, path] of costly) {
    const { rate_limited = 0, ...others } = await codesOf(125, () => send(method, path));
    expect([what, rate_limited >= 5]).toEqual([what, true]);
    expect([what, Object.values(others).reduce((sum, n) => sum + n) >= 60]).toEqual([what, true]);
  }
  expect((await operator("GET", `${two.path}/audit`)).status).toBe(200);
  expect((await one.agent("GET", `${one.path}/runs.csv`)).status).toBe(200);
  expect(faultyPaths(await operator("POST", `${two.path}/webhooks/test`))).toEqual(["webhook_url"]);
});

it("lets a link that was used be tried so often, then turns it away at the edge", async () => {
  const { path } = await newEnterprise();
  const { body } = await operator("POST", `${path}/sessions`, { user: "ada", role: "member" });
  const form = `token=${new URL(body.url).searchParams.get("token")}`;
  const init = { headers: { "Content-Type": "application/x-www-form-urlencoded" }, redirect: "manual" } as const;
  const codes = await codesOf(125, () => senderWith(null)("POST", "/signin", form, init));
  expect(codes.in).toBe(1);
  expect(codes.link_used).toBeGreaterThanOrEqual(59);
  expect(codes.rate_limited).toBeGreaterThanOrEqual(4);
});

it("tells a person with a link that does not work to wait, on a page", async () => {
  const headers = { Accept: "text/html", "CF-Connecting-IP": freshAddress() };
  const look = () => exports.default.fetch("https://fuelgauge.test/signin?token=x", { headers });
  for (let n = 0; n < 201; n++) await (await look()).text();
  const answer = await look();
  expect([answer.status, answer.headers.get("Retry-After")]).toEqual([429, "10"]);
  expect(await answer.text()).toContain("Too many requests");
});

it("never limits an honest burst: many hundreds of debits, starts and gauges of one key from one address", async () => {
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

it("limits a key as a whole only past ten thousand requests a second, and asks the limiter once in a hundred", async () => {
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
    expect(await codesOf(250, gauge)).toEqual({ in: 250 });
    expect(asked).toBe(2);
    success = false;
    // The limiter's no comes with the three hundredth, and counts for the seconds after it.
    expect(await codesOf(60, gauge)).toEqual({ in: 49, rate_limited: 11 });
    expect(asked).toBe(3);
  } finally {
    Object.assign(env, { LIMIT_CALLERS });
  }
});

it("limits nothing where there is no limiter, or one that fails", async () => {
  const { path } = await newEnterprise();
  const { LIMIT_FAILURES } = env;
  const broken = { limit: () => Promise.reject(new Error("away")) };
  for (const binding of [undefined, broken]) {
    Object.assign(env, { LIMIT_FAILURES: binding });
    const address = freshAddress();
    const times = binding === undefined ? 150 : 3;
    const codes = await codesOf(times, () => from(address, "guess")("GET", `${path}/gauge`));
    expect(codes).toEqual({ key_invalid: times });
  }
  Object.assign(env, { LIMIT_FAILURES });
});
