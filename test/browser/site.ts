/**
 * Starts the Worker, opens its pages in Chromium, and creates enterprises over the HTTP interface. Every enterprise has a
 * test clock, and the price book has round prices, so that amounts are easy to choose.
 */
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { OPERATOR_KEY, startBuiltWorker } from "../support/start-worker.ts";
import { sharedBrowser } from "./chromium.ts";

export const KEY = OPERATOR_KEY;

/** How long an action in the browser waits for what it needs: as long as polls do. */
export const PATIENCE_MS = 60_000;

export const WIDE = { width: 1280, height: 900 };
export const NARROW = { width: 375, height: 800 };

// biome-ignore lint/suspicious/noExplicitAny: the shapes of answers are tested elsewhere
type Answer = { status: number; body: any; headers: Headers; text: string };

export type ViewOptions = {
  theme?: "light" | "dark";
  size?: { width: number; height: number };
  script?: boolean;
  /** The page that a signed-in person opens first. */
  path?: string;
};

export type Site = Awaited<ReturnType<typeof startSite>>;
export type Enterprise = Awaited<ReturnType<Site["newEnterprise"]>>;

type WorkerOptions = { copy?: boolean; demo?: boolean; shards?: boolean };

async function startWorker({ copy = true, demo = false, shards = false }: WorkerOptions) {
  const databases = shards ? ["DB", "DB_1"] : ["DB"];
  const worker = await startBuiltWorker({
    variables: {
      RATE_LIMIT_FACTOR: "1000",
      SIMULATE_REGIONS: "true",
      EMAIL_FROM: "fuelgauge@platform.example",
      ...(demo ? { DEMO_MODE: "true", DEMO_EDITOR: "http://localhost:8788/" } : {}),
    },
    ...(copy ? { databases } : { databases: [], without: databases }),
  });
  await putPrices(worker.url);
  return worker;
}

let sharedWorker: ReturnType<typeof startWorker> | undefined;

/**
 * Files that run one after another in a process share its Worker, each with its own enterprises, because starting a Worker
 * takes longer than many tests. It ends with the process.
 * @param own true: this file has its own Worker, because it looks at all enterprises or changes what they have in common
 * @param copy false: the copy has no tables, so that every query of it fails
 * @param shards true: there is a second database for copies
 */
export async function startSite({ own = false, ...options }: WorkerOptions & { own?: boolean } = {}) {
  const isShared = !own && Object.keys(options).length === 0;
  if (isShared) sharedWorker ??= startWorker({});
  const starting = isShared && sharedWorker !== undefined ? sharedWorker : startWorker(options);
  const [worker, browser] = await Promise.all([starting, sharedBrowser()]);
  const site = openSite(worker.url, browser);

  /** Closes all sockets of an enterprise's object and clears its memory, as a deployment does. */
  const evict = ({ id }: { id: string }) => worker.evict(id);

  /** Makes all reads and writes of the copy fail until the returned function is called. Calling it again does nothing. */
  async function breakCopy(): Promise<() => Promise<void>> {
    const DB = await worker.database("DB");
    const found = await DB.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    const tables = found.results.map(({ name }) => name).filter((name) => !/^(sqlite|_cf|d1)_/.test(name));
    const rename = (nameBefore: (table: string) => string, nameAfter: (table: string) => string) =>
      DB.batch(tables.map((table) => DB.prepare(`ALTER TABLE ${nameBefore(table)} RENAME TO ${nameAfter(table)}`)));
    const visible = (table: string) => table;
    const hidden = (table: string) => `hidden_${table}`;
    await rename(visible, hidden);
    let isBroken = true;
    return async () => {
      if (isBroken) await rename(hidden, visible);
      isBroken = false;
    };
  }

  async function stop(): Promise<void> {
    await site.closeContexts();
    if (!isShared) await worker.stop();
  }

  return { ...site, evict, breakCopy, stop };
}

/** One token costs a millionth of a dollar, which is a ten-thousandth of a credit. */
export async function putPrices(base: string): Promise<void> {
  const models = ["plain", "other"].map((id) => ({ id, input: "1", output: "1" }));
  const headers = { Authorization: `Bearer ${KEY}`, "Content-Type": "application/json" };
  const put = { method: "PUT", headers, body: JSON.stringify({ models }) };
  const { ok, status } = await fetch(new URL("/v1/price-book", base), put);
  if (!ok) throw new Error(`PUT /v1/price-book: ${status}`);
}

let enterprisesMade = 0;

/** Uses a Worker that is already running, with the prices of `putPrices`. */
export function openSite(base: string, browser: Browser) {
  async function send(method: string, path: string, body?: unknown, init: RequestInit = {}): Promise<Answer> {
    const headers = new Headers(init.headers);
    if (!headers.has("Authorization") && !headers.has("Cookie")) headers.set("Authorization", `Bearer ${KEY}`);
    if (body !== undefined && !headers.has("Content-Type")) headers.set("Content-Type", "application/json");
    const content = body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) };
    const response = await fetch(new URL(path, base), { redirect: "manual", ...init, method, headers, ...content });
    const text = await response.text();
    const json = response.headers.get("Content-Type")?.includes("json") === true;
    return { status: response.status, body: json ? JSON.parse(text) : null, headers: response.headers, text };
  }

  /** Sends as the operator and throws if the answer is not a success. */
  async function sendOk(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await send(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  }

  /** Creates an enterprise. Its test clock shows noon on 20 November 2026. */
  async function newEnterprise(settings: Record<string, unknown> = {}) {
    const id = `e${++enterprisesMade}`;
    const path = `/v1/enterprises/${id}`;
    const defaults = {
      name: "Acme Robotics",
      billing_model: "credits",
      plan: "pro",
      monthly_allowance_micros: settings.plan === undefined ? 1_500_000_000 : null,
      test_clock: "2026-11-20T12:00:00.000Z",
      upgrade_url: "https://platform.example/upgrade",
      referral_url: "https://platform.example/invite",
    };
    await sendOk("PUT", path, { ...defaults, ...settings });
    let runs = 0;
    return {
      id,
      path,
      put: (change: Record<string, unknown>) => sendOk("PUT", path, change),
      moveTo: (now: string) => sendOk("POST", `${path}/test-clock`, { now }),
      grant: (credits: number, more: Record<string, unknown> = {}) =>
        sendOk("POST", `${path}/grants`, {
          id: `g${++runs}`,
          amount_micros: credits * 1_000_000,
          source: "referral",
          ...more,
        }),
      cap: (micros: number | null) => sendOk("PUT", `${path}/spend-cap`, { monthly_cap_micros: micros }),
      directory: (names: Record<string, unknown>) => sendOk("PUT", `${path}/directory`, names),
      /** Reports one finished run of this many tokens: 10,000 cost a credit, 1,000,000 a dollar. */
      run: async (tokens: number, more: Record<string, unknown> = {}) => {
        const usage = { input_tokens: tokens, output_tokens: 0 };
        const run = `run-${String(++runs).padStart(4, "0")}`;
        const attribution = { surface: "web", workspace: "w1", user: "u1" };
        const now = (await sendOk("GET", path)).body.test_clock as string;
        const report = { run, model: "plain", usage, ...attribution, started_at: now, final: true, ...more };
        return (await sendOk("POST", `${path}/debits`, report)).body;
      },
      debits: (reports: unknown[]) => sendOk("POST", `${path}/debits`, { reports }),
      gauge: async () => (await sendOk("GET", `${path}/gauge`)).body,
      /** Rebuilds the copy, so that it has everything debited before. */
      project: () => sendOk("POST", `${path}/rebuild`),
    };
  }

  /** Opens a page as a signed-in person: the dashboard, unless the view names another path. */
  async function signIn(enterprise: { id: string }, role: "admin" | "member" = "admin", view: ViewOptions = {}) {
    return openSignedIn(await sessionOf(enterprise, role), view, "/settings/usage");
  }

  /** Opens a page as the operator: the list of enterprises, unless the view names another path. */
  async function signInAsOperator(view: ViewOptions = {}) {
    const answer = await send("POST", "/operator/signin", `operator_key=${KEY}`, FORM);
    return openSignedIn(answer.headers.get("Set-Cookie") ?? "", view, "/operator");
  }

  /** Opens a page in a new context with the cookie of a session. The tests of signing in use the pages for it instead. */
  async function openSignedIn(session: string, view: ViewOptions, home: string) {
    const context = await newContext(view);
    await addCookie(context, session);
    const page = await context.newPage();
    const browserErrors = collectBrowserErrors(page);
    await page.goto(view.path ?? home);
    return { context, page, browserErrors };
  }

  /** Adds a cookie with the attributes that the server gave it. They decide whether other sites' forms can use it. */
  async function addCookie(context: BrowserContext, session: string): Promise<void> {
    const [, name = "", value = "", attributes = ""] = /^([^=]+)=([^;]+)(.*)$/.exec(session) ?? [];
    const [, sameSite] = /SameSite=(Lax|Strict)/.exec(attributes) ?? [];
    await context.addCookies([
      {
        name,
        value,
        url: base,
        httpOnly: attributes.includes("HttpOnly"),
        ...(sameSite === undefined ? {} : { sameSite: sameSite as "Lax" | "Strict" }),
      },
    ]);
  }

  async function sessionOf(enterprise: { id: string }, role: "admin" | "member"): Promise<string> {
    const link = await sendOk("POST", `/v1/enterprises/${enterprise.id}/sessions`, { user: "lena.vogt", role });
    const token = new URL(link.body.url).searchParams.get("token") ?? "";
    return (await send("POST", "/signin", `token=${token}`, FORM)).headers.get("Set-Cookie") ?? "";
  }

  /** The cookie of a session, for requests without a browser. */
  async function cookieFor(enterprise: { id: string }, role: "admin" | "member" = "admin"): Promise<string> {
    return (await sessionOf(enterprise, role)).split(";")[0] ?? "";
  }

  const contexts: BrowserContext[] = [];

  async function newContext({ theme = "light", size = WIDE, script = true }: ViewOptions = {}) {
    const context = await browser.newContext({
      baseURL: base,
      viewport: size,
      colorScheme: theme,
      javaScriptEnabled: script,
      locale: "en-GB",
      reducedMotion: "reduce",
    });
    context.setDefaultTimeout(PATIENCE_MS);
    contexts.push(context);
    return context;
  }

  /** Closes the contexts that are still open. */
  const closeContexts = () => Promise.all(contexts.map((context) => context.close()));

  return { base, browser, send, sendOk, newEnterprise, signIn, signInAsOperator, cookieFor, newContext, closeContexts };
}

/** Clicks a link or a button that loads a new page, and waits for that page. */
export async function clickAndLoad(target: Locator): Promise<void> {
  await Promise.all([target.page().waitForEvent("load"), target.click()]);
}

/** The request options of a form that a page of the site submits. */
export const FORM: RequestInit = {
  headers: { "Content-Type": "application/x-www-form-urlencoded", Cookie: "none=", Accept: "text/html" },
};

/** Collects script errors, errors in the console, and violations of the content security policy. */
export function collectBrowserErrors(page: Page): string[] {
  const errors: string[] = [];
  page.on("pageerror", (error) => errors.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" || /Content Security Policy/.test(message.text())) errors.push(message.text());
  });
  return errors;
}

/** Saves a screenshot if FUELGAUGE_PICTURES names a folder. */
export async function savePicture(page: Page, name: string, fullPage = true): Promise<void> {
  const folder = process.env.FUELGAUGE_PICTURES;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage });
}

/** Makes a page believe that its tab was hidden or shown. */
export function setHidden(page: Page, hidden: boolean): Promise<void> {
  return page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
}

/** The text of an element as one line with single spaces. */
export async function textOf(page: Page, selector: string): Promise<string> {
  return (await page.locator(selector).innerText()).replaceAll(/\s+/g, " ").trim();
}
