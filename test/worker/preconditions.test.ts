/** A deployment refuses every request until its secrets are strong, and never serves another machine over plain http. */
import { env, exports } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { mintKey } from "../../src/access/keys.ts";
import { newEnterprise, OPERATOR_KEY, operator } from "./api.ts";

const ROUTES = [
  ["GET", "/"],
  ["GET", "/healthz"],
  ["GET", "/openapi.json"],
  ["GET", "/docs"],
  ["GET", "/settings/usage"],
  ["GET", "/operator"],
  ["POST", "/operator/signin"],
  ["GET", "/v1/enterprises"],
  ["PUT", "/v1/enterprises/acme"],
  ["GET", "/nothing/here"],
] as const;

const secrets = env as unknown as Record<string, string | undefined>;
const send = (url: string, init: RequestInit = {}) => exports.default.fetch(url, { redirect: "manual", ...init });

describe("a deployment with a weak secret", () => {
  const before = { ...secrets };
  const logged: string[] = [];
  beforeEach(() => {
    logged.length = 0;
    vi.spyOn(console, "error").mockImplementation((line: string) => {
      logged.push(line);
    });
  });
  afterEach(() => {
    Object.assign(secrets, { ...before, OPERATOR_KEY_PREVIOUS: undefined, SIGNING_SECRET_PREVIOUS: undefined });
    vi.restoreAllMocks();
  });

  it.each([
    ["OPERATOR_KEY", undefined],
    ["OPERATOR_KEY", ""],
    ["OPERATOR_KEY", "x".repeat(31)],
    ["SIGNING_SECRET", undefined],
    ["SIGNING_SECRET", ""],
    ["SIGNING_SECRET", "x".repeat(31)],
    ["OPERATOR_KEY_PREVIOUS", "x".repeat(31)],
    ["SIGNING_SECRET_PREVIOUS", "x"],
  ])("answers 503 on every route when %s is %j", async (name, value) => {
    Object.assign(secrets, { [name]: value });
    for (const [method, path] of ROUTES) {
      const answer = await send(`https://fuelgauge.test${path}`, { method });
      expect([path, answer.status, (await answer.json<{ code: string }>()).code]).toEqual([path, 503, "misconfigured"]);
    }
  });

  it("signs nobody in with an empty operator key", async () => {
    Object.assign(secrets, { OPERATOR_KEY: "" });
    const answer = await send("https://fuelgauge.test/operator/signin", {
      method: "POST",
      headers: { "Content-Type": "application/x-www-form-urlencoded", "Sec-Fetch-Site": "same-origin" },
      body: "operator_key=",
    });
    expect(answer.status).toBe(503);
    expect(answer.headers.get("Set-Cookie")).toBeNull();
  });

  it("accepts no enterprise key that was signed with it", async () => {
    const { id } = await newEnterprise();
    Object.assign(secrets, { SIGNING_SECRET: "short" });
    const claims = { enterprise: id, region: "", id: "k", scopes: ["admin" as const], expiresAtMs: null };
    const { key } = await mintKey("short", claims);
    const headers = { Authorization: `Bearer ${key}` };
    expect((await send(`https://fuelgauge.test/v1/enterprises/${id}/gauge`, { headers })).status).toBe(503);
  });

  it("reports which secret it is in the log, and not to the caller", async () => {
    Object.assign(secrets, { SIGNING_SECRET: "a-short-secret" });
    const answer = await send("https://fuelgauge.test/healthz");
    expect(await answer.text()).not.toContain("SIGNING_SECRET");
    expect(logged).toEqual(['{"event":"misconfigured","weak":["SIGNING_SECRET"]}']);
  });

  it("serves when an optional secret is empty or strong", async () => {
    for (const value of ["", "x".repeat(32)]) {
      Object.assign(secrets, { OPERATOR_KEY_PREVIOUS: value, SIGNING_SECRET_PREVIOUS: value });
      expect((await send("https://fuelgauge.test/healthz")).status).toBe(200);
    }
  });
});

describe("plain http", () => {
  const HOSTS = [
    "fuelgauge.test",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "10.0.0.1",
    "192.168.1.2",
    "[::2]",
  ];

  it.each(HOSTS)("of %s is redirected to https when it only reads", async (host) => {
    for (const method of ["GET", "HEAD"]) {
      const answer = await send(`http://${host}/settings/usage?range=7d`, { method });
      expect([answer.status, answer.headers.get("Location")]).toEqual([308, `https://${host}/settings/usage?range=7d`]);
      expect(answer.headers.get("Set-Cookie")).toBeNull();
    }
  });

  it.each(HOSTS)("of %s is refused when it would change something, even with a right key", async (host) => {
    for (const [method, path] of [
      ["PUT", "/v1/enterprises/acme"],
      ["POST", "/operator/signin"],
      ["DELETE", "/v1/enterprises/acme/keys/k"],
    ] as const) {
      const headers = { Authorization: `Bearer ${OPERATOR_KEY}`, "X-Forwarded-Proto": "https" };
      const answer = await send(`http://${host}${path}`, { method, headers });
      expect([answer.status, (await answer.json<{ code: string }>()).code]).toEqual([403, "https_required"]);
    }
    expect((await operator("GET", "/v1/enterprises/acme")).status).toBe(404);
  });

  it.each(["localhost", "127.0.0.1", "127.9.9.9", "[::1]", "2130706433"])("of %s is served", async (host) => {
    expect((await send(`http://${host}:8787/healthz`)).status).toBe(200);
  });
});
