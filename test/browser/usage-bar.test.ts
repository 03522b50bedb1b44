// The usage bar on a page of another origin: its texts, its events and its appearance. Long because starting a Worker for
// another file takes longer than these tests.
import { brotliCompressSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { formatAmount } from "../../src/pages/kit/format.ts";
import { axeViolations } from "./looks.ts";
import { barMarkup, CREDIT, setUpUsageBar } from "./usage-bar-fixture.ts";

const SIZE_LIMIT_BYTES = 6_000;
const USD = 1_000_000;

const fixture = setUpUsageBar();
const { show, label, expectLabel, buttons, expectButtons, meterText, eventsOf, thresholds, expectThresholds } = fixture;

/** The width of a segment in percent of the meter. */
const widthOf = (part: string) =>
  fixture.page.locator(`[part=${part}]`).evaluate((segment) => {
    const whole = segment.parentElement?.getBoundingClientRect().width ?? 0;
    return Math.round((segment.getBoundingClientRect().width / whole) * 1000) / 10;
  });

describe("the text and buttons of the bar", () => {
  it("follow a balance down to zero without shifting the layout", async () => {
    const acme = await fixture.withCredits(2_000);
    await show(acme);
    await expectLabel().toBe("0 of 2,000 credits · resets in 8 days");
    await fixture.page.evaluate(() => {
      Object.assign(globalThis, { shifts: [] });
      const record = (list: PerformanceObserverEntryList) =>
        Reflect.get(globalThis, "shifts").push(...list.getEntries());
      new PerformanceObserver(record).observe({ type: "layout-shift", buffered: true });
    });
    const box = await fixture.page.locator("usage-bar").boundingBox();
    await expect.poll(() => buttons()).toEqual([]);

    await acme.spend(840);
    await expectLabel().toBe("840 of 2,000 credits · resets in 8 days");
    await expect.poll(() => meterText()).toBe("840 of 2,000 credits used, 42 %, resets in 8 days");
    await expect.poll(() => buttons()).toEqual([]);
    await expect.poll(() => thresholds()).toEqual([]);

    await acme.spend(400);
    await expectLabel().toBe("1,240 of 2,000 credits · resets in 8 days");
    await expect.poll(() => buttons()).toEqual(["Invite"]);
    expect(await fixture.page.getByRole("link").getAttribute("href")).toBe("https://platform.example/invite");
    expect(await fixture.page.getByRole("status").innerText()).toBe("50 % used: 1,240 of 2,000 credits");
    await fixture.savePicture("half");

    await acme.spend(300);
    await expectLabel().toBe("1,540 of 2,000 credits · resets in 8 days");
    await expect.poll(() => buttons()).toEqual(["Upgrade plan", "Invite"]);
    const links = fixture.page.getByRole("link");
    expect(await links.nth(0).getAttribute("href")).toBe("https://platform.example/upgrade");
    expect(await links.nth(1).getAttribute("href")).toBe("https://platform.example/invite");

    await acme.spend(600);
    await expectLabel().toBe("Out of credits until 1 Dec");
    await expect.poll(() => meterText()).toBe("2,140 of 2,000 credits used, 107 %, resets in 8 days");
    await expect.poll(() => buttons()).toEqual(["Upgrade plan", "Invite"]);
    await expect.poll(() => thresholds()).toEqual([50, 75, 90, 100]);
    await fixture.savePicture("exhausted");

    expect(await fixture.page.locator("usage-bar").boundingBox()).toEqual(box);
    expect(await fixture.page.evaluate(() => Reflect.get(globalThis, "shifts"))).toEqual([]);
  });

  it("link to the enterprise's upgrade and referral URLs, also if opened late", async () => {
    const acme = await fixture.withCredits(100, { referral_url: "https://platform.example/invité?from=acme" });
    await acme.spend(95);
    await show(acme);
    await expectButtons().toEqual(["Upgrade plan", "Invite"]);
    const links = fixture.page.getByRole("link");
    expect(await links.nth(0).getAttribute("href")).toBe("https://platform.example/upgrade");
    expect(await links.nth(1).getAttribute("href")).toBe("https://platform.example/invit%C3%A9?from=acme");
  });

  it("include a segment for the monthly allowance and one for bonus", async () => {
    const acme = await fixture.withCredits(1_500);
    await acme.grant(500);
    await acme.spend(1_000);
    await show(acme);
    await expectLabel().toMatch(/^1,000 of 2,000 credits/);
    await expect.poll(() => widthOf("monthly")).toBe(50);
    expect(await widthOf("bonus")).toBe(0);
    await acme.spend(700);
    await expectLabel().toMatch(/^1,700 of 2,000 credits/);
    await expect.poll(() => widthOf("bonus")).toBe(85);
    await expect.poll(() => widthOf("monthly")).toBe(75);
    await fixture.savePicture("bonus");
  });

  it("offer the free tier an upgrade at any percentage, and count hours on the last day", async () => {
    const free = await fixture.withCredits(500, { plan: "free", test_clock: "2026-11-30T18:30:00Z" });
    await free.spend(0.04);
    await show(free);
    await expectLabel().toBe("<0.1 of 500 credits · resets in 6 hours");
    await expect.poll(() => meterText()).toBe("<0.1 of 500 credits used, less than 1 %, resets in 6 hours");
    await expect.poll(() => buttons()).toEqual(["Upgrade plan"]);
  });

  it("name the date of the reset in the time zone of the enterprise", async () => {
    const zones = ["Pacific/Auckland", "Asia/Kolkata", "Europe/Berlin", "America/New_York", "Pacific/Honolulu"];
    const all = await Promise.all(zones.map((time_zone) => fixture.withCredits(100, { time_zone })));
    for (const acme of all) await acme.spend(100);
    fixture.host.serve(all.map(({ id }) => barMarkup(id)).join(""));
    await fixture.page.goto(fixture.host.origin);
    for (const nth of zones.keys()) await expectLabel(nth).toBe("Out of credits until 1 Dec");
  });

  it("are about the cap for a byom enterprise, and only an admin can raise it", async () => {
    const globex = await fixture.byom(500 * USD);
    await globex.spend(41_240);
    await show(globex);
    await expectLabel().toBe("$412.40 of $500.00 cap · resets in 8 days");
    await expect.poll(() => meterText()).toBe("$412.40 of $500.00 cap used, 82 %, resets in 8 days");
    await expect.poll(() => buttons()).toEqual([]);
    fixture.host.tokenRequest = { role: "admin" };
    await fixture.page.reload();
    await expectButtons().toEqual(["Raise cap"]);
    expect(await fixture.page.getByRole("link").getAttribute("href")).toBe(`${fixture.site.base}/settings/model`);
    await fixture.savePicture("byom");
    await globex.spend(9_000);
    await expectLabel().toBe("Cap of $500.00 reached until 1 Dec");
  });

  it("show what a byom enterprise spent without a cap, and let an admin set one", async () => {
    const globex = await fixture.byom(null);
    fixture.host.tokenRequest = { role: "admin" };
    await show(globex);
    await expectLabel().toBe("$0.00 spent · resets in 8 days");
    expect(await fixture.page.getByRole("meter").count()).toBe(0);
    await expect.poll(() => buttons()).toEqual(["Set a cap"]);
    await globex.spend(0.4);
    await expectLabel().toBe("<$0.01 spent · resets in 8 days");
    await globex.cap(20 * USD);
    await expectButtons().toEqual(["Raise cap"]);
    expect(await fixture.page.getByRole("meter").count()).toBe(1);
  });

  it("format amounts of any size like the dashboard", async () => {
    const amounts = [
      1, 49_999, 50_000, 350_000, 99_949_999, 99_950_000, 100_500_000, 123_456_789_000_000, 1_995_000, 412_400_000,
    ];
    const bars: { markup: string; label: string }[] = [];
    for (const micros of amounts) {
      const [acme, globex] = await Promise.all([fixture.withCredits(micros / CREDIT), fixture.byom(micros)]);
      bars.push({ markup: barMarkup(acme.id), label: `0 of ${formatAmount(micros, "credits")} credits` });
      bars.push({ markup: barMarkup(globex.id), label: `$0.00 of ${formatAmount(micros, "usd")} cap` });
    }
    fixture.host.serve(bars.map(({ markup }) => markup).join(""));
    await fixture.page.goto(fixture.host.origin);
    for (const [nth, bar] of bars.entries()) await expectLabel(nth).toContain(bar.label);
  });
});

describe("the events for the host page", () => {
  it("are every change, and each threshold once per cycle even after a reload", async () => {
    const acme = await fixture.withCredits(1_000);
    await acme.spend(600);
    await show(acme);
    await expectThresholds().toEqual([50]);
    expect(await fixture.page.getByRole("status").innerText()).toBe("");
    await acme.spend(10);
    await expectLabel().toMatch(/^610 of/);
    expect(await eventsOf("usage-change")).toMatchObject([
      { used_micros: 600 * CREDIT },
      { used_micros: 610 * CREDIT },
    ]);
    await expect.poll(() => thresholds()).toEqual([50]);
    await fixture.page.reload();
    await expectLabel().toMatch(/^610 of/);
    await acme.spend(200);
    await expectThresholds().toEqual([75]);

    await acme.moveTo("2026-12-01T00:00:00Z");
    await expectLabel().toBe("0 of 1,000 credits · resets in 31 days");
    await acme.spend(950);
    await expectThresholds().toEqual([75, 50, 75, 90]);
  });

  it("repeat a threshold after new credit, and not after a refund", async () => {
    const acme = await fixture.withCredits(1_000);
    await acme.spend(800, { run: "r", final: false });
    await show(acme);
    await expectThresholds().toEqual([50, 75]);
    await acme.spend(600, { run: "r" });
    await expectLabel().toMatch(/^600 of/);
    await acme.spend(200);
    await expectLabel().toMatch(/^800 of/);
    await expect.poll(() => thresholds()).toEqual([50, 75]);
    await acme.grant(1_000);
    await expectLabel().toMatch(/^800 of 2,000/);
    await acme.spend(300);
    await expectThresholds().toEqual([50, 75, 50]);
  });

  it("announce an action before its link opens in a new tab, and the host can prevent it", async () => {
    await show(await fixture.withCredits(500, { plan: "free" }));
    await fixture.context.route("https://platform.example/**", (route) => route.fulfill({ body: "upgrade" }));
    const link = fixture.page.getByRole("link", { name: "Upgrade plan" });
    const [opened] = await Promise.all([fixture.context.waitForEvent("page"), link.click()]);
    expect(opened.url()).toBe("https://platform.example/upgrade");
    await expect
      .poll(() => eventsOf("usage-action"))
      .toEqual([{ action: "upgrade", url: "https://platform.example/upgrade" }]);
    await fixture.page.evaluate(() => addEventListener("usage-action", (event) => event.preventDefault()));
    await link.press("Enter");
    await expect.poll(() => eventsOf("usage-action")).toHaveLength(2);
    expect(fixture.context.pages()).toHaveLength(2);
  });
});

describe("the appearance of the bar", () => {
  it.each(["full", "compact"])("is accessible in both themes: %s", async (size) => {
    const [unused, half, exhausted] = await Promise.all(
      [0, 620, 1_100].map(async (credits) => {
        const acme = await fixture.withCredits(1_000);
        if (credits > 0) await acme.spend(credits);
        return acme.id;
      }),
    );
    for (const id of [unused!, half!, exhausted!]) {
      await show({ id }, { attributes: `size="${size}"` });
      await expectLabel().toMatch(/credits/);
      for (const colorScheme of ["light", "dark"] as const) {
        await fixture.page.emulateMedia({ colorScheme });
        expect(await axeViolations(fixture.page, colorScheme === "light" ? "all" : "colours")).toEqual([]);
        await fixture.savePicture(`${colorScheme}-${size}`);
      }
    }
  });

  it("follows the visitor's colour scheme unless the host sets one", async () => {
    const acme = await fixture.withCredits(1_000);
    const background = () =>
      fixture.page.locator("[part=base]").evaluate((base) => getComputedStyle(base).backgroundColor);
    await fixture.page.emulateMedia({ colorScheme: "dark" });
    await show(acme);
    expect(await background()).toBe("rgb(22, 27, 34)");
    await show(acme, { attributes: 'theme="light"' });
    expect(await background()).toBe("rgb(255, 255, 255)");
    await fixture.page.locator("usage-bar").evaluate((bar: HTMLElement) => {
      bar.style.setProperty("--usage-bar-background", "rgb(1, 2, 3)");
    });
    expect(await background()).toBe("rgb(1, 2, 3)");
  });

  it("shows its segments in forced colours, and respects reduced motion", async () => {
    const acme = await fixture.withCredits(1_000);
    await acme.spend(500);
    await fixture.page.emulateMedia({ forcedColors: "active", reducedMotion: "reduce" });
    await show(acme);
    await expectLabel().toMatch(/^500 of/);
    const style = await fixture.page.locator("[part=monthly]").evaluate((segment) => {
      const { backgroundColor, transitionProperty } = getComputedStyle(segment);
      return { backgroundColor, transitionProperty };
    });
    const track = await fixture.page
      .locator("[part=meter]")
      .evaluate((meter) => getComputedStyle(meter).backgroundColor);
    expect(style.transitionProperty).toBe("none");
    expect(style.backgroundColor).not.toBe(track);
    await fixture.savePicture("forced-colours");
  });

  it("fits columns of 220, 375 and 900 pixels", async () => {
    const acme = await fixture.withCredits(1_000);
    await acme.spend(800);
    fixture.host.serve(barMarkup(acme.id) + barMarkup(acme.id, 'size="compact"'));
    await fixture.page.goto(fixture.host.origin);
    await expectLabel().toMatch(/^800 of/);
    for (const width of [220, 375, 900]) {
      await fixture.page.setViewportSize({ width, height: 400 });
      const overflow = await fixture.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
      expect(overflow, `at ${width}`).toBeLessThanOrEqual(0);
      for (const link of await fixture.page.getByRole("link").all()) {
        expect((await link.boundingBox())?.height, `at ${width}`).toBeGreaterThanOrEqual(24);
      }
      // The last button is at the end of the bar, even if it wraps to a new line.
      const [base, invite] = await Promise.all(
        ["base", "invite"].map((part) => fixture.page.locator(`[part=${part}]`).first().boundingBox()),
      );
      expect(base!.x + base!.width - (invite!.x + invite!.width), `at ${width}`).toBeLessThan(16);
      await fixture.savePicture(`width-${width}`);
    }
  });

  it.each([0, 400, 600, 800, 1_000])(
    "stays one line in a header of 48 pixels at %i of 1,000 credits",
    async (credits) => {
      const acme = await fixture.withCredits(1_000);
      if (credits > 0) await acme.spend(credits);
      // The host's policy forbids inline styles, so this page of the host sets them through the DOM.
      fixture.host.serve(`<div><span>Editor</span>${barMarkup(acme.id, 'size="compact"')}<span>Files</span></div>`);
      await fixture.page.goto(fixture.host.origin);
      await fixture.page
        .locator("div")
        .first()
        .evaluate((header) => {
          header.style.cssText = "display: flex; align-items: center; gap: 8px; block-size: 48px";
        });
      await expectLabel().toMatch(/credits/i);
      for (const width of [300, 375, 600, 768, 1_280]) {
        await fixture.page.setViewportSize({ width, height: 300 });
        const box = await fixture.page.locator("usage-bar").boundingBox();
        expect(box!.height, `at ${width} pixels`).toBeLessThanOrEqual(36);
        expect(
          await fixture.page.evaluate(() => document.documentElement.scrollWidth - innerWidth),
        ).toBeLessThanOrEqual(0);
        await fixture.savePicture(`header-${credits}-${width}`);
      }
    },
  );

  it("says that the enterprise is suspended, and changes its colour from 90 % and at 100 %", async () => {
    const acme = await fixture.withCredits(1_000);
    await show(acme);
    const level = () => fixture.page.locator("[part=base]").getAttribute("data-level");
    const colour = () =>
      fixture.page.locator("[part=monthly]").evaluate((bar) => getComputedStyle(bar).backgroundColor);
    await acme.spend(890);
    await expectLabel().toMatch(/^890 of/);
    expect([await level(), await colour()]).toEqual([null, "rgb(11, 74, 162)"]);
    await acme.spend(10);
    await expectLabel().toMatch(/^.*900 of/);
    expect([await level(), await colour()]).toEqual(["warning", "rgb(138, 75, 0)"]);
    await acme.spend(100);
    await expectLabel().toMatch(/Out of credits until 1 Dec$/);
    expect([await level(), await colour()]).toEqual(["critical", "rgb(168, 32, 26)"]);
    await acme.put({ suspended: true });
    await expectLabel().toMatch(/Suspended: no new runs$/);
    await expect.poll(() => meterText()).toBe("1,000 of 1,000 credits used, 100 %, resets in 8 days");
    await fixture.savePicture("suspended");
  });

  it("stays within its size limit", async () => {
    const served = await (await fetch(`${fixture.site.base}/embed/usage-bar.js`)).bytes();
    expect(brotliCompressSync(served).length).toBeLessThanOrEqual(SIZE_LIMIT_BYTES);
  });

  it("can be loaded by pages of any origin, including isolated ones", async () => {
    const { headers } = await fetch(`${fixture.site.base}/embed/usage-bar.js`);
    expect(headers.get("Access-Control-Allow-Origin")).toBe("*");
    expect(headers.get("Cross-Origin-Resource-Policy")).toBe("cross-origin");
    expect(headers.get("Content-Type")).toMatch(/^text\/javascript/);
  });

  it("is replaced by the link inside it if scripts do not run", async () => {
    const context = await fixture.context.browser()!.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    fixture.host.serve(barMarkup("acme"));
    await page.goto(fixture.host.origin);
    await expect.poll(() => page.getByRole("link", { name: "Your usage" }).isVisible()).toBe(true);
    await context.close();
  });
});

it("causes no console message under a strict content security policy", async () => {
  const acme = await fixture.withCredits(1_000);
  await acme.spend(800);
  await show(acme);
  await expectLabel().toMatch(/^800 of/);
  await acme.spend(300);
  await expectLabel().toMatch(/^Out of credits/);
  await expect.poll(() => label()).not.toContain("not live");
  expect(fixture.consoleMessages).toEqual([]);
  expect(await fixture.page.evaluate(() => violations)).toEqual([]);
});
