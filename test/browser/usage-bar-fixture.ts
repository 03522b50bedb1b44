/**
 * Sets up the tests of the usage bar: the Worker, a host page of another origin, and a new browser context for each test.
 * Its functions read the bar's label and buttons, the events that the host received, and the console.
 */
import type { BrowserContext, Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import { type HostPage, startHostPage } from "./host-page.ts";
import { type Enterprise, PATIENCE_MS, type Site, savePicture, startSite } from "./site.ts";

export const CREDIT = 1_000_000;
const TOKENS_PER_CREDIT = 10_000;
/** 22 days into a cycle of 30 that ends 1 Dec. */
const TEST_CLOCK = "2026-11-23T14:00:00Z";

type Detail = { threshold?: number; action?: string; url?: string };

declare global {
  /** Set by the script of the host page. */
  var events: { type: string; detail: Detail }[];
  var violations: string[];
  var getToken: () => Promise<string>;
  interface Element {
    getToken: () => Promise<string>;
  }
}

/** Starts the Worker and the host page for one test file, and a browser context for each test. */
export function setUpUsageBar() {
  const fixture = {
    site: null as unknown as Site,
    host: null as unknown as HostPage,
    context: null as unknown as BrowserContext,
    page: null as unknown as Page,
    /** The messages of the console and uncaught errors. */
    consoleMessages: [] as string[],
    socketsOpened: 0,

    /** Opens the host page with a bar of this enterprise. */
    async show({ id }: { id: string }, options: { attributes?: string; base?: string; withSockets?: boolean } = {}) {
      fixture.host.serve(barMarkup(id, options.attributes), options);
      await fixture.page.goto(fixture.host.origin);
    },
    label: (nth = 0) => fixture.page.locator("usage-bar").nth(nth).locator("[part=label]").innerText(),
    expectLabel: (nth = 0) => expect.poll(() => fixture.label(nth)),
    buttons: () => fixture.page.locator("usage-bar").getByRole("link").allInnerTexts(),
    expectButtons: () => expect.poll(() => fixture.buttons()),
    meterText: () => fixture.page.getByRole("meter").getAttribute("aria-valuetext"),
    eventsOf: (type: string): Promise<Detail[]> =>
      fixture.page.evaluate((name) => events.flatMap(({ type, detail }) => (type === name ? detail : [])), type),
    thresholds: async () => (await fixture.eventsOf("usage-threshold")).map(({ threshold }) => threshold),
    expectThresholds: () => expect.poll(() => fixture.thresholds()),
    savePicture: (name: string) => savePicture(fixture.page, `usage-bar-${name}`),
    async withCredits(credits: number, settings: Record<string, unknown> = {}) {
      const monthly_allowance_micros = Math.round(credits * CREDIT);
      return withSpend(
        await fixture.site.newEnterprise({ monthly_allowance_micros, test_clock: TEST_CLOCK, ...settings }),
      );
    },
    async byom(capMicros: number | null) {
      const enterprise = await fixture.site.newEnterprise({ billing_model: "byom", test_clock: TEST_CLOCK });
      await enterprise.cap(capMicros);
      return withSpend(enterprise);
    },
  };

  beforeAll(async () => {
    fixture.site = await startSite();
    fixture.host = await startHostPage(fixture.site);
  });
  afterAll(async () => {
    fixture.host?.close();
    await fixture.site?.stop();
  });
  beforeEach(async () => {
    Object.assign(fixture.host, { tokenRequest: { role: "member" }, isSignedIn: true, tokensIssued: 0 });
    Object.assign(fixture, { consoleMessages: [], socketsOpened: 0 });
    fixture.context = await fixture.site.browser.newContext();
    fixture.context.setDefaultTimeout(PATIENCE_MS);
    fixture.page = await fixture.context.newPage();
    fixture.page.on("console", (message) => fixture.consoleMessages.push(message.text()));
    fixture.page.on("pageerror", (error) => fixture.consoleMessages.push(String(error)));
    fixture.page.on("websocket", () => {
      fixture.socketsOpened += 1;
    });
  });
  afterEach(() => fixture.context?.close());
  return fixture;
}

/** Adds `spend`: a run that costs this many credits, or a hundredth of it in USD. */
function withSpend(enterprise: Enterprise) {
  const spend = (credits: number, more: Record<string, unknown> = {}) =>
    enterprise.run(Math.round(credits * TOKENS_PER_CREDIT), more);
  return { ...enterprise, spend };
}

/** The markup of a bar, with the link that is shown instead of it until it works. */
export function barMarkup(enterprise: string, attributes = ""): string {
  return `<usage-bar enterprise="${enterprise}" ${attributes}><a href="/usage">Your usage</a></usage-bar>`;
}
