// The usage bar on a page of another origin, in Chromium, against the real Worker: what it says and shows, and what its host hears.
import { brotliCompressSync } from "node:zlib";
import AxeBuilder from "@axe-core/playwright";
import { describe, expect, it } from "vitest";
import { formatAmount } from "../../src/pages/kit/format.ts";
import { barOf, CREDIT, setBarStage } from "./bar-stage.ts";

const SIZE_LIMIT_BYTES = 6_000;
const USD = 1_000_000;

const stage = setBarStage();
const { show, label, expectLabel, buttons, expectButtons, meterText, heard, thresholds, expectThresholds } = stage;

/** How much of the meter a segment covers, in per cent. */
const widthOf = (part: string) =>
  stage.page.locator(`[part=${part}]`).evaluate((segment) => {
    const whole = segment.parentElement?.getBoundingClientRect().width ?? 0;
    return Math.round((segment.getBoundingClientRect().width / whole) * 1000) / 10;
  });

describe("what it says", () => {
  it("follows a balance from plenty to nothing, offers what fits, and moves nothing", async () => {
    const acme = await stage.withCredits(2_000);
    await show(acme);
    await expectLabel().toBe("0 of 2,000 credits · resets in 8 days");
    await stage.page.evaluate(() => {
      Object.assign(globalThis, { shifts: [] });
      const note = (list: PerformanceObserverEntryList) => Reflect.get(globalThis, "shifts").push(...list.getEntries());
      new PerformanceObserver(note).observe({ type: "layout-shift", buffered: true });
    });
    const box = await stage.page.locator("usage-bar").boundingBox();
    expect(await buttons()).toEqual([]);

    await acme.spend(840);
    await expectLabel().toBe("840 of 2,000 credits · resets in 8 days");
    expect(await meterText()).toBe("840 of 2,000 credits used, 42 %, resets in 8 days");
    expect(await buttons()).toEqual([]);
    expect(await thresholds()).toEqual([]);

    await acme.spend(400);
    await expectLabel().toBe("1,240 of 2,000 credits · resets in 8 days");
    expect(await buttons()).toEqual(["Invite"]);
    expect(await stage.page.getByRole("link").getAttribute("href")).toBe("https://platform.example/invite");
    expect(await stage.page.getByRole("status").innerText()).toBe("50 % used: 1,240 of 2,000 credits");
    await stage.shoot("half");

    await acme.spend(300);
    await expectLabel().toBe("1,540 of 2,000 credits · resets in 8 days");
    expect(await buttons()).toEqual(["Upgrade plan", "Invite"]);
    const links = stage.page.getByRole("link");
    expect(await links.nth(0).getAttribute("href")).toBe("https://platform.example/upgrade");
    expect(await links.nth(1).getAttribute("href")).toBe("https://platform.example/invite");

    await acme.spend(600);
    await expectLabel().toBe("Out of credits until 1 Dec");
    expect(await meterText()).toBe("2,140 of 2,000 credits used, 107 %, resets in 8 days");
    expect(await buttons()).toEqual(["Upgrade plan", "Invite"]);
    expect(await thresholds()).toEqual([50, 75, 90, 100]);
    await stage.shoot("exhausted");

    expect(await stage.page.locator("usage-bar").boundingBox()).toEqual(box);
    expect(await stage.page.evaluate(() => Reflect.get(globalThis, "shifts"))).toEqual([]);
  });

  it("leads to the invitation and the upgrade of the enterprise, also where it was opened late", async () => {
    const late = await stage.withCredits(100, { referral_url: "https://platform.example/invité?from=acme" });
    await late.spend(95);
    await show(late);
    await expectButtons().toEqual(["Upgrade plan", "Invite"]);
    const links = stage.page.getByRole("link");
    expect(await links.nth(0).getAttribute("href")).toBe("https://platform.example/upgrade");
    expect(await links.nth(1).getAttribute("href")).toBe("https://platform.example/invit%C3%A9?from=acme");
  });

  it("draws the monthly part, and the bonus beyond it", async () => {
    const acme = await stage.withCredits(1_500);
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
    await stage.shoot("bonus");
  });

  it("offers the upgrade to the free tier at any percent, and counts the hours of the last day", async () => {
    const free = await stage.withCredits(500, { plan: "free", test_clock: "2026-11-30T18:30:00Z" });
    await free.spend(0.04);
    await show(free);
    await expectLabel().toBe("<0.1 of 500 credits · resets in 6 hours");
    expect(await meterText()).toBe("<0.1 of 500 credits used, less than 1 %, resets in 6 hours");
    expect(await buttons()).toEqual(["Upgrade plan"]);
  });

  it.each(["Pacific/Auckland", "Asia/Kolkata", "Europe/Berlin", "America/New_York", "Pacific/Honolulu"])(
    "names the date of the reset as it is in %s",
    async (time_zone) => {
      const acme = await stage.withCredits(100, { time_zone });
      await acme.spend(100);
      await show(acme);
      await expectLabel().toBe("Out of credits until 1 Dec");
    },
  );

  it("speaks of the cap to byom, and lets only an admin raise it", async () => {
    const globex = await stage.byom(500 * USD);
    await globex.spend(41_240);
    await show(globex);
    await expectLabel().toBe("$412.40 of $500.00 cap · resets in 8 days");
    expect(await meterText()).toBe("$412.40 of $500.00 cap used, 82 %, resets in 8 days");
    expect(await buttons()).toEqual([]);
    stage.host.wish = { role: "admin" };
    await stage.page.reload();
    await expectButtons().toEqual(["Raise cap"]);
    expect(await stage.page.getByRole("link").getAttribute("href")).toBe(`${stage.site.base}/settings/model`);
    await stage.shoot("byom");
    await globex.spend(9_000);
    await expectLabel().toBe("Cap of $500.00 reached until 1 Dec");
  });

  it("tells what byom spent where there is no cap, and lets an admin set one", async () => {
    const globex = await stage.byom(null);
    stage.host.wish = { role: "admin" };
    await show(globex);
    await expectLabel().toBe("$0.00 spent · resets in 8 days");
    expect(await stage.page.getByRole("meter").count()).toBe(0);
    expect(await buttons()).toEqual(["Set a cap"]);
    await globex.spend(0.4);
    await expectLabel().toBe("<$0.01 spent · resets in 8 days");
    await globex.cap(20 * USD);
    await expectButtons().toEqual(["Raise cap"]);
    expect(await stage.page.getByRole("meter").count()).toBe(1);
  });

  it.each([
    1, 49_999, 50_000, 350_000, 99_949_999, 99_950_000, 100_500_000, 123_456_789_000_000, 1_995_000, 412_400_000,
  ])("prints %i micros as the dashboard does", async (micros) => {
    await show(await stage.withCredits(micros / CREDIT));
    await expectLabel().toContain(`0 of ${formatAmount(micros, "credits")} credits`);
    await show(await stage.byom(micros));
    await expectLabel().toContain(`$0.00 of ${formatAmount(micros, "usd")} cap`);
  });
});

describe("what its host hears", () => {
  it("is every change, and each threshold once per cycle even when the page is opened again", async () => {
    const acme = await stage.withCredits(1_000);
    await acme.spend(600);
    await show(acme);
    await expectThresholds().toEqual([50]);
    expect(await stage.page.getByRole("status").innerText()).toBe("");
    await acme.spend(10);
    await expectLabel().toMatch(/^610 of/);
    expect(await heard("usage-change")).toMatchObject([{ used_micros: 600 * CREDIT }, { used_micros: 610 * CREDIT }]);
    expect(await thresholds()).toEqual([50]);
    await stage.page.reload();
    await expectLabel().toMatch(/^610 of/);
    await acme.spend(200);
    await expectThresholds().toEqual([75]);

    await acme.moveTo("2026-12-01T00:00:00Z");
    await expectLabel().toBe("0 of 1,000 credits · resets in 31 days");
    await acme.spend(950);
    await expectThresholds().toEqual([75, 50, 75, 90]);
  });

  it("is a threshold once more when new credit has lifted the enterprise above it, and not after a refund", async () => {
    const acme = await stage.withCredits(1_000);
    await acme.spend(800, { run: "r", final: false });
    await show(acme);
    await expectThresholds().toEqual([50, 75]);
    await acme.spend(600, { run: "r" });
    await expectLabel().toMatch(/^600 of/);
    await acme.spend(200);
    await expectLabel().toMatch(/^800 of/);
    expect(await thresholds()).toEqual([50, 75]);
    await acme.grant(1_000);
    await expectLabel().toMatch(/^800 of 2,000/);
    await acme.spend(300);
    await expectThresholds().toEqual([50, 75, 50]);
  });

  it("is an action, before its link opens in a tab of its own, and the host may forbid that", async () => {
    await show(await stage.withCredits(500, { plan: "free" }));
    await stage.context.route("https://platform.example/**", (route) => route.fulfill({ body: "upgrade" }));
    const link = stage.page.getByRole("link", { name: "Upgrade plan" });
    const [opened] = await Promise.all([stage.context.waitForEvent("page"), link.click()]);
    expect(opened.url()).toBe("https://platform.example/upgrade");
    expect(await heard("usage-action")).toEqual([{ action: "upgrade", url: "https://platform.example/upgrade" }]);
    await stage.page.evaluate(() => addEventListener("usage-action", (event) => event.preventDefault()));
    await link.press("Enter");
    await expect.poll(() => heard("usage-action")).toHaveLength(2);
    expect(stage.context.pages()).toHaveLength(2);
  });
});

describe("how it looks", () => {
  const everyLook = ["light", "dark"].flatMap((colorScheme) =>
    ["full", "compact"].map((size) => ({ colorScheme: colorScheme as "light" | "dark", size })),
  );

  it.each(everyLook)("leaves nothing for axe to find: $colorScheme, $size", async ({ colorScheme, size }) => {
    const [fresh, half, out] = await Promise.all(
      [0, 620, 1_100].map(async (credits) => {
        const acme = await stage.withCredits(1_000);
        if (credits > 0) await acme.spend(credits);
        return acme.id;
      }),
    );
    await stage.page.emulateMedia({ colorScheme });
    for (const id of [fresh!, half!, out!]) {
      await show({ id }, { attributes: `size="${size}"` });
      await expectLabel().toMatch(/credits/);
      const { violations } = await new AxeBuilder({ page: stage.page }).analyze();
      expect(violations).toEqual([]);
    }
    await stage.shoot(`${colorScheme}-${size}`);
  });

  it("follows the reader's colours unless the host chooses", async () => {
    const acme = await stage.withCredits(1_000);
    const background = () =>
      stage.page.locator("[part=base]").evaluate((base) => getComputedStyle(base).backgroundColor);
    await stage.page.emulateMedia({ colorScheme: "dark" });
    await show(acme);
    expect(await background()).toBe("rgb(22, 27, 34)");
    await show(acme, { attributes: 'theme="light"' });
    expect(await background()).toBe("rgb(255, 255, 255)");
    await stage.page.locator("usage-bar").evaluate((bar: HTMLElement) => {
      bar.style.setProperty("--usage-bar-background", "rgb(1, 2, 3)");
    });
    expect(await background()).toBe("rgb(1, 2, 3)");
  });

  it("shows its segments in forced colours, and grows without motion where that is asked for", async () => {
    const acme = await stage.withCredits(1_000);
    await acme.spend(500);
    await stage.page.emulateMedia({ forcedColors: "active", reducedMotion: "reduce" });
    await show(acme);
    await expectLabel().toMatch(/^500 of/);
    const style = await stage.page.locator("[part=monthly]").evaluate((segment) => {
      const { backgroundColor, transitionProperty } = getComputedStyle(segment);
      return { backgroundColor, transitionProperty };
    });
    const track = await stage.page.locator("[part=meter]").evaluate((meter) => getComputedStyle(meter).backgroundColor);
    expect(style.transitionProperty).toBe("none");
    expect(style.backgroundColor).not.toBe(track);
    await stage.shoot("forced-colours");
  });

  it.each([220, 375, 900])("fits a column of %i pixels", async (width) => {
    const acme = await stage.withCredits(1_000);
    await acme.spend(800);
    await stage.page.setViewportSize({ width, height: 400 });
    stage.host.serve(barOf(acme.id) + barOf(acme.id, 'size="compact"'));
    await stage.page.goto(stage.host.origin);
    await expectLabel().toMatch(/^800 of/);
    const overflow = await stage.page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect(overflow).toBeLessThanOrEqual(0);
    for (const link of await stage.page.getByRole("link").all()) {
      expect((await link.boundingBox())?.height).toBeGreaterThanOrEqual(24);
    }
    // The last button stands at the end of its bar, whether or not it has a line of its own.
    const [base, invite] = await Promise.all(
      ["base", "invite"].map((part) => stage.page.locator(`[part=${part}]`).first().boundingBox()),
    );
    expect(base!.x + base!.width - (invite!.x + invite!.width)).toBeLessThan(16);
    await stage.shoot(`width-${width}`);
  });

  it("weighs no more than it may", async () => {
    const served = await (await fetch(`${stage.site.base}/embed/usage-bar.js`)).bytes();
    expect(brotliCompressSync(served).length).toBeLessThanOrEqual(SIZE_LIMIT_BYTES);
  });

  it("may be loaded by pages of any origin, isolated ones included", async () => {
    const { headers } = await fetch(`${stage.site.base}/embed/usage-bar.js`);
    expect(headers.get("Access-Control-Allow-Origin")).toBe("*");
    expect(headers.get("Cross-Origin-Resource-Policy")).toBe("cross-origin");
    expect(headers.get("Content-Type")).toMatch(/^text\/javascript/);
  });

  it("gives way to the link inside it where scripts do not run", async () => {
    const context = await stage.context.browser()!.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    stage.host.serve(barOf("acme"));
    await page.goto(stage.host.origin);
    expect(await page.getByRole("link", { name: "Your usage" }).isVisible()).toBe(true);
    await context.close();
  });
});

it("leaves the console of a page with a strict policy clean", async () => {
  const acme = await stage.withCredits(1_000);
  await acme.spend(800);
  await show(acme);
  await expectLabel().toMatch(/^800 of/);
  await acme.spend(300);
  await expectLabel().toMatch(/^Out of credits/);
  expect(await label()).not.toContain("not live");
  expect(stage.complaints).toEqual([]);
  expect(await stage.page.evaluate(() => violations)).toEqual([]);
});
