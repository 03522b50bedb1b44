/** The usage page in every state: its texts, its layout at both widths, and its accessibility. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { axeViolations, overflowingElements } from "./looks.ts";
import { NARROW, type Site, savePicture, startSite, textOf, WIDE } from "./site.ts";
import { STATES } from "./usage-states.ts";

/** Colours depend on the theme and the level of the status, so one state of each level is also checked in the dark theme. */
const CHECKED_IN_DARK = ["on track", "half used", "running out", "exhausted", "no cap"];

/** By kind of status: the colour of the bar where it is not blue. Each of these states has used 90 % or more. */
const LEVELS: Record<string, string> = {
  used_90: "warning",
  out_within_a_day: "warning",
  exhausted: "critical",
  cap_reached: "critical",
};

let site: Site;

beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site.stop());

async function checkBothWidths(page: Page, name: string, theme: "light" | "dark"): Promise<void> {
  for (const [size, suffix] of [
    [WIDE, "1280"],
    [NARROW, "375"],
  ] as const) {
    // The theme changes no size.
    if (theme === "dark" && !process.env.FUELGAUGE_PICTURES) return;
    await page.setViewportSize(size);
    expect(await overflowingElements(page)).toEqual([]);
    await savePicture(page, `${name.replaceAll(" ", "-")}-${theme}-${suffix}`);
  }
}

describe.each(STATES)("$name", ({ name, kind, create, texts }) => {
  it("shows its texts, fits both widths, and is accessible", async () => {
    const enterprise = await create(site);
    const { page, context, browserErrors } = await site.signIn(enterprise);
    await page.locator(".plot canvas").waitFor();
    expect(await page.locator("#status").getAttribute("data-kind")).toBe(kind);
    expect(await page.locator("#allocation").getAttribute("data-level")).toBe(LEVELS[kind] ?? null);
    for (const [selector, text] of Object.entries(texts)) expect(await textOf(page, selector)).toContain(text);
    expect(await axeViolations(page)).toEqual([]);
    await checkBothWidths(page, name, "light");
    if (CHECKED_IN_DARK.includes(name)) {
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await axeViolations(page, "colours")).toEqual([]);
      await checkBothWidths(page, name, "dark");
    }
    expect(browserErrors).toEqual([]);
    await context.close();
  });
});

it("scrolls sideways at no width from 300 px up, in credits and in dollars", async () => {
  for (const name of ["three quarters used", "near the cap"]) {
    const enterprise = await STATES.find((state) => state.name === name)?.create(site);
    if (enterprise === undefined) throw new Error(`there is no state ${name}`);
    const { page, context } = await site.signIn(enterprise);
    for (const path of [
      "/settings/usage",
      "/settings/usage?view=total",
      "/settings/usage?user=u1",
      "/settings/model",
    ]) {
      await page.goto(path);
      for (const width of [300, 320, 375, 600, 760, 761, 768, 780, 800, 807, 899, 960, 1024]) {
        await page.setViewportSize({ width, height: 900 });
        const excess = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        await expect.poll(excess, { message: `${path} at ${width}` }).toBeLessThanOrEqual(0);
      }
    }
    await context.close();
  }
});

it("keeps long names and large numbers inside their cards from 300 px up", async () => {
  const enterprise = await site.newEnterprise({ monthly_allowance_micros: 2_000_000_000_000_000 });
  const name = "A workspace whose name is a sentence with supercalifragilisticexpialidocious-words-without-any-break";
  await enterprise.directory({ workspaces: [{ id: "w1", name }], users: [{ id: "u1", name }] });
  for (let i = 0; i < 12; i++) await enterprise.run(999_999_999_999);
  await enterprise.project();
  const { page, context } = await site.signIn(enterprise);
  await page.locator("#chart-table summary").click();
  for (const width of [300, 375, 480, 481, 768]) {
    await page.setViewportSize({ width, height: 900 });
    expect(await overflowingElements(page), `at ${width}`).toEqual([]);
    const outside = await page.evaluate(() =>
      [...document.querySelectorAll(".card")].flatMap((card) =>
        [...card.querySelectorAll("h1, h2, p, table, th, td, dd, a")]
          .filter((element) => element.closest(".scroll, .unseen, thead, .menu") === null)
          .filter((element) => element.getBoundingClientRect().right > card.getBoundingClientRect().right - 4)
          .map((element) => `${element.tagName} in #${card.id}`),
      ),
    );
    expect(outside, `at ${width}`).toEqual([]);
  }
  await context.close();
});

it("lets a thumb hit every link, also those of names at 375 px", async () => {
  const enterprise = await STATES.find(({ name }) => name === "three quarters used")?.create(site);
  if (enterprise === undefined) throw new Error("there is no such state");
  const { page, context } = await site.signIn(enterprise, "admin", { size: NARROW });
  const small = await page.evaluate(() =>
    [...document.querySelectorAll<HTMLElement>("a, button, summary, input, select")]
      .filter((element) => element.checkVisibility() && element.closest(".unseen, .skip, .scrub") === null)
      .filter((element) => !element.matches(".skip, .scrub"))
      .map((element) => ({ text: element.textContent?.trim(), box: element.getBoundingClientRect() }))
      .filter(({ box }) => box.height < 24 || box.width < 24)
      .map(({ text, box }) => `${text}: ${Math.round(box.width)} × ${Math.round(box.height)}`),
  );
  expect(small).toEqual([]);
  await context.close();
});

describe("the other pages of a signed-in person", () => {
  it("fit both widths and are accessible in both themes: receipt, cap, confirmation, invalid cap, rates", async () => {
    const globex = await site.newEnterprise({
      name: "Globex Energy",
      billing_model: "byom",
      monthly_allowance_micros: null,
    });
    await globex.cap(500_000_000);
    await globex.run(412_400_000, { run: "costly-run" });
    await globex.project();
    const { page, context, browserErrors } = await site.signIn(globex);
    const post = async (cap: string) => {
      await page.goto("/settings/model");
      await page.getByLabel("Cap in dollars a month").fill(cap);
      await page.getByRole("button", { name: "Save" }).click();
      await page.locator(".notice").waitFor();
    };
    const visits: Record<string, () => Promise<unknown>> = {
      receipt: () => page.goto("/settings/usage/runs/costly-run"),
      model: () => page.goto("/settings/model"),
      confirmation: () => post("300"),
      "invalid-cap": () => post("5e9"),
      rates: () => page.goto("/settings/model?q=no+such+model"),
    };
    for (const [name, visit] of Object.entries(visits)) {
      await visit();
      await page.emulateMedia({ colorScheme: "light" });
      expect(await axeViolations(page), name).toEqual([]);
      await checkBothWidths(page, name, "light");
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await axeViolations(page, "colours"), name).toEqual([]);
      await checkBothWidths(page, name, "dark");
    }
    // The browser logs the 422 of the invalid cap, and must log nothing else.
    expect(browserErrors.filter((error) => !error.includes("422"))).toEqual([]);
    await context.close();
  });
});
