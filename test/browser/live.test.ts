// The live usage page: how it loses and regains its connection, and how it ends with its session.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { headline, openLivePage, pill } from "./live-page.ts";
import { startNetwork } from "./network.ts";
import { type Site, setHidden, startSite, textOf } from "./site.ts";

const TOKENS_PER_CREDIT = 10_000;

let site: Site;

beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site.stop());

/** Opens the live usage page of a new enterprise that has used 100 of 1,500 credits. */
async function openNewLivePage() {
  const enterprise = await site.newEnterprise();
  await enterprise.run(100 * TOKENS_PER_CREDIT);
  return { enterprise, ...(await openLivePage(site, enterprise)) };
}

describe("the usage page", () => {
  it("reconnects after its socket was closed, and shows what it missed", async () => {
    const { enterprise, page, context } = await openNewLivePage();
    await site.evict(enterprise);
    await enterprise.run(25 * TOKENS_PER_CREDIT);
    await expect.poll(() => headline(page)).toContain("125 of 1,500");
    await expect.poll(() => pill(page)).toBe("Live");
    await context.close();
  });

  it.each([
    [0.05, 100],
    [0.95, 1_900],
  ])("waits a random part of two seconds before it reconnects (%d)", async (random, pauseMs) => {
    const { enterprise, page, context } = await openNewLivePage();
    await page.evaluate((value) => {
      Math.random = () => value;
      const { setTimeout } = window;
      const pauses: (number | undefined)[] = [];
      const recording = (then: () => void, ms?: number) => {
        pauses.push(ms);
        return setTimeout(then, ms);
      };
      Object.assign(window, { pauses, setTimeout: recording });
    }, random);
    await site.evict(enterprise);
    await expect.poll(() => page.evaluate(() => Reflect.get(window, "pauses"))).toContain(pauseMs);
    await expect.poll(() => pill(page)).toBe("Live");
    await context.close();
  });

  it("says when the network is lost, keeps its numbers, and recovers", async () => {
    const { enterprise, page, context } = await openNewLivePage();
    await context.setOffline(true);
    await site.evict(enterprise);
    await expect.poll(() => pill(page)).toMatch(/^Reconnecting \(numbers as of \d+:\d\d:\d\d\)$/);
    await expect.poll(() => headline(page)).toContain("100 of 1,500");
    await expect.poll(() => textOf(page, "#alert-region")).toContain("Connection lost");
    await enterprise.run(7 * TOKENS_PER_CREDIT);
    await context.setOffline(false);
    await expect.poll(() => headline(page)).toContain("107 of 1,500");
    await expect.poll(() => pill(page)).toBe("Live");
    await expect.poll(() => textOf(page, "#status-region")).toContain("Connected again");
    await context.close();
  });

  it("announces to screen readers that a threshold was crossed, and nothing else", async () => {
    const { enterprise, page, context } = await openNewLivePage();
    const announced = async () => [await textOf(page, "#status-region"), await textOf(page, "#alert-region")];
    await enterprise.run(100 * TOKENS_PER_CREDIT);
    await expect.poll(() => headline(page)).toContain("200 of 1,500");
    expect(await announced()).toEqual(["", ""]);
    await enterprise.run(1_300 * TOKENS_PER_CREDIT);
    await expect.poll(announced).toEqual(["", "All credits of this cycle are used."]);
    await context.close();
  });

  it("says when the session has ended, and stops updating", async () => {
    const { enterprise, page, context } = await openNewLivePage();
    await context.clearCookies();
    await site.evict(enterprise);
    await expect.poll(() => pill(page)).toBe("Signed out");
    await enterprise.run(50 * TOKENS_PER_CREDIT);
    await page.waitForTimeout(1_000);
    await expect.poll(() => headline(page)).toContain("100 of 1,500");
    await context.close();
  });

  it("polls without a socket, says so, and is live as soon as one connects", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * TOKENS_PER_CREDIT);
    const network = await startNetwork(site.base);
    network.refuseSockets();
    const context = await site.newContext();
    const [name = "", value = ""] = (await site.cookieFor(enterprise)).split("=");
    await context.addCookies([{ name, value, url: network.url }]);
    const page = await context.newPage();
    // The page waits a random part of a growing pause before each attempt. This test does not wait for long ones.
    await page.addInitScript(() => {
      Math.random = () => 0.05;
    });
    await page.goto(`${network.url}/settings/usage`);
    await expect.poll(() => pill(page)).toMatch(/^Reconnecting \(numbers as of \d+:\d\d:\d\d\)$/);
    await enterprise.run(50 * TOKENS_PER_CREDIT);
    await expect.poll(() => headline(page)).toContain("150 of 1,500");
    await expect.poll(() => pill(page)).toBe("Not live (checks every 30 s)");
    network.restore();
    await page.evaluate(() => dispatchEvent(new Event("online")));
    await expect.poll(() => pill(page)).toBe("Live");
    await enterprise.run(50 * TOKENS_PER_CREDIT);
    await expect.poll(() => headline(page)).toContain("200 of 1,500");
    await context.close();
    network.close();
  });

  it("sends no requests while its tab is hidden, and catches up when it is visible again", async () => {
    const { enterprise, page, context } = await openNewLivePage();
    const requested: string[] = [];
    page.on("request", (request) => requested.push(request.url()));
    await setHidden(page, true);
    await enterprise.run(50 * TOKENS_PER_CREDIT);
    await page.waitForTimeout(1_000);
    expect(requested).toEqual([]);
    await expect.poll(() => headline(page)).toContain("100 of 1,500");
    await setHidden(page, false);
    await expect.poll(() => headline(page)).toContain("150 of 1,500");
    await expect.poll(() => pill(page)).toBe("Live");
    await enterprise.run(50 * TOKENS_PER_CREDIT);
    await expect.poll(() => headline(page)).toContain("200 of 1,500");
    await context.close();
  });

  it("is live after its tab was hidden only for a moment", async () => {
    const { enterprise, page, context } = await openNewLivePage();
    for (const hidden of [true, false, true, false]) await setHidden(page, hidden);
    await enterprise.run(50 * TOKENS_PER_CREDIT);
    await expect.poll(() => headline(page)).toContain("150 of 1,500");
    await expect.poll(() => pill(page)).toBe("Live");
    await enterprise.run(50 * TOKENS_PER_CREDIT);
    await expect.poll(() => headline(page)).toContain("200 of 1,500");
    await context.close();
  });

  it("says that it is not current if its tab becomes visible without a network", async () => {
    const { page, context } = await openNewLivePage();
    await setHidden(page, true);
    await context.setOffline(true);
    await page.waitForTimeout(200);
    await setHidden(page, false);
    await expect.poll(() => pill(page)).toMatch(/^Reconnecting/);
    await context.setOffline(false);
    await expect.poll(() => pill(page)).toBe("Live");
    await context.close();
  });

  it("retries until the newest state is on the page if the server fails", async () => {
    const { enterprise, page, context } = await openNewLivePage();
    let failures = 0;
    await page.route("**/settings/usage?*part=now*", (route) =>
      ++failures <= 2
        ? route.fulfill({ status: 503, contentType: "text/html", body: "<p>busy</p>" })
        : route.continue(),
    );
    await enterprise.run(50 * TOKENS_PER_CREDIT);
    await expect.poll(() => headline(page)).toContain("150 of 1,500");
    expect(failures).toBe(3);
    await context.close();
  });

  it("shows in one tab that another tab has signed out", async () => {
    const { enterprise, page, context } = await openNewLivePage();
    await setHidden(page, true);
    const other = await context.newPage();
    await other.goto("/settings/usage");
    await other.getByRole("button", { name: "Sign out" }).click();
    await other.waitForURL("**/");
    await enterprise.run(50 * TOKENS_PER_CREDIT);
    await setHidden(page, false);
    await expect.poll(() => pill(page)).toBe("Signed out");
    await expect.poll(() => headline(page)).toContain("100 of 1,500");
    await expect
      .poll(() => textOf(page, "#signed-out"))
      .toBe("You are signed out, so this page no longer changes. Sign in again");
    await page.getByRole("link", { name: "30 days" }).click();
    await page.waitForURL("**/");
    await context.close();
  });

  it("never shows the numbers of an enterprise that another tab has signed in to", async () => {
    const globex = await site.newEnterprise();
    await globex.run(900 * TOKENS_PER_CREDIT);
    const { enterprise: acme, page, context } = await openNewLivePage();
    const [name = "", value = ""] = (await site.cookieFor(globex)).split("=");
    await context.addCookies([{ name, value, url: site.base }]);
    await acme.run(50 * TOKENS_PER_CREDIT);
    await expect.poll(() => pill(page)).toBe("Signed out");
    expect(await textOf(page, "main")).not.toContain("900");
    await expect.poll(() => headline(page)).toContain("100 of 1,500");
    // Every control leads to the start page, which leads to the page of the enterprise that is signed in now.
    await page.getByRole("link", { name: "30 days" }).click();
    await expect.poll(() => headline(page)).toContain("900 of 1,500");
    await context.close();
  });

  it("reconnects with a valid session after the server closed the socket as expired", async () => {
    const { enterprise, page, context } = await openNewLivePage();
    await page.evaluate(() => {
      const { socket } = (document.querySelector("#pill") as never as Pill)._htmx.ws.connection;
      // The server closes the socket like this after twelve hours.
      socket.dispatchEvent(new CloseEvent("close", { code: 4401 }));
    });
    await expect.poll(() => pill(page)).toBe("Live");
    await enterprise.run(50 * TOKENS_PER_CREDIT);
    await expect.poll(() => headline(page)).toContain("150 of 1,500");
    await expect.poll(() => pill(page)).toBe("Live");
    await context.close();
  });
});

/** What htmx stores on the element that has its socket. */
type Pill = { _htmx: { ws: { connection: { socket: WebSocket } } } };
