// What the usage page and the usage bar must show within a time limit, and how often they are updated under load. Other
// work on the machine would falsify these times, so tests that run at the same time have a lower priority, the limits grow
// with the time that the machine needs for fixed work, and a test that missed its limit is repeated.
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { type HostPage, startHostPage } from "./host-page.ts";
import { headline, openLivePage, pill } from "./live-page.ts";
import { type Enterprise, type Site, startSite, textOf } from "./site.ts";
import { barMarkup } from "./usage-bar-fixture.ts";

const ATTEMPTS = { retry: 2 };
const LIVE_WITHIN_MS = 1_500;
/** A page asks for its balance at most once a second, so of debits that arrive all the time, 5 % wait for 950 ms. */
const DEBIT_SHOWN_WITHIN_MS = { page: 1_500, bar: 1_000 };
const DRAWN_WITHIN_MS = 1_500;
const DEBITS = 200;
const PAUSE_MS = 25;
const LOAD_MS = 3_000;
const LOAD_TICK_MS = 100;
const DEBITS_PER_TICK = 50;
const PUSHES_PER_SECOND = 4;
const TOKENS_PER_CREDIT = 10_000;
const PHONE = { width: 375, height: 812 };
/** A slow mobile connection: 150 ms there and back, 1.6 Mbit/s down. */
const PHONE_NETWORK = { offline: false, latency: 150, downloadThroughput: 200_000, uploadThroughput: 90_000 };
/** The tables follow a debit within five seconds. */
const SETTLED_MS = 6_000;

/** The CPU time that `compute` takes on the machine for which the limits were chosen. */
const USUAL_COMPUTE_MS = 250;

/** A time limit on this machine, whose processors may be slow, or busy with something else. */
function onThisMachine(limitMs: number): number {
  const startedMs = performance.now();
  compute();
  return limitMs * Math.max(1, (performance.now() - startedMs) / USUAL_COMPUTE_MS);
}

function compute(): number {
  let state = 1;
  for (let i = 0; i < 200_000_000; i++) state = (Math.imul(state, 1_664_525) + 1_013_904_223) | 0;
  return state;
}

/** A number on a screen, and the time from which it was shown, in milliseconds since the epoch. */
type ShownNumber = { atMs: number; credits: number };

let site: Site;
let host: HostPage;
let repairCopy = async () => {};

beforeAll(async () => {
  site = await startSite({ own: true });
  host = await startHostPage(site);
});
// A test that is repeated begins with a copy that works, and without the pages of its last attempt.
afterEach(async () => {
  await repairCopy();
  await site.closeContexts();
});
afterAll(async () => {
  host?.close();
  await site?.stop();
});

/** Opens the dashboard and a page with the bar, both live, and records every number that they show. */
async function watch(enterprise: Enterprise) {
  const { page: dashboard, context } = await site.signIn(enterprise);
  const editor = await context.newPage();
  const frames = { dashboard: recordFrames(dashboard), editor: recordFrames(editor) };
  await dashboard.reload();
  host.serve(barMarkup(enterprise.id));
  await editor.goto(host.origin);
  await expect.poll(() => pill(dashboard)).toBe("Live");
  await expect.poll(() => textOf(editor, "usage-bar [part=label]")).toContain(" of ");
  await recordNumbers(dashboard, ".headline");
  await recordNumbers(editor, "usage-bar");
  return { dashboard, editor, frames, close: () => context.close() };
}

/** The times at which gauges arrived over the socket. */
function recordFrames(page: Page): number[] {
  const arrivals: number[] = [];
  page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => String(payload).startsWith("{") && arrivals.push(performance.now()));
  });
  return arrivals;
}

function recordNumbers(page: Page, place: string): Promise<void> {
  return page.evaluate((selector) => {
    const shownNumbers: ShownNumber[] = [];
    Object.assign(globalThis, { shownNumbers });
    const bar = document.querySelector("usage-bar")?.shadowRoot;
    const record = () => {
      const shown = bar?.querySelector("[part=label]") ?? document.querySelector(selector);
      const credits = Number(/([\d,.]+) of/.exec(shown?.textContent ?? "")?.[1]?.replaceAll(",", ""));
      if (credits !== shownNumbers.at(-1)?.credits)
        shownNumbers.push({ atMs: performance.timeOrigin + performance.now(), credits });
    };
    record();
    const all = { subtree: true, childList: true, characterData: true };
    new MutationObserver(record).observe(bar ?? document.body, all);
  }, place);
}

const numbersOn = (page: Page): Promise<ShownNumber[]> => page.evaluate(() => Reflect.get(globalThis, "shownNumbers"));
const nowMs = () => performance.timeOrigin + performance.now();
const rises = (shown: ShownNumber[]) =>
  shown.every(({ credits }, i) => i === 0 || credits > (shown[i - 1] as ShownNumber).credits);

it("shows 95 % of 200 debits within a second in the bar, and within 1.5 s on the page", ATTEMPTS, async () => {
  const enterprise = await site.newEnterprise({ monthly_allowance_micros: 100_000_000_000 });
  await enterprise.run(100 * TOKENS_PER_CREDIT);
  const { dashboard, editor, close } = await watch(enterprise);
  const answered: ShownNumber[] = [];
  for (let n = 1; n <= DEBITS; n++) {
    await enterprise.debits([closedRun(`single-${n}`)]);
    answered.push({ atMs: nowMs(), credits: 100 + n });
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
  const shownOn = { page: dashboard, bar: editor };
  for (const name of ["page", "bar"] as const) {
    const page = shownOn[name];
    await expect.poll(async () => (await numbersOn(page)).at(-1)?.credits).toBe(100 + DEBITS);
    const shown = await numbersOn(page);
    expect(rises(shown)).toBe(true);
    const delaysMs = answered
      .map(({ atMs, credits }) => Math.max(0, (shown.find((number) => number.credits >= credits)?.atMs ?? 0) - atMs))
      .sort((a, b) => a - b);
    const [p50Ms, p95Ms, maxMs] = [0.5, 0.95, 1].map((share) =>
      Math.round(delaysMs[Math.ceil(DEBITS * share) - 1] ?? 0),
    );
    console.info(JSON.stringify({ shownOn: name, debits: DEBITS, p50Ms, p95Ms, maxMs }));
    expect(p95Ms).toBeLessThanOrEqual(onThisMachine(DEBIT_SHOWN_WITHIN_MS[name]));
  }
  await close();
});

it("updates at most four times a second under 500 debits a second, and shows the last one", ATTEMPTS, async () => {
  const enterprise = await site.newEnterprise({ monthly_allowance_micros: 100_000_000_000 });
  await enterprise.run(100 * TOKENS_PER_CREDIT);
  const { dashboard, editor, frames, close } = await watch(enterprise);
  for (const arrivals of Object.values(frames)) arrivals.length = 0;
  const startedMs = performance.now();
  const sent: Promise<unknown>[] = [];
  for (let tick = 0; tick < LOAD_MS / LOAD_TICK_MS; tick++) {
    const reports = Array.from({ length: DEBITS_PER_TICK }, (_, i) => closedRun(`load-${tick}-${i}`));
    sent.push(enterprise.debits(reports));
    const nextMs = startedMs + (tick + 1) * LOAD_TICK_MS;
    await new Promise((done) => setTimeout(done, nextMs - performance.now()));
  }
  await Promise.all(sent);
  const seconds = (performance.now() - startedMs) / 1000;
  const debits = sent.length * DEBITS_PER_TICK;
  const used = 100 + debits;
  expect((await enterprise.gauge()).used_micros).toBe(used * 1_000_000);
  for (const page of [dashboard, editor]) {
    await expect.poll(async () => (await numbersOn(page)).at(-1)?.credits).toBe(used);
    expect(rises(await numbersOn(page))).toBe(true);
  }
  const pushes = { page: frames.dashboard.length, bar: frames.editor.length };
  console.info(JSON.stringify({ debits, debitsPerSecond: Math.round(debits / seconds), seconds, pushes }));
  // One more at the beginning, and the last state after the end.
  for (const count of Object.values(pushes)) expect(count).toBeLessThanOrEqual(PUSHES_PER_SECOND * seconds + 2);
  await close();
});

it(
  "shows a debit on the page in the bar, cards and status at once, and in the chart and tables soon after",
  ATTEMPTS,
  async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * TOKENS_PER_CREDIT);
    await enterprise.project();
    const { page, context } = await openLivePage(site, enterprise);
    const soon = { timeout: onThisMachine(5_000) };
    const atOnce = { timeout: onThisMachine(LIVE_WITHIN_MS) };
    await enterprise.run(50 * TOKENS_PER_CREDIT, { workspace: "w2" });
    await expect.poll(() => headline(page), atOnce).toContain("150 of 1,500");
    await expect.poll(() => textOf(page, "#top-workspace"), soon).toContain("w2");
    await expect.poll(() => textOf(page, "#runs"), soon).toContain("run-0002");
    await context.close();
  },
);

it("shows a suspension at once", ATTEMPTS, async () => {
  const enterprise = await site.newEnterprise();
  await enterprise.run(100 * TOKENS_PER_CREDIT);
  const { page, context } = await openLivePage(site, enterprise);
  expect(await textOf(page, "#status")).not.toContain("uspended");
  const atOnce = { timeout: onThisMachine(LIVE_WITHIN_MS) };
  await enterprise.put({ suspended: true });
  await expect.poll(() => textOf(page, "#status"), atOnce).toContain("uspended");
  await enterprise.put({ suspended: false });
  await expect.poll(() => textOf(page, "#status"), atOnce).not.toContain("uspended");
  await context.close();
});

it(
  "stays live without the copy, says how old the chart and tables are, and catches up afterwards",
  ATTEMPTS,
  async () => {
    const enterprise = await site.newEnterprise();
    const run = (credits: number) => enterprise.run(credits * TOKENS_PER_CREDIT);
    await run(100);
    await enterprise.project();
    const { page, context } = await openLivePage(site, enterprise);
    const copiedTotals = async () => [
      await textOf(page, "#sum-web"),
      await textOf(page, "#foot-workspace .total td >> nth=1"),
    ];
    expect(await copiedTotals()).toEqual(["100", "100"]);
    const atOnce = { timeout: onThisMachine(LIVE_WITHIN_MS) };
    repairCopy = await site.breakCopy();
    for (let used = 110; used <= 130; used += 10) {
      await run(10);
      await expect.poll(() => headline(page), atOnce).toContain(`${used} of 1,500`);
    }
    await enterprise.moveTo("2026-11-20T12:00:12.000Z");
    await run(10);
    await expect.poll(() => headline(page), atOnce).toContain("140 of 1,500");
    await expect
      .poll(() => textOf(page, "#as-of"))
      .toMatch(/ · chart and tables as of \d+:\d\d:\d\d, 1\d seconds behind$/);
    expect(await copiedTotals()).toEqual(["100", "100"]);
    expect(await page.locator(".unreadable").count()).toBe(0);
    expect(await pill(page)).toBe("Live");

    await page.getByRole("link", { name: "30 days" }).click();
    await expect.poll(() => textOf(page, "#consumption")).toContain("cannot be read right now");
    await repairCopy();
    await expect.poll(copiedTotals).toEqual(["140", "140"]);
    await expect.poll(() => textOf(page, "#as-of")).not.toContain("behind");
    expect((await enterprise.gauge()).used_micros).toBe(140_000_000);
    await context.close();
  },
);

/** A report of a finished run that costs one credit. */
function closedRun(run: string) {
  const attribution = { surface: "web", workspace: "w1", user: "u1", started_at: "2026-11-20T12:00:00.000Z" };
  const usage = { input_tokens: TOKENS_PER_CREDIT, output_tokens: 0 };
  return { run, model: "plain", usage, ...attribution, final: true };
}

it(
  "draws its largest content within 1.5 s on a phone's connection, and shifts nothing while it loads and changes",
  ATTEMPTS,
  async () => {
    const enterprise = await site.newEnterprise({ monthly_allowance_micros: 100_000_000_000 });
    await enterprise.run(100 * TOKENS_PER_CREDIT);
    const { page, context } = await site.signIn(enterprise, "admin", { size: PHONE });
    const devTools = await context.newCDPSession(page);
    await devTools.send("Network.enable");
    await devTools.send("Network.emulateNetworkConditions", PHONE_NETWORK);
    await page.addInitScript(() => {
      const seen = { largestMs: 0, shift: 0 };
      Object.assign(globalThis, { seen });
      const observe = (type: string, record: (entry: PerformanceEntry) => void) =>
        new PerformanceObserver((list) => list.getEntries().forEach(record)).observe({ type, buffered: true });
      observe("largest-contentful-paint", ({ startTime }) => {
        seen.largestMs = startTime;
      });
      observe("layout-shift", (entry) => {
        seen.shift += (entry as PerformanceEntry & { value: number }).value;
      });
    });
    await page.goto("/settings/usage");
    await expect.poll(() => pill(page)).toBe("Live");
    await enterprise.debits([closedRun("while-it-is-watched")]);
    await expect.poll(() => headline(page)).toContain("101 of");
    await page.waitForTimeout(SETTLED_MS);
    const seen = (await page.evaluate(() => Reflect.get(globalThis, "seen"))) as { largestMs: number; shift: number };
    expect(seen.largestMs).toBeGreaterThan(0);
    expect(seen.largestMs).toBeLessThanOrEqual(onThisMachine(DRAWN_WITHIN_MS));
    expect(seen.shift).toBeLessThanOrEqual(0.02);
    await context.close();
  },
);
