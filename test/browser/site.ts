/**
 * Starts the Worker and a Chromium for one test file, and creates enterprises over the HTTP interface. Every enterprise has
 * a test clock, and the price book has round prices, so that amounts are easy to choose.
 */
import { readFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { AxeBuilder } from "@axe-core/playwright";
import type { Browser, BrowserContext, Locator, Page } from "playwright-core";
import { OPERATOR_KEY, startBuiltWorker } from "../support/start-worker.ts";
import { launchBrowser } from "./chromium.ts";

export const KEY = OPERATOR_KEY;

export const WIDE = { width: 1280, height: 900 };
export const NARROW = { width: 375, height: 800 };

// biome-ignore lint/suspicious/noExplicitAny: the shapes of answers are tested elsewhere
type Answer = { status: number; body: any; headers: Headers; text: string };

export type ViewOptions = { theme?: "light" | "dark"; size?: { width: number; height: number }; script?: boolean };

export type Site = Awaited<ReturnType<typeof startSite>>;
export type Enterprise = Awaited<ReturnType<Site["newEnterprise"]>>;

/**
 * @param copy false: the copy has no tables, so that every query of it fails
 * @param shards true: there is a second database for copies
 */
export async function startSite({ copy = true, demo = false, shards = false } = {}) {
  const databases = shards ? ["DB", "DB_1"] : ["DB"];
  const [worker, browser] = await Promise.all([
    startBuiltWorker({
      variables: {
        RATE_LIMIT_FACTOR: "1000",
        SIMULATE_REGIONS: "true",
        EMAIL_FROM: "fuelgauge@platform.example",
        ...(demo ? { DEMO_MODE: "true" } : {}),
      },
      ...(copy ? { databases } : { databases: [], without: databases }),
    }),
    launchBrowser(),
  ]);
  const site = await openSite(worker.url, browser);

  /** Closes all sockets of an enterprise's object and clears its memory, as a deployment does. */
  const evict = ({ id }: { id: string }) => worker.evict(id);

  /** Makes all reads and writes of the copy fail until the returned function is called. */
  async function breakCopy(): Promise<() => Promise<void>> {
    const DB = await worker.database("DB");
    const found = await DB.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    const tables = found.results.map(({ name }) => name).filter((name) => !/^(sqlite|_cf|d1)_/.test(name));
    const rename = (nameBefore: (table: string) => string, nameAfter: (table: string) => string) =>
      DB.batch(tables.map((table) => DB.prepare(`ALTER TABLE ${nameBefore(table)} RENAME TO ${nameAfter(table)}`)));
    const visible = (table: string) => table;
    const hidden = (table: string) => `hidden_${table}`;
    await rename(visible, hidden);
    return async () => void (await rename(hidden, visible));
  }

  async function stop(): Promise<void> {
    await browser.close();
    await worker.stop();
  }

  return { ...site, evict, breakCopy, stop };
}

/** Uses a Worker that is already running. */
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

  /** Sends as the operator and throws if the answer is not a success. */
  async function sendOk(method: string, path: string, body?: unknown): Promise<Answer> {
    const answer = await send(method, path, body);
    if (answer.status >= 300) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
    return answer;
  }

  // One token costs a millionth of a dollar, which is a ten-thousandth of a credit.
  const plain = { input: "1", output: "1" };
  await sendOk("PUT", "/v1/price-book", {
    models: [
      { id: "plain", ...plain },
      { id: "other", ...plain },
    ],
  });

  let enterprisesMade = 0;

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

  /** Signs a new browser context in to the enterprise and opens the dashboard. */
  async function signIn(enterprise: { id: string }, role: "admin" | "member" = "admin", view: ViewOptions = {}) {
    const context = await newContext(view);
    const link = await sendOk("POST", `/v1/enterprises/${enterprise.id}/sessions`, { user: "lena.vogt", role });
    const page = await context.newPage();
    const browserErrors = collectBrowserErrors(page);
    await page.goto(link.body.url);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL(/\/settings\/usage/);
    return { context, page, browserErrors };
  }

  /** The cookie of a session, for requests without a browser. */
  async function cookieFor(enterprise: { id: string }, role: "admin" | "member" = "admin"): Promise<string> {
    const link = await sendOk("POST", `/v1/enterprises/${enterprise.id}/sessions`, { user: "lena.vogt", role });
    const token = new URL(link.body.url).searchParams.get("token") ?? "";
    const answer = await send("POST", "/signin", `token=${token}`, FORM);
    return (answer.headers.get("Set-Cookie") ?? "").split(";")[0] ?? "";
  }

  function newContext({ theme = "light", size = WIDE, script = true }: ViewOptions = {}): Promise<BrowserContext> {
    return browser.newContext({
      baseURL: base,
      viewport: size,
      colorScheme: theme,
      javaScriptEnabled: script,
      locale: "en-GB",
      reducedMotion: "reduce",
    });
  }

  return { base, browser, send, sendOk, newEnterprise, signIn, cookieFor, newContext };
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

/** The rules of axe. Its library would send the readable source, twice as long, two times for every check of a page. */
const AXE = readFileSync(
  createRequire(import.meta.resolve("@axe-core/playwright")).resolve("axe-core/axe.min.js"),
  "utf8",
);

/**
 * Violations of accessibility rules, each with the rule and the element.
 * @param onlyColours check only the rules about colours, for another theme of a page that was checked before
 */
export async function axeViolations(page: Page, { onlyColours = false } = {}): Promise<string[]> {
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(AXE);
  // The page has the rules now, so the library has nothing to send. The legacy mode does not look into frames of other
  // sites, and these pages have none. It needs no second page for each call. Describing every element that passes would
  // take longer than checking it.
  const axe = new AxeBuilder({ page, axeSource: ";" }).setLegacyMode().options({ resultTypes: ["violations"] });
  const { violations } = await (onlyColours ? axe.withTags("cat.color") : axe).analyze();
  return violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => `${id}: ${target.join(" ")}`));
}

/** The elements that are wider than the screen. Waits some frames, because the chart resizes with a delay. */
export async function overflowingElements(page: Page): Promise<string[]> {
  return page.evaluate(async () => {
    const width = document.documentElement.clientWidth;
    const find = () =>
      [...document.querySelectorAll("main *")]
        .filter((element) => element.closest(".scroll, .unseen, svg, thead") === null)
        .filter((element) => element.getBoundingClientRect().right > width + 0.5)
        .map((element) => `${element.tagName}.${element.className} in #${element.closest("[id]")?.id}`);
    for (let frame = 0; frame < 180 && find().length > 0; frame++) await new Promise(requestAnimationFrame);
    return find();
  });
}
