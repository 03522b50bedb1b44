import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startNetwork } from "./network.ts";
import { type Enterprise, type Site, setHidden, startSite, words } from "./site.ts";

let site: Site;

beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site.stop());

async function watch(enterprise: Enterprise) {
  const signed = await site.signIn(enterprise);
  await expect.poll(() => pill(signed.page)).toBe("Live");
  return signed;
}

const pill = (page: Page) => words(page, "#pill");
const headline = (page: Page) => words(page, ".headline");

describe("the usage page", () => {
  it("follows a debit: bar, cards and status at once, chart and tables soon after", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    await enterprise.project();
    const { page, context } = await watch(enterprise);
    await enterprise.run(50 * 10_000, { workspace: "w2" });
    await expect.poll(() => headline(page), { timeout: 1_500 }).toContain("150 of 1,500");
    const soon = { timeout: 5_000 };
    await expect.poll(() => words(page, "#top-workspace"), soon).toContain("w2");
    await expect.poll(() => words(page, "#runs"), soon).toContain("run-0002");
    await context.close();
  });

  it("tells a suspension at once, though it moves no number", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    const { page, context } = await watch(enterprise);
    expect(await words(page, "#status")).not.toContain("uspended");
    await enterprise.put({ suspended: true });
    await expect.poll(() => words(page, "#status"), { timeout: 1_500 }).toContain("uspended");
    await enterprise.put({ suspended: false });
    await expect.poll(() => words(page, "#status"), { timeout: 1_500 }).not.toContain("uspended");
    await context.close();
  });

  it("comes back by itself after its socket was closed, and has missed nothing", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    const { page, context } = await watch(enterprise);
    await site.evict(enterprise);
    await enterprise.run(25 * 10_000);
    await expect.poll(() => headline(page)).toContain("125 of 1,500");
    await expect.poll(() => pill(page)).toBe("Live");
    await context.close();
  });

  it("says that the network is gone, keeps its numbers, and recovers", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    const { page, context } = await watch(enterprise);
    await context.setOffline(true);
    await site.evict(enterprise);
    await expect.poll(() => pill(page)).toMatch(/^Reconnecting \(numbers as of \d+:\d\d:\d\d\)$/);
    expect(await headline(page)).toContain("100 of 1,500");
    await expect.poll(() => words(page, "#alert-region")).toContain("Connection lost");
    await enterprise.run(7 * 10_000);
    await context.setOffline(false);
    await expect.poll(() => headline(page)).toContain("107 of 1,500");
    await expect.poll(() => pill(page)).toBe("Live");
    expect(await words(page, "#status-region")).toContain("Connected again");
    await context.close();
  });

  it("speaks of a threshold when it is crossed, and of nothing else", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    const { page, context } = await watch(enterprise);
    const spoken = async () => [await words(page, "#status-region"), await words(page, "#alert-region")];
    await enterprise.run(100 * 10_000);
    await expect.poll(() => headline(page)).toContain("200 of 1,500");
    expect(await spoken()).toEqual(["", ""]);
    await enterprise.run(1_300 * 10_000);
    await expect.poll(spoken).toEqual(["", "All credits of this cycle are used."]);
    await context.close();
  });

  it("says that the session has ended, and shows no more", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    const { page, context } = await watch(enterprise);
    await context.clearCookies();
    await site.evict(enterprise);
    await expect.poll(() => pill(page)).toBe("Signed out");
    await enterprise.run(50 * 10_000);
    await page.waitForTimeout(1_000);
    expect(await headline(page)).toContain("100 of 1,500");
    await context.close();
  });

  it("is right without a socket, says so, and is live as soon as one gets through", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    const network = await startNetwork(site.base);
    network.refuseSockets();
    const context = await site.newContext();
    const [name = "", value = ""] = (await site.cookieFor(enterprise)).split("=");
    await context.addCookies([{ name, value, url: network.url }]);
    const page = await context.newPage();
    await page.goto(`${network.url}/settings/usage`);
    await expect.poll(() => pill(page)).toMatch(/^Reconnecting \(numbers as of \d+:\d\d:\d\d\)$/);
    await enterprise.run(50 * 10_000);
    await expect.poll(() => headline(page)).toContain("150 of 1,500");
    await expect.poll(() => pill(page), { timeout: 30_000 }).toBe("Not live (checks every 30 s)");
    network.restore();
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await expect.poll(() => pill(page), { timeout: 5_000 }).toBe("Live");
    await enterprise.run(50 * 10_000);
    await expect.poll(() => headline(page)).toContain("200 of 1,500");
    await context.close();
    network.close();
  });

  it("rests while its tab is hidden, and shows what it missed when it is seen again", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    const { page, context } = await watch(enterprise);
    const asked: string[] = [];
    page.on("request", (request) => asked.push(request.url()));
    await setHidden(page, true);
    await enterprise.run(50 * 10_000);
    await page.waitForTimeout(1_000);
    expect(asked).toEqual([]);
    expect(await headline(page)).toContain("100 of 1,500");
    await setHidden(page, false);
    await expect.poll(() => headline(page)).toContain("150 of 1,500");
    await expect.poll(() => pill(page)).toBe("Live");
    await enterprise.run(50 * 10_000);
    await expect.poll(() => headline(page)).toContain("200 of 1,500");
    await context.close();
  });

  it("is live after its tab was hidden for a blink", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    const { page, context } = await watch(enterprise);
    for (const hidden of [true, false, true, false]) await setHidden(page, hidden);
    await enterprise.run(50 * 10_000);
    await expect.poll(() => headline(page)).toContain("150 of 1,500");
    await expect.poll(() => pill(page)).toBe("Live");
    await enterprise.run(50 * 10_000);
    await expect.poll(() => headline(page)).toContain("200 of 1,500");
    await context.close();
  });

  it("says that it is not current when it is seen again and the network is gone", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    const { page, context } = await watch(enterprise);
    await setHidden(page, true);
    await context.setOffline(true);
    await page.waitForTimeout(200);
    await setHidden(page, false);
    await expect.poll(() => pill(page)).toMatch(/^Reconnecting/);
    await context.setOffline(false);
    await expect.poll(() => pill(page), { timeout: 30_000 }).toBe("Live");
    await context.close();
  });

  it("does not rest before the newest state is on the page, though the server fails to give it", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    const { page, context } = await watch(enterprise);
    let failures = 0;
    await page.route("**/settings/usage?*part=now*", (route) =>
      ++failures <= 2
        ? route.fulfill({ status: 503, contentType: "text/html", body: "<p>busy</p>" })
        : route.continue(),
    );
    await enterprise.run(50 * 10_000);
    await expect.poll(() => headline(page)).toContain("150 of 1,500");
    expect(failures).toBe(3);
    await context.close();
  });

  it("learns in one tab that another has signed out", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    const { page, context } = await watch(enterprise);
    await setHidden(page, true);
    const other = await context.newPage();
    await other.goto("/settings/usage");
    await other.getByRole("button", { name: "Sign out" }).click();
    await other.waitForURL("**/");
    await enterprise.run(50 * 10_000);
    await setHidden(page, false);
    await expect.poll(() => pill(page)).toBe("Signed out");
    expect(await headline(page)).toContain("100 of 1,500");
    await context.close();
  });

  it("never mixes the numbers of an enterprise that another tab has signed in to", async () => {
    const [acme, globex] = await Promise.all([site.newEnterprise(), site.newEnterprise()]);
    await acme.run(100 * 10_000);
    await globex.run(900 * 10_000);
    const { page, context } = await watch(acme);
    const [name = "", value = ""] = (await site.cookieFor(globex)).split("=");
    await context.addCookies([{ name, value, url: site.base }]);
    await acme.run(50 * 10_000);
    await expect.poll(() => pill(page)).toBe("Signed out");
    await page.getByRole("link", { name: "30 days" }).click();
    await page.waitForTimeout(500);
    expect(await words(page, "main")).not.toContain("900");
    expect(await headline(page)).toContain("100 of 1,500");
    await page.locator("#pill").click();
    await expect.poll(() => headline(page)).toContain("900 of 1,500");
    await context.close();
  });

  it("goes on under a new session when the old one ends", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    const { page, context } = await watch(enterprise);
    await page.evaluate(() => {
      const { socket } = (document.querySelector("#pill") as never as Pill)._htmx.ws.connection;
      // As the server does it, which a session of twelve hours does not let a test wait for.
      socket.dispatchEvent(new CloseEvent("close", { code: 4401 }));
    });
    await expect.poll(() => pill(page)).toBe("Live");
    await enterprise.run(50 * 10_000);
    await expect.poll(() => headline(page)).toContain("150 of 1,500");
    await expect.poll(() => pill(page)).toBe("Live");
    await context.close();
  });

  it("goes on without the copy, says as of when chart and tables are, and catches up by itself", async () => {
    const enterprise = await site.newEnterprise({ test_clock: undefined });
    const run = (credits: number) => enterprise.run(credits * 10_000, { started_at: new Date().toISOString() });
    await run(100);
    await enterprise.project();
    const { page, context } = await watch(enterprise);
    const copied = async () => [await words(page, "#sum-web"), await words(page, "#foot-workspace .total td >> nth=1")];
    expect(await copied()).toEqual(["100", "100"]);
    const bringCopyBack = await site.takeCopyAway();
    for (let used = 110; used <= 130; used += 10) {
      await run(10);
      await expect.poll(() => headline(page), { timeout: 1_500 }).toContain(`${used} of 1,500`);
    }
    await page.waitForTimeout(11_000);
    await run(10);
    await expect.poll(() => headline(page), { timeout: 1_500 }).toContain("140 of 1,500");
    await expect
      .poll(() => words(page, "#as-of"))
      .toMatch(/ · chart and tables as of \d+:\d\d:\d\d, 1\d seconds behind$/);
    expect(await copied()).toEqual(["100", "100"]);
    expect(await page.locator(".unreadable").count()).toBe(0);
    expect(await pill(page)).toBe("Live");

    await page.getByRole("link", { name: "30 days" }).click();
    await expect.poll(() => words(page, "#consumption")).toContain("cannot be read at this moment");
    await bringCopyBack();
    await expect.poll(copied, { timeout: 50_000 }).toEqual(["140", "140"]);
    await expect.poll(() => words(page, "#as-of"), { timeout: 50_000 }).not.toContain("behind");
    expect((await enterprise.gauge()).used_micros).toBe(140_000_000);
    await context.close();
  });
});

/** What htmx keeps at the element that holds its socket. */
type Pill = { _htmx: { ws: { connection: { socket: WebSocket } } } };
