import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Enterprise, type Site, startSite, words } from "./site.ts";

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
    await expect.poll(() => words(page, "#top-workspace")).toContain("w2");
    await expect.poll(() => words(page, "#runs")).toContain("run-0002");
    await context.close();
  });

  it("shows a debit within a second, nineteen times of twenty", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    const { page, context } = await watch(enterprise);
    const delays: number[] = [];
    for (let n = 2; n <= 41; n++) {
      await enterprise.run(10 * 10_000);
      const startedMs = performance.now();
      const text = `${(100 + 10 * (n - 1)).toLocaleString("en-GB")} of`;
      await page.waitForFunction((part) => document.querySelector(".headline")?.textContent?.includes(part), text);
      delays.push(performance.now() - startedMs);
    }
    delays.sort((a, b) => a - b);
    expect(delays[Math.floor(delays.length * 0.95)]).toBeLessThan(1_000);
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
});
