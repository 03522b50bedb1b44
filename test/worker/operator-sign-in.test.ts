/** Signing in to the operator's pages: what is accepted, what is not, and protection against cross-site forms. */
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it, vi } from "vitest";
import { catalogOf } from "../../src/catalog/object.ts";
import { type Answer, newEnterprise, OPERATOR_KEY, operator, senderWith } from "./api.ts";
import { sessionToken } from "./sessions.ts";

const stranger = senderWith(null);
const FORM = { "Content-Type": "application/x-www-form-urlencoded", Accept: "text/html" };
const SAME_ORIGIN = { ...FORM, "Sec-Fetch-Site": "same-origin" };
const HOUR_MS = 3_600_000;

const get = (path: string, cookie: string) =>
  stranger("GET", path, undefined, { headers: { Accept: "text/html", Cookie: cookie }, redirect: "manual" });
const post = (path: string, fields: Record<string, string>, headers: Record<string, string> = SAME_ORIGIN) =>
  stranger("POST", path, String(new URLSearchParams(fields)), { headers, redirect: "manual" });
const cookieOf = (answer: Answer) => (answer.headers.get("Set-Cookie") ?? "").split(";")[0] ?? "";
const signIn = () => post("/operator/signin", { operator_key: OPERATOR_KEY });

/** The answer redirects to the sign-in form, or shows it. */
const asksForKey = ({ status, headers, text }: Answer) =>
  status === 303
    ? headers.get("Location")?.startsWith("/operator/signin") === true
    : status === 401 && text.includes('name="operator_key"');

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

describe("signing in as the operator", () => {
  it("takes the operator key and sets a cookie for eight hours that scripts and other sites cannot use", async () => {
    const answer = await signIn();
    expect([answer.status, answer.headers.get("Location")]).toEqual([303, "/operator"]);
    const cookie = answer.headers.get("Set-Cookie") ?? "";
    for (const part of [
      "__Host-fuelgauge-operator=",
      "Path=/",
      "HttpOnly",
      "Secure",
      "SameSite=Strict",
      "Max-Age=28800",
    ]) {
      expect(cookie).toContain(part);
    }
    expect(cookie).not.toContain(OPERATOR_KEY);
    const page = await get("/operator", cookieOf(answer));
    expect(page.status).toBe(200);
    expect(page.text).toContain("<h1>Enterprises</h1>");
    expect(page.headers.get("Cache-Control")).toContain("no-store");
    const again = await get("/operator/signin?to=/operator/new", cookieOf(answer));
    expect([again.status, again.headers.get("Location")]).toEqual([303, "/operator/new"]);
    vi.useFakeTimers({ now: Date.now() + 8 * HOUR_MS, toFake: ["Date"] });
    expect(asksForKey(await get("/operator", cookieOf(answer)))).toBe(true);
  });

  it("asks for the key before every page and then returns to that page, never to another site", async () => {
    const { id } = await newEnterprise();
    for (const path of ["/operator", "/operator?q=acme", `/operator/enterprises/${id}`, "/operator/nothing"]) {
      const answer = await get(path, "");
      expect(asksForKey(answer), path).toBe(true);
      const form = await get(answer.headers.get("Location") ?? "", "");
      expect([form.status, form.text.includes('name="operator_key"')]).toEqual([200, true]);
      expect(form.text).toContain(`name="to" value="${path}"`);
    }
    const part = { headers: { Accept: "text/html", Cookie: "none=", "HX-Request-Type": "partial" } };
    const answer = await stranger("GET", "/operator?part=rows", undefined, part);
    expect([answer.status, answer.headers.get("HX-Redirect")]).toEqual([401, "/operator/signin"]);
    const back = await post("/operator/signin", { operator_key: OPERATOR_KEY, to: "/operator?q=acme" });
    expect(back.headers.get("Location")).toBe("/operator?q=acme");
    for (const to of [
      "https://evil.example",
      "//evil.example",
      "/operator.evil",
      "/operator\\@evil",
      "/settings/usage",
      "/operator/signin",
    ]) {
      expect((await post("/operator/signin", { operator_key: OPERATOR_KEY, to })).headers.get("Location")).toBe(
        "/operator",
      );
    }
  });

  it("refuses a wrong key and shows it neither on the page nor in the log", async () => {
    const log = vi.spyOn(console, "warn").mockImplementation(() => {});
    for (const key of ["", "x", `${OPERATOR_KEY}x`, OPERATOR_KEY.slice(1), OPERATOR_KEY.toUpperCase()]) {
      const answer = await post("/operator/signin", { operator_key: key });
      expect(asksForKey(answer), key).toBe(true);
      expect(answer.headers.get("Set-Cookie")).toBeNull();
      expect(answer.text).toContain("This is not an operator key of this deployment.");
      if (key.length > 1) expect(answer.text + JSON.stringify(log.mock.calls)).not.toContain(key);
    }
    expect(log).toHaveBeenCalledTimes(5);
    for (const path of ["/operator", "/operator/signin"]) {
      const inUrl = await get(`${path}?operator_key=${OPERATOR_KEY}`, "");
      expect([inUrl.headers.get("Set-Cookie"), inUrl.text.includes("<h1>Enterprises")]).toEqual([null, false]);
    }
    const json = await stranger("POST", "/operator/signin", { operator_key: OPERATOR_KEY }, { redirect: "manual" });
    expect(json.headers.get("Set-Cookie")).toBeNull();
  });

  it("refuses a dashboard session, an enterprise key, and the operator key sent as a header", async () => {
    const { id, createKey } = await newEnterprise();
    const session = await sessionToken(id);
    for (const name of ["__Host-fuelgauge", "__Host-fuelgauge-operator", "fuelgauge-operator"]) {
      expect(asksForKey(await get("/operator", `${name}=${session}`))).toBe(true);
    }
    const { send, key } = await createKey(["debit", "read", "admin"]);
    for (const sender of [send, operator]) {
      expect(
        asksForKey(
          await sender("GET", "/operator", undefined, { headers: { Accept: "text/html" }, redirect: "manual" }),
        ),
      ).toBe(true);
    }
    expect((await post("/operator/signin", { operator_key: key })).headers.get("Set-Cookie")).toBeNull();
  });

  it("refuses a forged or altered cookie", async () => {
    const valid = cookieOf(await signIn());
    const [name = "", value = ""] = valid.split("=");
    const [expiresAt = "", mac = ""] = value.split(".");
    const forged = [
      "",
      value.slice(0, -1),
      `${value}x`,
      `${Number(expiresAt) + 1}.${mac}`,
      `${expiresAt}.`,
      `.${mac}`,
      `${expiresAt}.${mac}.`,
      `0${expiresAt}.${mac}`,
      `${expiresAt}.${"A".repeat(mac.length)}`,
      "null",
    ];
    for (const text of forged) expect(asksForKey(await get("/operator", `${name}=${text}`)), text).toBe(true);
    expect((await get("/operator", valid)).status).toBe(200);
  });

  it.each(["OPERATOR_KEY", "SIGNING_SECRET"] as const)(
    "is undone for every session when %s is replaced",
    async (name) => {
      const cookie = cookieOf(await signIn());
      const before = env[name];
      try {
        (env as unknown as Record<string, unknown>)[name] = "another-secret-altogether-32-characters";
        expect(asksForKey(await get("/operator", cookie))).toBe(true);
      } finally {
        (env as unknown as Record<string, unknown>)[name] = before;
      }
      expect((await get("/operator", cookie)).status).toBe(200);
    },
  );

  it("gives no access to the JSON interface or to a dashboard", async () => {
    const cookie = cookieOf(await signIn());
    for (const path of ["/v1/enterprises", "/v1/price-book"]) expect((await get(path, cookie)).status).toBe(401);
    expect((await get("/settings/usage", cookie)).headers.get("Location")).toBe("/");
  });
});

it("limits an address that guesses keys, but never the right key", async () => {
  const warn = vi.spyOn(console, "warn").mockImplementation(() => {});
  const before = env.RATE_LIMIT_FACTOR;
  Object.assign(env, { RATE_LIMIT_FACTOR: "1" });
  try {
    const tryFrom = (address: string, key: string) =>
      post("/operator/signin", { operator_key: key }, { ...SAME_ORIGIN, "CF-Connecting-IP": address });
    const statuses: number[] = [];
    for (let n = 0; n < 210; n++) statuses.push((await tryFrom("198.51.100.7", `guess-${n}`)).status);
    expect(new Set(statuses)).toEqual(new Set([401, 429]));
    const right = await tryFrom("198.51.100.7", OPERATOR_KEY);
    expect([right.status, right.headers.get("Set-Cookie")]).toEqual([303, expect.any(String)]);
    expect((await tryFrom("198.51.100.8", OPERATOR_KEY)).status).toBe(303);
    expect(warn).toHaveBeenCalled();
  } finally {
    Object.assign(env, { RATE_LIMIT_FACTOR: before });
  }
});

describe("a form of the operator's pages", () => {
  const CROSS_SITE: Record<string, string>[] = [
    {},
    { "Sec-Fetch-Site": "cross-site" },
    { "Sec-Fetch-Site": "same-site" },
    { "Sec-Fetch-Site": "cross-site", Origin: "https://fuelgauge.test" },
    { Origin: "https://evil.example" },
    { Origin: "null" },
  ];

  it("is accepted only from the same origin", async () => {
    const Cookie = cookieOf(await signIn());
    for (const headers of CROSS_SITE) {
      const answer = await post("/operator/signout", {}, { ...FORM, ...headers, Cookie });
      expect([answer.status, answer.text.includes("csrf_failed")], JSON.stringify(headers)).toEqual([403, true]);
      expect(answer.headers.get("Set-Cookie")).toBeNull();
    }
    const out = await post("/operator/signout", {}, { ...FORM, Origin: "https://fuelgauge.test", Cookie });
    expect(out.status).toBe(303);
    expect(out.headers.get("Set-Cookie")).toMatch(/^__Host-fuelgauge-operator=;/);
  });

  it("for signing in is refused from another site even with the right key", async () => {
    for (const headers of CROSS_SITE.slice(1)) {
      const answer = await post("/operator/signin", { operator_key: OPERATOR_KEY }, { ...FORM, ...headers });
      expect([answer.status, answer.text.includes("csrf_failed")], JSON.stringify(headers)).toEqual([403, true]);
      expect(answer.headers.get("Set-Cookie")).toBeNull();
    }
  });
});

it("shows what a scheduled audit found on the list and on the enterprise's page until an audit passes", async () => {
  const cookie = cookieOf(await signIn());
  const { id } = await newEnterprise();
  const note = (state: "drift" | "ok", detail: string) =>
    catalogOf(env).noteAudit(id, { state, checkedAtMs: Date.now(), detail });
  const pages = async () => [
    (await get("/operator", cookie)).text,
    (await get(`/operator/enterprises/${id}/audit`, cookie)).text,
  ];
  const [, never] = await pages();
  expect(never).toContain("There has been no scheduled audit yet.");
  await note("drift", "held: held 5 credits, the active holds sum to 4");
  for (const text of await pages()) expect(text).toContain("held 5 credits, the active holds sum to 4");
  await note("ok", "");
  const [list, audit] = await pages();
  expect(list).not.toContain("Scheduled audits that need attention");
  expect(audit).toContain("Last scheduled audit: passed");
});

it("answers 503 and asks for a retry when an enterprise's page meets an error of D1 that the query builder wrapped", async () => {
  vi.spyOn(console, "error").mockImplementation(() => {});
  const cookie = cookieOf(await signIn());
  await catalogOf(env).place("acme", "", ["DB"]);
  const enterprises = env.ENTERPRISE;
  const wrapped = new Error("Failed query: select 1", { cause: new Error("D1_ERROR: Network connection lost.") });
  const state = async () => {
    throw wrapped;
  };
  try {
    env.ENTERPRISE = { getByName: () => ({ state }) } as unknown as typeof enterprises;
    const answer = await get("/operator/enterprises/acme", cookie);
    expect([answer.status, answer.headers.get("Retry-After")]).toEqual([503, "5"]);
    expect(answer.text).toContain("<code>copy_unavailable</code>");
  } finally {
    env.ENTERPRISE = enterprises;
  }
});
