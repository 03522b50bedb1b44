/**
 * The stage for the tests of the usage bar: the Worker, a host's page of another origin, a fresh browser context for
 * each test, and what one looks at: the bar's words, its buttons, the events its host heard, what the console said.
 */
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { type HostPage, startHostPage } from "./host-page.ts";
import { type Enterprise, picture, type Site, startSite } from "./site.ts";

export const CREDIT = 1_000_000;
const TOKENS_PER_CREDIT = 10_000;
/** 22 days into a cycle of 30 that ends 1 Dec. */
const TEST_CLOCK = "2026-11-23T14:00:00Z";
const SOON = { timeout: 10_000, interval: 50 };

type Detail = { threshold?: number; action?: string; url?: string };

declare global {
  /** Made by the host's page. */
  var heard: { type: string; detail: Detail }[];
  var violations: string[];
  var getToken: () => Promise<string>;
  interface Element {
    getToken: () => Promise<string>;
  }
}

/** Sets the stage for one file of tests. */
export function setBarStage() {
  const stage = {
    site: null as unknown as Site,
    host: null as unknown as HostPage,
    context: null as unknown as BrowserContext,
    page: null as unknown as Page,
    /** What the console and uncaught errors said. */
    complaints: [] as string[],
    socketsOpened: 0,

    /** Opens the host's page with one bar of this enterprise. */
    async show({ id }: { id: string }, options: { attributes?: string; base?: string; withSockets?: boolean } = {}) {
      stage.host.serve(barOf(id, options.attributes), options);
      await stage.page.goto(stage.host.origin);
    },
    label: (nth = 0) => stage.page.locator("usage-bar").nth(nth).locator("[part=label]").innerText(),
    expectLabel: (nth = 0) => expect.poll(() => stage.label(nth), SOON),
    buttons: () => stage.page.locator("usage-bar").getByRole("link").allInnerTexts(),
    expectButtons: () => expect.poll(() => stage.buttons(), SOON),
    meterText: () => stage.page.getByRole("meter").getAttribute("aria-valuetext"),
    heard: (type: string): Promise<Detail[]> =>
      stage.page.evaluate((wanted) => heard.flatMap(({ type, detail }) => (type === wanted ? detail : [])), type),
    thresholds: async () => (await stage.heard("usage-threshold")).map(({ threshold }) => threshold),
    expectThresholds: () => expect.poll(() => stage.thresholds(), SOON),
    shoot: (name: string) => picture(stage.page, `usage-bar-${name}`),
    async withCredits(credits: number, settings: Record<string, unknown> = {}) {
      const monthly_allowance_micros = Math.round(credits * CREDIT);
      return spending(
        await stage.site.newEnterprise({ monthly_allowance_micros, test_clock: TEST_CLOCK, ...settings }),
      );
    },
    async byom(capMicros: number | null) {
      const enterprise = await stage.site.newEnterprise({ billing_model: "byom", test_clock: TEST_CLOCK });
      await enterprise.cap(capMicros);
      return spending(enterprise);
    },
  };

  beforeAll(async () => {
    stage.site = await startSite();
    stage.host = await startHostPage(stage.site);
  });
  afterAll(async () => {
    stage.host?.close();
    await stage.site?.stop();
  });
  beforeEach(async () => {
    Object.assign(stage.host, { wish: { role: "member" }, isSignedIn: true, tokensGiven: 0 });
    Object.assign(stage, { complaints: [], socketsOpened: 0 });
    stage.context = await stage.site.browser.newContext();
    stage.page = await stage.context.newPage();
    stage.page.on("console", (message) => stage.complaints.push(message.text()));
    stage.page.on("pageerror", (error) => stage.complaints.push(String(error)));
    stage.page.on("websocket", () => {
      stage.socketsOpened += 1;
    });
  });
  afterEach(() => stage.context?.close());
  return stage;
}

/** With runs that cost so many credits, or a hundredth as many USD. */
function spending(enterprise: Enterprise) {
  const spend = (credits: number, more: Record<string, unknown> = {}) =>
    enterprise.run(Math.round(credits * TOKENS_PER_CREDIT), more);
  return { ...enterprise, spend };
}

/** The markup of a bar, with the link that stands in for it. */
export function barOf(enterprise: string, attributes = ""): string {
  return `<usage-bar enterprise="${enterprise}" ${attributes}><a href="/usage">Your usage</a></usage-bar>`;
}
