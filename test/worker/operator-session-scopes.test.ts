// The operator's pages for somebody who signed in with an operator key that has scopes: which routes each scope opens, and
// that the session ends with its key. The table of access is made from the answers of every page and form.
import { env, exports } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import { OPERATOR_SCOPES, type OperatorScope } from "../../src/access/callers.ts";
import { decodeText, encodeText } from "../../src/access/mac.ts";
import { mintOperatorKey } from "../../src/access/operator-key.ts";
import { CREDIT, type Enterprise, newEnterprise, OPERATOR_KEY, operator } from "./api.ts";
import { nameOf, PAGES, type Page, pathOf } from "./routes.ts";

const SITE = "https://fuelgauge.test";
const HOUR_MS = 3_600_000;

let acme: Enterprise;
beforeAll(async () => {
  acme = await newEnterprise();
});
afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
});

type Sent = { method?: "GET" | "POST"; form?: Record<string, string>; cookie?: string };

async function send(path: string, { method = "GET", form, cookie = "" }: Sent = {}) {
  const headers = { Cookie: cookie, Origin: SITE, "Sec-Fetch-Site": "same-origin", Accept: "text/html" };
  const body = form === undefined ? {} : { method: "POST", body: new URLSearchParams(form) };
  const response = await exports.default.fetch(SITE + path, { method, headers, redirect: "manual", ...body });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

async function makeKey(scopes: readonly string[], more: object = {}) {
  const made = await operator("POST", "/v1/operator-keys", { name: scopes.join(" and "), scopes, ...more });
  expect(made.status).toBe(201);
  return made.body as { id: string; key: string };
}

async function signIn(key: string): Promise<string> {
  const answer = await send("/operator/signin", { form: { operator_key: key } });
  expect([answer.status, answer.headers.get("Location")]).toEqual([303, "/operator"]);
  return (answer.headers.get("Set-Cookie") ?? "").split(";")[0] ?? "";
}

const signInWith = async (scopes: readonly string[]) => signIn((await makeKey(scopes)).key);
const isSignedOut = async (cookie: string) =>
  (await send("/operator", { cookie })).headers.get("Location") === "/operator/signin";

describe("a session of a key with scopes", () => {
  it("ends when the key is revoked, and cannot be opened with it again", async () => {
    const { id, key } = await makeKey(["metrics"]);
    const cookie = await signIn(key);
    expect((await send("/operator", { cookie })).status).toBe(200);
    expect((await operator("DELETE", `/v1/operator-keys/${id}`)).status).toBe(204);
    expect(await isSignedOut(cookie)).toBe(true);
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const again = await send("/operator/signin", { form: { operator_key: key } });
    expect([again.status, again.headers.get("Set-Cookie")]).toEqual([401, null]);
    expect(again.text).toContain("This operator key was revoked.");
    expect(again.text).not.toContain(key);
  });

  it("ends when the key expires, and after eight hours at the latest", async () => {
    const soon = new Date(Date.now() + HOUR_MS).toISOString();
    const [short, long] = [
      await signIn((await makeKey(["metrics"], { expires_at: soon })).key),
      await signInWith(["metrics"]),
    ];
    // The cookie ends with the key, so that it ends even where the catalog is not asked.
    const [payload = ""] = decodeURIComponent(short.slice(short.indexOf("=") + 1)).split(".");
    expect(JSON.parse(decodeText(payload))[2]).toBe(Date.parse(soon));
    vi.useFakeTimers({ now: Date.now() + HOUR_MS, toFake: ["Date"] });
    expect([await isSignedOut(short), await isSignedOut(long)]).toEqual([true, false]);
    vi.setSystemTime(Date.now() + 7 * HOUR_MS);
    expect(await isSignedOut(long)).toBe(true);
  });

  it("ends when the secret that signed the key is no longer accepted", async () => {
    const secrets = env as unknown as Record<string, unknown>;
    const before = env.SIGNING_SECRET;
    const { key } = await makeKey(["metrics"]);
    try {
      Object.assign(secrets, { SIGNING_SECRET: "x".repeat(40), SIGNING_SECRET_PREVIOUS: before });
      const cookie = await signIn(key);
      expect(await isSignedOut(cookie)).toBe(false);
      delete secrets.SIGNING_SECRET_PREVIOUS;
      expect(await isSignedOut(cookie)).toBe(true);
    } finally {
      delete secrets.SIGNING_SECRET_PREVIOUS;
      secrets.SIGNING_SECRET = before;
    }
  });

  it("ends on the server when it is signed out", async () => {
    const cookie = await signInWith(["metrics"]);
    await send("/operator/signout", { form: {}, cookie });
    expect(await isSignedOut(cookie)).toBe(true);
  });

  it("cannot be given more scopes, or be made from a key's or another session's MAC", async () => {
    const { key } = await makeKey(["metrics"]);
    const [scoped, full] = [await signIn(key), await signIn(OPERATOR_KEY)];
    const partsOf = (cookie: string) => decodeURIComponent(cookie.slice(cookie.indexOf("=") + 1)).split(".");
    const name = scoped.split("=")[0] ?? "";
    const [payload = "", mac = ""] = partsOf(scoped);
    const more = encodeText(decodeText(payload).replace("metrics", "keys"));
    const [fullPayload, fullMac] = partsOf(full);
    for (const forged of [`${more}.${mac}`, `${fullPayload}.${mac}`, `${payload}.${fullMac}`, key.slice(4)]) {
      expect([forged, await isSignedOut(`${name}=${encodeURIComponent(forged)}`)]).toEqual([forged, true]);
    }
    expect(await isSignedOut(scoped)).toBe(false);
    const unknown = await mintOperatorKey(env.SIGNING_SECRET, { id: "k", scopes: ["metrics"], expiresAtMs: null });
    vi.spyOn(console, "warn").mockImplementation(() => {});
    const refused = await send("/operator/signin", { form: { operator_key: unknown.key } });
    expect([refused.status, refused.headers.get("Set-Cookie")]).toEqual([401, null]);
  });

  it("names its key in the journal", async () => {
    const e = await newEnterprise();
    const { id, key } = await makeKey(["grants", "enterprises"]);
    const cookie = await signIn(key);
    const page = `/operator/enterprises/${e.id}`;
    await send(`${page}/grants`, { cookie, form: { id: "g", amount_micros: "5", source: "goodwill" } });
    await send(`${page}/settings`, { cookie, form: { loaded: "{}", name: "New", plan: "team", anchor_day: "1" } });
    const by = (await e.entries()).map((entry) => [entry.type, entry.by]);
    expect(by).toContainEqual(["grant_added", `operator-key:${id}`]);
    expect((await e.gauge()).bonus.remaining_micros).toBe(5 * CREDIT);
  });

  it("neither shows nor changes the price multiplier without the scope for prices", async () => {
    const e = await newEnterprise();
    const path = `/operator/enterprises/${e.id}/settings`;
    const form = {
      loaded: "{}",
      name: "New",
      plan: "pro",
      billing_model: "credits",
      time_zone: "UTC",
      anchor_day: "1",
    };
    const support = await signInWith(["enterprises"]);
    expect((await send(path, { cookie: support })).text).not.toContain("price_multiplier");
    expect((await send(path, { cookie: support, form: { ...form, price_multiplier: "2" } })).status).toBe(303);
    expect((await operator("GET", e.path)).body).toMatchObject({ name: "New", price_multiplier: "1" });
    const sales = await signInWith(["enterprises", "prices"]);
    expect((await send(path, { cookie: sales })).text).toContain("price_multiplier");
    await send(path, { cookie: sales, form: { ...form, price_multiplier: "2" } });
    expect((await operator("GET", e.path)).body.price_multiplier).toBe("2");
  });

  it("makes and revokes no key with the scope admin", async () => {
    const cookie = await signInWith(["keys"]);
    const path = `/operator/enterprises/${acme.id}/keys`;
    expect((await send(path, { cookie })).text).not.toContain('name="admin"');
    const refused = await send(path, { cookie, form: { name: "mine", admin: "yes" } });
    expect([refused.status, refused.text.includes('id="secret"')]).toEqual([422, false]);
    const admin = await acme.createKey(["admin"]);
    expect((await send(`${path}/${admin.id}/revoke`, { cookie, form: { confirmed: "yes" } })).status).toBe(403);
    expect((await send(path, { cookie, form: { name: "agents", debit: "yes" } })).text).toContain('id="secret"');
  });
});

describe("what a session of a key with scopes shows", () => {
  const TABS = / href="\/operator\/enterprises\/[^/"]+(\/\w+)?"[^>]*>([^<]+)<\/a>/g;

  it.each<[OperatorScope, string[], string[]]>([
    ["enterprises", ["Enterprises", "Plans"], ["Overview", "Settings", "Budgets", "Webhooks"]],
    ["grants", ["Enterprises", "Referrals"], ["Grants"]],
    ["sessions", ["Enterprises"], ["Access"]],
    ["keys", ["Enterprises"], ["Keys"]],
    ["prices", ["Enterprises", "Prices"], []],
  ])("with %s: the pages %j, and of an enterprise %j", async (scope, pages, tabs) => {
    const cookie = await signInWith([scope]);
    const home = await send("/operator", { cookie });
    const navigation = /<nav class="tabs" aria-label="Operator">(.*?)<\/nav>/s.exec(home.text)?.[1] ?? "";
    expect([...navigation.matchAll(/>([^<]+)<\/a>/g)].map(([, label]) => label)).toEqual(pages);
    const opened = await send(`/operator/open?id=${acme.id}`, { cookie });
    if (tabs.length === 0) {
      expect(opened.headers.get("Location")).toBe("/operator");
      return;
    }
    const page = await send(opened.headers.get("Location") ?? "", { cookie });
    const shown = /<nav class="tabs sub" aria-label="Enterprise">(.*?)<\/nav>/s.exec(page.text)?.[1] ?? "";
    expect([...shown.matchAll(TABS)].map(([, , label]) => label)).toEqual(expect.arrayContaining(tabs));
  });

  it("has no link and no form that the session may not use", async () => {
    const ids = { e: acme.id, id: "none" };
    for (const scope of OPERATOR_SCOPES) {
      const cookie = await signInWith([scope]);
      const [forms, links] = [new Set<string>(), new Set<string>()];
      for (const { method, path } of PAGES) {
        if (method !== "GET" || !path.startsWith("/operator") || /\*|\/(export|signin)$/.test(path)) continue;
        const page = await send(pathOf({ path }, ids), { cookie });
        if (page.status !== 200) continue;
        for (const [, action = ""] of page.text.matchAll(/<form[^>]* method="post"[^>]* action="([^"]*)"/g)) {
          if (action !== "/operator/signout") forms.add(action);
        }
        for (const [, href = ""] of page.text.matchAll(/ href="(\/operator[^"]*)"/g)) links.add(href);
      }
      for (const action of forms) {
        // An empty form is refused by its fields, but not by the session's scopes.
        const { status } = await send(action, { cookie, form: {} });
        expect([scope, action, status === 403]).toEqual([scope, action, false]);
      }
      for (const href of links) {
        const { status } = await send(href.replaceAll("&amp;", "&"), { cookie });
        expect([scope, href, status === 403]).toEqual([scope, href, false]);
      }
    }
  });
});

describe("every page and form of the operator", () => {
  it("accepts no form that another site has sent, whoever is signed in", async () => {
    const cookie = await signIn(OPERATOR_KEY);
    const read = async () => [await acme.entries(), (await operator("GET", `${acme.path}/keys`)).body];
    const before = await read();
    for (const { method, path } of PAGES) {
      if (method !== "POST" || !isClosed({ path })) continue;
      const url = SITE + pathOf({ path }, { e: acme.id, id: "none" });
      for (const from of [
        { Origin: "https://evil.example" },
        { Origin: "null" },
        { Origin: SITE, "Sec-Fetch-Site": "cross-site" },
        { Origin: SITE, "Sec-Fetch-Site": "same-site" },
        {},
      ]) {
        const body = new URLSearchParams({ confirmed: "yes", name: "mine", debit: "yes" });
        const headers = { Cookie: cookie, Accept: "text/html", ...(from as Record<string, string>) };
        const { status } = await exports.default.fetch(url, { method, body, headers, redirect: "manual" });
        expect([path, from, status]).toEqual([path, from, 403]);
      }
    }
    expect(await read()).toEqual(before);
  });

  const isClosed = ({ path }: Pick<Page, "path">) => /^\/operator(?!\/sign)/.test(path);

  async function answerOf({ method, path }: Page, cookie: string): Promise<"yes" | ""> {
    const url = pathOf({ path }, { e: acme.id, id: "none", job: "none" });
    const { status, headers } = await send(url, { method, cookie, ...(method === "POST" && { form: {} }) });
    return status === 403 || headers.get("Location")?.startsWith("/operator/signin") ? "" : "yes";
  }

  it("is open to the scopes in docs/console-access.md, and to no other", async () => {
    const cookies = new Map<string, string>([["OPERATOR_KEY", await signIn(OPERATOR_KEY)]]);
    for (const scope of OPERATOR_SCOPES) cookies.set(scope, await signInWith([scope]));
    const lines: string[] = [];
    for (const page of PAGES.filter(isClosed)) {
      expect([nameOf(page), await answerOf(page, "")]).toEqual([nameOf(page), ""]);
      const answers: string[] = [];
      for (const [, cookie] of cookies) answers.push(await answerOf(page, cookie));
      lines.push(`| \`${nameOf(page)}\` | ${answers.join(" | ")} |`);
    }
    const heads = ["page or form", ...cookies.keys()];
    const table = [`| ${heads.join(" | ")} |`, `|${heads.map(() => "---").join("|")}|`, ...lines].join("\n");
    const head =
      "# Who may use each page of the console\n\nThe columns are `OPERATOR_KEY` and the scopes of operator keys. [Operate](operate.md#the-operators-page) describes the pages. A test makes this table from the responses.";
    await expect(`${head}\n\n${table}\n`).toMatchFileSnapshot("../../docs/console-access.md");
  });
});
