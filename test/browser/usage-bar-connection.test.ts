// The connection of the usage bar on a page of another origin: one socket, fresh tokens, and what it shows when the network,
// the server or the host fails.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Network, startNetwork } from "./network.ts";
import { setHidden } from "./site.ts";
import { barMarkup, setUpUsageBar } from "./usage-bar-fixture.ts";

const NOT_LIVE = /^0 of 1,000 credits · not live, as of \d\d:\d\d$/;

const fixture = setUpUsageBar();
const { show, label, expectLabel } = fixture;
let network: Network;

beforeEach(async () => {
  network = await startNetwork(fixture.site.base);
});
afterEach(() => network.close());

/** Records every text of the bar's label from now on. */
async function recordLabels() {
  await fixture.page.locator("usage-bar").evaluate((bar) => {
    const shown = bar.shadowRoot!.querySelector("[part=label]")!;
    const labels: string[] = [];
    Object.assign(globalThis, { labels });
    new MutationObserver(() => labels.push(shown.textContent)).observe(shown, { childList: true, subtree: true });
  });
  return (): Promise<string[]> => fixture.page.evaluate(() => Reflect.get(globalThis, "labels"));
}

describe("the connection of the bar", () => {
  it("is one socket for all bars of a page, including bars added or moved later", async () => {
    const acme = await fixture.withCredits(1_000);
    fixture.host.serve(barMarkup(acme.id).repeat(3));
    await fixture.page.goto(fixture.host.origin);
    for (const nth of [0, 1, 2]) await expectLabel(nth).toMatch(/^0 of/);
    await fixture.page.evaluate(() => {
      const first = document.querySelector("usage-bar")!;
      document.querySelector("main")!.append(first.cloneNode(true), first);
    });
    await acme.spend(7);
    for (const nth of [0, 1, 2, 3]) await expectLabel(nth).toMatch(/^7.0 of/);
    expect({ sockets: fixture.socketsOpened, tokens: fixture.host.tokensIssued }).toEqual({ sockets: 1, tokens: 1 });
    expect(fixture.consoleMessages).toEqual([]);
  });

  it("changes with the enterprise attribute, and closes with the last bar", async () => {
    const [acme, initech] = await Promise.all([fixture.withCredits(1_000), fixture.withCredits(3_000)]);
    await show(acme);
    await expectLabel().toMatch(/of 1,000/);
    const opening = fixture.page.waitForEvent("websocket");
    await fixture.page.locator("usage-bar").evaluate((bar, id) => bar.setAttribute("enterprise", id), initech.id);
    const socket = await opening;
    await expectLabel().toMatch(/of 3,000/);
    await fixture.page.locator("usage-bar").evaluate((bar) => bar.remove());
    await expect.poll(() => socket.isClosed()).toBe(true);
  });

  it.each(["before", "after"])("works if the token function is set %s the script loads as a module", async (when) => {
    const acme = await fixture.withCredits(1_000);
    fixture.host.serve("");
    await fixture.page.goto(fixture.host.origin);
    await fixture.page.evaluate(
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
      { id: acme.id, base: fixture.site.base, when },
    );
    await expectLabel().toMatch(/^0 of/);
    expect(fixture.host.tokensIssued).toBe(1);
  });

  it("gets a new token when its old one expires, without a visible change", async () => {
    const acme = await fixture.withCredits(1_000);
    fixture.host.tokenRequest = { role: "member", ttl_seconds: 3 };
    await show(acme);
    await expectLabel().toMatch(/^0 of/);
    const labels = await recordLabels();
    const spendAndCount = () => acme.spend(1).then(() => fixture.host.tokensIssued);
    await expect.poll(spendAndCount, { interval: 400 }).toBeGreaterThan(1);
    await acme.spend(500);
    await expectLabel().toMatch(/^5\d\d of 1,000/);
    for (const text of await labels()) expect(text).toMatch(/credits · resets in 8 days$/);
    expect(fixture.consoleMessages).toEqual([]);
  });

  it("allows a page of another origin to read the gauge and nothing else", async () => {
    const acme = await fixture.withCredits(1_000);
    await show(acme);
    await expectLabel().toMatch(/^0 of/);
    const answers = await fixture.page.evaluate(
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
      [fixture.site.base + acme.path],
    );
    expect(answers).toEqual([200, 401, "blocked", "blocked", "blocked", "blocked"]);
  });
});

describe("when the connection fails, the bar", () => {
  it("says that usage is not available and shows its link until it first connects", async () => {
    const acme = await fixture.withCredits(1_000);
    network.refuse();
    await show(acme, { base: network.url });
    await expectLabel().toMatch(/^Usage not available yet/);
    expect(await fixture.page.getByRole("link", { name: "Your usage" }).isVisible()).toBe(true);
    await fixture.savePicture("unavailable");
    network.restore();
    await expectLabel().toBe("0 of 1,000 credits · resets in 8 days");
    expect(await fixture.page.getByRole("link", { name: "Your usage" }).count()).toBe(0);
  });

  it("keeps its numbers with their time while the server is down, and catches up", async () => {
    const acme = await fixture.withCredits(1_000);
    await show(acme, { base: network.url });
    await expectLabel().toMatch(/^0 of/);
    network.refuse();
    await expectLabel().toMatch(NOT_LIVE);
    expect(await fixture.meterText()).toMatch(/not live, as of/);
    await fixture.savePicture("not-live");
    await acme.spend(300);
    network.restore();
    await expect.poll(() => label()).toBe("300 of 1,000 credits · resets in 8 days");
  });

  it("reconnects after an eviction without a visible change", async () => {
    const acme = await fixture.withCredits(1_000);
    await show(acme);
    await expectLabel().toMatch(/^0 of/);
    const labels = await recordLabels();
    await fixture.site.evict(acme);
    await expect.poll(() => fixture.socketsOpened).toBe(2);
    await acme.spend(300);
    await expectLabel().toBe("300 of 1,000 credits · resets in 8 days");
    expect((await labels()).filter((text) => text.includes("not live"))).toEqual([]);
  });

  it("detects a connection that is silently dead", async () => {
    const acme = await fixture.withCredits(1_000);
    await fixture.page.clock.install();
    await show(acme, { base: network.url });
    await expectLabel().toMatch(/^0 of/);
    network.silence();
    await fixture.page.clock.fastForward(26_000);
    await fixture.page.clock.fastForward(9_000);
    await fixture.page.clock.fastForward(3_000);
    await expectLabel().toMatch(NOT_LIVE);
    await acme.spend(300);
    network.restore();
    network.cut();
    await fixture.page.clock.fastForward(40_000);
    await expect.poll(() => label()).toBe("300 of 1,000 credits · resets in 8 days");
  });

  it("keeps an idle connection that answers pings", async () => {
    const acme = await fixture.withCredits(1_000);
    await fixture.page.clock.install();
    await show(acme);
    await expectLabel().toMatch(/^0 of/);
    const labels = await recordLabels();
    const newSockets: string[] = [];
    fixture.page.on("websocket", (socket) => newSockets.push(socket.url()));
    for (let minute = 0; minute < 3; minute += 1) {
      await fixture.page.clock.fastForward(26_000);
      await acme.spend(1);
      await expectLabel().toMatch(new RegExp(`^${minute + 1}.0 of`));
    }
    expect(newSockets).toEqual([]);
    expect((await labels()).filter((text) => text.includes("not live"))).toEqual([]);
  });

  it("polls over HTTP if sockets are blocked", async () => {
    const acme = await fixture.withCredits(1_000);
    await fixture.page.clock.install();
    await show(acme, { withSockets: false });
    await expect.poll(() => label()).toMatch(/^0 of 1,000/);
    await fixture.page.clock.fastForward(3_000);
    await expectLabel().toMatch(NOT_LIVE);
    await acme.spend(300);
    await fixture.page.clock.fastForward(40_000);
    await expectLabel().toMatch(/^300 of 1,000 credits · not live, as of/);
  });

  it("says when the network is lost, and recovers with it", async () => {
    const acme = await fixture.withCredits(1_000);
    await show(acme);
    await expectLabel().toMatch(/^0 of/);
    await fixture.context.setOffline(true);
    await expectLabel().toMatch(NOT_LIVE);
    await acme.spend(300);
    await fixture.context.setOffline(false);
    await expect.poll(() => label()).toBe("300 of 1,000 credits · resets in 8 days");
  });

  it("closes its socket while its tab is hidden, and catches up when it is visible again", async () => {
    const acme = await fixture.withCredits(1_000);
    await fixture.page.clock.install();
    const opening = fixture.page.waitForEvent("websocket");
    await show(acme);
    const socket = await opening;
    await expectLabel().toMatch(/^0 of/);
    await setHidden(fixture.page, true);
    await fixture.page.clock.fastForward(31_000);
    await expect.poll(() => socket.isClosed()).toBe(true);
    await acme.spend(300);
    await fixture.page.clock.fastForward(600_000);
    expect(fixture.socketsOpened).toBe(1);
    await setHidden(fixture.page, false);
    await expectLabel().toBe("300 of 1,000 credits · resets in 8 days");
  });

  it("waits for a host that issues no token, with growing pauses", async () => {
    const acme = await fixture.withCredits(1_000);
    fixture.host.isSignedIn = false;
    await fixture.page.clock.install();
    await show(acme);
    const requestedAt: number[] = [];
    fixture.page.on("request", (request) => request.url().includes("/token") && requestedAt.push(0));
    await fixture.page.clock.fastForward(3_000);
    await expectLabel().toMatch(/^Usage not available yet/);
    for (let tenSeconds = 0; tenSeconds < 12; tenSeconds += 1) await fixture.page.clock.runFor(10_000);
    expect(requestedAt.length).toBeGreaterThan(2);
    expect(requestedAt.length).toBeLessThan(20);
    fixture.host.isSignedIn = true;
    const labelLater = () => fixture.page.clock.runFor(10_000).then(() => label());
    await expect.poll(labelLater).toMatch(/^0 of/);
  });

  it("reconnects when its page returns from the back-forward cache", async () => {
    const acme = await fixture.withCredits(1_000);
    await show(acme);
    await expectLabel().toMatch(/^0 of/);
    await fixture.page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
    await expectLabel().toMatch(NOT_LIVE);
    await acme.spend(300);
    await fixture.page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
    await expectLabel().toBe("300 of 1,000 credits · resets in 8 days");
  });
});
