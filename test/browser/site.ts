/**
 * The site in a browser, for tests: the Worker started once per file, a Chromium, and enterprises made over the HTTP
 * interface. Every enterprise has a clock of its own, and prices are made so that amounts are easy to choose.
 */
import { existsSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join, resolve } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import packedChromium from "@sparticuz/chromium";
import { type Browser, type BrowserContext, chromium, type Page } from "playwright-core";

const ROOT = resolve(import.meta.dirname, "../..");
export const KEY = "operator-key-of-the-tests-32-characters";

export const WIDE = { width: 1280, height: 900 };
export const NARROW = { width: 375, height: 800 };

// biome-ignore lint/suspicious/noExplicitAny: answers are looked into freely; their shapes are tested elsewhere
export type Answer = { status: number; body: any; headers: Headers; text: string };

export type Look = { theme?: "light" | "dark"; size?: { width: number; height: number }; script?: boolean };

/** As much of D1 as is used here; the Worker's own types stay with the Worker. */
type Database = {
  prepare(sql: string): { all(): Promise<{ results: { name: string }[] }> };
  batch(statements: unknown[]): Promise<unknown>;
};

export type Site = Awaited<ReturnType<typeof startSite>>;
export type Enterprise = Awaited<ReturnType<Site["newEnterprise"]>>;

/** @param copy false: a Worker whose copy has no tables, so that every question to it fails */
export async function startSite({ copy = true, demo = false } = {}) {
  const silent = { X_LOCAL_OBSERVABILITY: "false", X_LOCAL_EXPLORER: "false", CLOUDFLARE_CF_FETCH_ENABLED: "false" };
  Object.assign(process.env, silent, { WRANGLER_SEND_METRICS: "false" });
  const { createTestHarness } = await import("wrangler");
  const worker = {
    configPath: "./wrangler.toml",
    vars: { RATE_LIMIT_FACTOR: "1000", ...(demo ? { DEMO_MODE: "true" } : {}) },
    secrets: { OPERATOR_KEY: KEY, SIGNING_SECRET: "signing-secret-of-the-tests-32-characters" },
  };
  const server = createTestHarness({ root: ROOT, workers: [worker] });
  const [{ url }, browser] = await Promise.all([server.listen(), launchBrowser()]);
  if (copy) await server.getWorker().applyD1Migrations("DB");
  const site = await openSite(url.origin, browser);

  /** Closes every socket of an enterprise's object and forgets its memory, as a deployment does. */
  const evict = ({ id }: { id: string }) =>
    server.getWorker().evictDurableObject("EnterpriseObject", { name: id, webSockets: "close" });

  /** Every question to the copy fails, and every write, until what this returns is called. */
  async function takeCopyAway(): Promise<() => Promise<void>> {
    const { DB } = await server.getWorker<{ DB: Database }>().getEnv();
    const found = await DB.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    const tables = found.results.map(({ name }) => name).filter((name) => !/^(sqlite|_cf|d1)_/.test(name));
    const rename = (from: (table: string) => string, to: (table: string) => string) =>
      DB.batch(tables.map((table) => DB.prepare(`ALTER TABLE ${from(table)} RENAME TO ${to(table)}`)));
    const here = (table: string) => table;
    const away = (table: string) => `away_${table}`;
    await rename(here, away);
    return async () => void (await rename(away, here));
  }

  async function stop(): Promise<void> {
    await browser.close();
    await server.close();
  }

  return { ...site, evict, takeCopyAway, stop };
}

/** A Worker that runs already, wherever it does. */
export async function openSite(base: string, browser: Browser) {
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

  async function must(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await send(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  }

  // One token costs a millionth of a dollar, and so 100 millionths of a credit.
  const plain = { input: "1", output: "1" };
  await must("PUT", "/v1/price-book", {
    models: [
      { id: "plain", ...plain },
      { id: "other", ...plain },
    ],
  });

  let made = 0;

  /** An enterprise at this moment of its clock; what is given overrides the defaults. */
  async function newEnterprise(settings: Record<string, unknown> = {}) {
    const id = `e${++made}`;
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
    await must("PUT", path, { ...defaults, ...settings });
    let runs = 0;
    return {
      id,
      path,
      put: (change: Record<string, unknown>) => must("PUT", path, change),
      moveTo: (now: string) => must("POST", `${path}/test-clock`, { now }),
      grant: (credits: number, more: Record<string, unknown> = {}) =>
        must("POST", `${path}/grants`, {
          id: `g${++runs}`,
          amount_micros: credits * 1_000_000,
          source: "referral",
          ...more,
        }),
      cap: (micros: number | null) => must("PUT", `${path}/spend-cap`, { monthly_cap_micros: micros }),
      directory: (names: Record<string, unknown>) => must("PUT", `${path}/directory`, names),
      /** One closed run that costs this many tokens; 10,000 are a credit, 1,000,000 a dollar. */
      run: async (tokens: number, more: Record<string, unknown> = {}) => {
        const usage = { input_tokens: tokens, output_tokens: 0 };
        const run = `run-${String(++runs).padStart(4, "0")}`;
        const where = { surface: "web", workspace: "w1", user: "u1" };
        const now = (await must("GET", path)).body.test_clock as string;
        const report = { run, model: "plain", usage, ...where, started_at: now, final: true, ...more };
        return (await must("POST", `${path}/debits`, report)).body;
      },
      debits: (reports: unknown[]) => must("POST", `${path}/debits`, { reports }),
      gauge: async () => (await must("GET", `${path}/gauge`)).body,
      /** Writes the copy anew: what was debited before is in it. */
      project: () => must("POST", `${path}/rebuild`),
    };
  }

  /** A context that is signed in to the enterprise, and its page with the dashboard. */
  async function signIn(enterprise: { id: string }, role: "admin" | "member" = "admin", look: Look = {}) {
    const context = await newContext(look);
    const link = await must("POST", `/v1/enterprises/${enterprise.id}/sessions`, { user: "lena.vogt", role });
    const page = await context.newPage();
    const complaints = complaintsOf(page);
    await page.goto(link.body.url);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(/\/settings\/usage/);
    return { context, page, complaints };
  }

  /** A cookie for plain requests. */
  async function cookieFor(enterprise: { id: string }, role: "admin" | "member" = "admin"): Promise<string> {
    const link = await must("POST", `/v1/enterprises/${enterprise.id}/sessions`, { user: "lena.vogt", role });
    const token = new URL(link.body.url).searchParams.get("token") ?? "";
    const answer = await send("POST", "/signin", `token=${token}`, FORM);
    return (answer.headers.get("Set-Cookie") ?? "").split(";")[0] ?? "";
  }

  function newContext({ theme = "light", size = WIDE, script = true }: Look = {}): Promise<BrowserContext> {
    return browser.newContext({
      baseURL: base,
      viewport: size,
      colorScheme: theme,
      javaScriptEnabled: script,
      locale: "en-GB",
      reducedMotion: "reduce",
    });
  }

  return { base, browser, send, must, newEnterprise, signIn, cookieFor, newContext };
}

/** Headers of a form that a browser would send from a page of the site. */
export const FORM: RequestInit = {
  headers: { "Content-Type": "application/x-www-form-urlencoded", Cookie: "none=", Accept: "text/html" },
};

/** Collects what the browser complains about: errors of scripts, and everything the content policy refuses. */
export function complaintsOf(page: Page): string[] {
  const complaints: string[] = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    if (message.type() === "error" || /Content Security Policy/.test(message.text())) complaints.push(message.text());
  });
  return complaints;
}

/** Keeps a picture where the environment asks for pictures. */
export async function picture(page: Page, name: string, fullPage = true): Promise<void> {
  const folder = process.env.FUELGAUGE_PICTURES;
  if (!folder) return;
  await mkdir(folder, { recursive: true });
  await page.screenshot({ path: join(folder, `${name}.png`), fullPage });
}

/** What a page sees when its tab is hidden or shown. */
export function setHidden(page: Page, hidden: boolean): Promise<void> {
  return page.evaluate((value) => {
    Object.defineProperty(document, "hidden", { configurable: true, get: () => value });
    document.dispatchEvent(new Event("visibilitychange"));
  }, hidden);
}

/** The words of a place, as one line. */
export async function words(page: Page, place: string): Promise<string> {
  return (await page.locator(place).innerText()).replaceAll(/\s+/g, " ").trim();
}

/** What axe finds, by rule and place. */
export async function faultsOf(page: Page): Promise<string[]> {
  const { violations } = await new AxeBuilder({ page }).analyze();
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(" ")}`));
}

/** What of the page is wider than the screen; the chart takes a moment to follow a new width. */
export async function widerThanScreen(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const width = document.documentElement.clientWidth;
    const look = () =>
      [...document.querySelectorAll("main *")]
        .filter((element) => element.closest(".scroll, .unseen, svg, thead") === null)
        .filter((element) => element.getBoundingClientRect().right > width + 0.5)
        .map((element) => `${element.tagName}.${element.className} in #${element.closest("[id]")?.id}`);
    for (let frame = 0; frame < 30 && look().length > 0; frame++) await new Promise(requestAnimationFrame);
    return look();
  });
}

export async function launchBrowser(): Promise<Browser> {
  const installed = process.env.FUELGAUGE_CHROMIUM;
  const executablePath = installed && existsSync(installed) ? installed : await packedChromium.executablePath();
  const args = ["--no-sandbox", "--disable-gpu", "--font-render-hinting=none", "--hide-scrollbars"];
  return chromium.launch({ executablePath, args, headless: true });
}
