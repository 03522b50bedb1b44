// How the usage bar stays connected, from a page of another origin: one socket, fresh tokens, and what it says and does when things break.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { barOf, setBarStage } from "./bar-stage.ts";
import { type Network, startNetwork } from "./network.ts";
import { setHidden } from "./site.ts";

const NOT_LIVE = /^0 of 1,000 credits · not live, as of \d\d:\d\d$/;
const SOON = { timeout: 20_000 };

const stage = setBarStage();
const { show, label, expectLabel } = stage;
let network: Network;

beforeEach(async () => {
  network = await startNetwork(stage.site.base);
});
afterEach(() => network.close());

/** Every text that the bar's label has from now on. */
async function noteLabels() {
  await stage.page.locator("usage-bar").evaluate((bar) => {
    const shown = bar.shadowRoot!.querySelector("[part=label]")!;
    const labels: string[] = [];
    Object.assign(globalThis, { labels });
    new MutationObserver(() => labels.push(shown.textContent)).observe(shown, { childList: true, subtree: true });
  });
  return (): Promise<string[]> => stage.page.evaluate(() => Reflect.get(globalThis, "labels"));
}

describe("while all is well", () => {
  it("has one socket for all bars of a page, also for one that comes later or moves", async () => {
    const acme = await stage.withCredits(1_000);
    stage.host.serve(barOf(acme.id).repeat(3));
    await stage.page.goto(stage.host.origin);
    for (const nth of [0, 1, 2]) await expectLabel(nth).toMatch(/^0 of/);
    await stage.page.evaluate(() => {
      const first = document.querySelector("usage-bar")!;
      document.querySelector("main")!.append(first.cloneNode(true), first);
    });
    await acme.spend(7);
    for (const nth of [0, 1, 2, 3]) await expectLabel(nth).toMatch(/^7.0 of/);
    expect({ sockets: stage.socketsOpened, tokens: stage.host.tokensGiven }).toEqual({ sockets: 1, tokens: 1 });
    expect(stage.complaints).toEqual([]);
  });

  it("follows a changed enterprise, and closes the socket with the last bar", async () => {
    const [acme, initech] = await Promise.all([stage.withCredits(1_000), stage.withCredits(3_000)]);
    await show(acme);
    await expectLabel().toMatch(/of 1,000/);
    const opening = stage.page.waitForEvent("websocket");
    await stage.page.locator("usage-bar").evaluate((bar, id) => bar.setAttribute("enterprise", id), initech.id);
    const socket = await opening;
    await expectLabel().toMatch(/of 3,000/);
    await stage.page.locator("usage-bar").evaluate((bar) => bar.remove());
    await expect.poll(() => socket.isClosed()).toBe(true);
  });

  it.each(["before", "after"])("takes its token function %s its script, which may be a module", async (when) => {
    const acme = await stage.withCredits(1_000);
    stage.host.serve("");
    await stage.page.goto(stage.host.origin);
    await stage.page.evaluate(
      async ({ id, base, when }) => {
        const bar = document.createElement("usage-bar");
        bar.setAttribute("enterprise", id);
        bar.setAttribute("base", `${base}/`);
        document.querySelector("main")!.append(bar);
        if (when === "before") bar.getToken = getToken;
        const script = document.createElement("script");
        Object.assign(script, { type: "module", src: `${base}/embed/usage-bar.js` });
        document.head.append(script);
        await customElements.whenDefined("usage-bar");
        bar.getToken = getToken;
      },
      { id: acme.id, base: stage.site.base, when },
    );
    await expectLabel().toMatch(/^0 of/);
    expect(stage.host.tokensGiven).toBe(1);
  });

  it("gets a fresh token when the server sends it away for its old one, without a word", async () => {
    const acme = await stage.withCredits(1_000);
    stage.host.wish = { role: "member", ttl_seconds: 3 };
    await show(acme);
    await expectLabel().toMatch(/^0 of/);
    const labels = await noteLabels();
    const spendAndCount = () => acme.spend(1).then(() => stage.host.tokensGiven);
    await expect.poll(spendAndCount, { timeout: 20_000, interval: 400 }).toBeGreaterThan(1);
    await acme.spend(500);
    await expectLabel().toMatch(/^5\d\d of 1,000/);
    for (const text of await labels()) expect(text).toMatch(/credits · resets in 8 days$/);
    expect(stage.complaints).toEqual([]);
  });

  it("may ask for the gauge from a foreign page, and for nothing else", async () => {
    const acme = await stage.withCredits(1_000);
    await show(acme);
    await expectLabel().toMatch(/^0 of/);
    const answers = await stage.page.evaluate(
      async ([url]) => {
        const headers = { Authorization: `Bearer ${await getToken()}` };
        const ask = (path: string, init = {}) =>
          fetch(url + path, { headers, ...init }).then(
            ({ status }) => status,
            () => "blocked",
          );
        return [
          await ask("/gauge"),
          await ask("/gauge", { headers: { Authorization: "Bearer forged" } }),
          await ask("/gauge", { method: "PUT" }),
          await ask("/gauge", { credentials: "include" }),
          await ask("/usage/timeseries"),
          await ask("/spend-cap", { method: "PUT" }),
        ];
      },
      [stage.site.base + acme.path],
    );
    expect(answers).toEqual([200, 401, "blocked", "blocked", "blocked", "blocked"]);
  });
});

describe("when things break", () => {
  it("says so and leads elsewhere until the first connection is there", async () => {
    const acme = await stage.withCredits(1_000);
    network.refuse();
    await show(acme, { base: network.url });
    await expectLabel().toMatch(/^Usage not available yet/);
    expect(await stage.page.getByRole("link", { name: "Your usage" }).isVisible()).toBe(true);
    await stage.shoot("unavailable");
    network.restore();
    await expectLabel().toBe("0 of 1,000 credits · resets in 8 days");
    expect(await stage.page.getByRole("link", { name: "Your usage" }).count()).toBe(0);
  });

  it("keeps its numbers while the server is away, says as of when, and catches up", async () => {
    const acme = await stage.withCredits(1_000);
    await show(acme, { base: network.url });
    await expectLabel().toMatch(/^0 of/);
    network.refuse();
    await expectLabel().toMatch(NOT_LIVE);
    expect(await stage.meterText()).toMatch(/not live, as of/);
    await stage.shoot("not-live");
    await acme.spend(300);
    network.restore();
    await expect.poll(() => label(), SOON).toBe("300 of 1,000 credits · resets in 8 days");
  });

  it("comes back by itself after an eviction, without a word", async () => {
    const acme = await stage.withCredits(1_000);
    await show(acme);
    await expectLabel().toMatch(/^0 of/);
    const labels = await noteLabels();
    await stage.site.evict(acme);
    await expect.poll(() => stage.socketsOpened, SOON).toBe(2);
    await acme.spend(300);
    await expectLabel().toBe("300 of 1,000 credits · resets in 8 days");
    expect((await labels()).filter((text) => text.includes("not live"))).toEqual([]);
  });

  it("notices a connection that died without a word", async () => {
    const acme = await stage.withCredits(1_000);
    await stage.page.clock.install();
    await show(acme, { base: network.url });
    await expectLabel().toMatch(/^0 of/);
    network.silence();
    await stage.page.clock.fastForward(26_000);
    await stage.page.clock.fastForward(9_000);
    await stage.page.clock.fastForward(3_000);
    await expectLabel().toMatch(NOT_LIVE);
    await acme.spend(300);
    network.restore();
    network.cut();
    await stage.page.clock.fastForward(40_000);
    await expect.poll(() => label(), SOON).toBe("300 of 1,000 credits · resets in 8 days");
  });

  it("keeps a quiet connection that answers its pings", async () => {
    const acme = await stage.withCredits(1_000);
    await stage.page.clock.install();
    await show(acme);
    await expectLabel().toMatch(/^0 of/);
    const labels = await noteLabels();
    const pongs: string[] = [];
    stage.page.on("websocket", () => pongs.push("a second socket"));
    for (let minute = 0; minute < 3; minute += 1) {
      await stage.page.clock.fastForward(26_000);
      await acme.spend(1);
      await expectLabel().toMatch(new RegExp(`^${minute + 1}.0 of`));
    }
    expect(pongs).toEqual([]);
    expect((await labels()).filter((text) => text.includes("not live"))).toEqual([]);
  });

  it("asks over HTTP now and then where no socket gets through", async () => {
    const acme = await stage.withCredits(1_000);
    await stage.page.clock.install();
    await show(acme, { withSockets: false });
    await expect.poll(() => label(), { timeout: 5_000 }).toMatch(/^0 of 1,000/);
    await stage.page.clock.fastForward(3_000);
    await expectLabel().toMatch(NOT_LIVE);
    await acme.spend(300);
    await stage.page.clock.fastForward(40_000);
    await expectLabel().toMatch(/^300 of 1,000 credits · not live, as of/);
  });

  it("says so when the network goes, and comes back with it", async () => {
    const acme = await stage.withCredits(1_000);
    await show(acme);
    await expectLabel().toMatch(/^0 of/);
    await stage.context.setOffline(true);
    await expectLabel().toMatch(NOT_LIVE);
    await acme.spend(300);
    await stage.context.setOffline(false);
    await expect.poll(() => label(), SOON).toBe("300 of 1,000 credits · resets in 8 days");
  });

  it("rests while its tab is hidden, and is up to date when it is seen again", async () => {
    const acme = await stage.withCredits(1_000);
    await stage.page.clock.install();
    const opening = stage.page.waitForEvent("websocket");
    await show(acme);
    const socket = await opening;
    await expectLabel().toMatch(/^0 of/);
    await setHidden(stage.page, true);
    await stage.page.clock.fastForward(31_000);
    await expect.poll(() => socket.isClosed()).toBe(true);
    await acme.spend(300);
    await stage.page.clock.fastForward(600_000);
    expect(stage.socketsOpened).toBe(1);
    await setHidden(stage.page, false);
    await expectLabel().toBe("300 of 1,000 credits · resets in 8 days");
  });

  it("waits for a host that gives no token, and asks less and less often", async () => {
    const acme = await stage.withCredits(1_000);
    stage.host.isSignedIn = false;
    await stage.page.clock.install();
    await show(acme);
    const asked: number[] = [];
    stage.page.on("request", (request) => request.url().includes("/token") && asked.push(0));
    await stage.page.clock.fastForward(3_000);
    await expectLabel().toMatch(/^Usage not available yet/);
    for (let tenSeconds = 0; tenSeconds < 12; tenSeconds += 1) await stage.page.clock.runFor(10_000);
    expect(asked.length).toBeGreaterThan(2);
    expect(asked.length).toBeLessThan(20);
    stage.host.isSignedIn = true;
    const labelLater = () => stage.page.clock.runFor(10_000).then(() => label());
    await expect.poll(labelLater, SOON).toMatch(/^0 of/);
  });

  it("connects again after a page came back from the back-forward cache or lost its socket with it", async () => {
    const acme = await stage.withCredits(1_000);
    await show(acme);
    await expectLabel().toMatch(/^0 of/);
    await stage.page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
    await expectLabel().toMatch(NOT_LIVE);
    await acme.spend(300);
    await stage.page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
    await expectLabel().toBe("300 of 1,000 credits · resets in 8 days");
  });
});
