// How soon a debit is seen, and what a storm of them does: the usage page and the usage bar side by side in Chromium.
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { barOf } from "./bar-stage.ts";
import { type HostPage, startHostPage } from "./host-page.ts";
import { type Enterprise, type Site, startSite, words } from "./site.ts";

const DEBITS = 200;
const PAUSE_MS = 25;
const STORM_MS = 3_000;
const STORM_TICK_MS = 100;
const STORM_PER_TICK = 50;
const PUSHES_PER_SECOND = 4;
const TOKENS_PER_CREDIT = 10_000;

/** What stood on a screen, and since when, in milliseconds of the epoch. */
type Seen = { atMs: number; credits: number };

let site: Site;
let host: HostPage;

beforeAll(async () => {
  site = await startSite();
  host = await startHostPage(site);
});
afterAll(async () => {
  host?.close();
  await site?.stop();
});

/** A page with the dashboard and one with the bar, both live; every number that they show is noted. */
async function watch(enterprise: Enterprise) {
  const { page: dashboard, context } = await site.signIn(enterprise);
  const editor = await context.newPage();
  const frames = { dashboard: noteFrames(dashboard), editor: noteFrames(editor) };
  await dashboard.reload();
  host.serve(barOf(enterprise.id));
  await editor.goto(host.origin);
  await expect.poll(() => words(dashboard, "#pill")).toBe("Live");
  await expect.poll(() => words(editor, "usage-bar [part=label]")).toContain(" of ");
  await noteNumbers(dashboard, ".headline");
  await noteNumbers(editor, "usage-bar");
  return { dashboard, editor, frames, close: () => context.close() };
}

/** When the gauge arrived. */
function noteFrames(page: Page): number[] {
  const arrivals: number[] = [];
  page.on("websocket", (socket) => {
    socket.on("framereceived", ({ payload }) => String(payload).startsWith("{") && arrivals.push(performance.now()));
  });
  return arrivals;
}

function noteNumbers(page: Page, place: string): Promise<void> {
  return page.evaluate((selector) => {
    const seen: Seen[] = [];
    Object.assign(globalThis, { seen });
    const bar = document.querySelector("usage-bar")?.shadowRoot;
    const look = () => {
      const shown = bar?.querySelector("[part=label]") ?? document.querySelector(selector);
      const credits = Number(/([\d,.]+) of/.exec(shown?.textContent ?? "")?.[1]?.replaceAll(",", ""));
      if (credits !== seen.at(-1)?.credits) seen.push({ atMs: performance.timeOrigin + performance.now(), credits });
    };
    look();
    const all = { subtree: true, childList: true, characterData: true };
    new MutationObserver(look).observe(bar ?? document.body, all);
  }, place);
}

const seenOn = (page: Page): Promise<Seen[]> => page.evaluate(() => Reflect.get(globalThis, "seen"));
const nowMs = () => performance.timeOrigin + performance.now();
const rises = (seen: Seen[]) => seen.every(({ credits }, i) => i === 0 || credits > (seen[i - 1] as Seen).credits);

it("shows each of 200 debits within a second, on the page and in the bar", async () => {
  const enterprise = await site.newEnterprise({ monthly_allowance_micros: 100_000_000_000 });
  await enterprise.run(100 * TOKENS_PER_CREDIT);
  const { dashboard, editor, close } = await watch(enterprise);
  const answered: Seen[] = [];
  for (let n = 1; n <= DEBITS; n++) {
    await enterprise.debits([closedRun(`quick-${n}`)]);
    answered.push({ atMs: nowMs(), credits: 100 + n });
    await new Promise((done) => setTimeout(done, PAUSE_MS));
  }
  for (const [name, page] of Object.entries({ page: dashboard, bar: editor })) {
    await expect.poll(async () => (await seenOn(page)).at(-1)?.credits).toBe(100 + DEBITS);
    const seen = await seenOn(page);
    expect(rises(seen)).toBe(true);
    const delaysMs = answered
      .map(({ atMs, credits }) => Math.max(0, (seen.find((shown) => shown.credits >= credits)?.atMs ?? 0) - atMs))
      .sort((a, b) => a - b);
    const [p50Ms, p95Ms, maxMs] = [0.5, 0.95, 1].map((share) =>
      Math.round(delaysMs[Math.ceil(DEBITS * share) - 1] ?? 0),
    );
    console.info(JSON.stringify({ shownOn: name, debits: DEBITS, p50Ms, p95Ms, maxMs }));
    expect(p95Ms).toBeLessThanOrEqual(1_000);
  }
  await close();
});

it("is told of 500 debits a second at most four times a second, and of the last one", async () => {
  const enterprise = await site.newEnterprise({ monthly_allowance_micros: 100_000_000_000 });
  await enterprise.run(100 * TOKENS_PER_CREDIT);
  const { dashboard, editor, frames, close } = await watch(enterprise);
  for (const arrivals of Object.values(frames)) arrivals.length = 0;
  const startedMs = performance.now();
  const sent: Promise<unknown>[] = [];
  for (let tick = 0; tick < STORM_MS / STORM_TICK_MS; tick++) {
    const reports = Array.from({ length: STORM_PER_TICK }, (_, i) => closedRun(`storm-${tick}-${i}`));
    sent.push(enterprise.debits(reports));
    const nextMs = startedMs + (tick + 1) * STORM_TICK_MS;
    await new Promise((done) => setTimeout(done, nextMs - performance.now()));
  }
  await Promise.all(sent);
  const seconds = (performance.now() - startedMs) / 1000;
  const debits = sent.length * STORM_PER_TICK;
  const used = 100 + debits;
  expect((await enterprise.gauge()).used_micros).toBe(used * 1_000_000);
  for (const page of [dashboard, editor]) {
    await expect.poll(async () => (await seenOn(page)).at(-1)?.credits).toBe(used);
    expect(rises(await seenOn(page))).toBe(true);
  }
  const pushes = { page: frames.dashboard.length, bar: frames.editor.length };
  console.info(JSON.stringify({ debits, debitsPerSecond: Math.round(debits / seconds), seconds, pushes }));
  // One at the beginning, and the last state after the end.
  for (const count of Object.values(pushes)) expect(count).toBeLessThanOrEqual(PUSHES_PER_SECOND * seconds + 2);
  await close();
});

/** A run of one credit. */
function closedRun(run: string) {
  const where = { surface: "web", workspace: "w1", user: "u1", started_at: "2026-11-20T12:00:00.000Z" };
  return { run, model: "plain", usage: { input_tokens: TOKENS_PER_CREDIT, output_tokens: 0 }, ...where, final: true };
}
