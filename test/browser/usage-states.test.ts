/** The usage page in every state: its texts, its layout at both widths, and its accessibility. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { axeViolations, NARROW, overflowingElements, type Site, savePicture, startSite, textOf, WIDE } from "./site.ts";
import { STATES } from "./usage-states.ts";

/** Colours depend on the theme and the level of the status, so one state of each level is also checked in the dark theme. */
const CHECKED_IN_DARK = ["on track", "half used", "running out", "exhausted", "no cap"];

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
    for (const [selector, text] of Object.entries(texts)) expect(await textOf(page, selector)).toContain(text);
    expect(await axeViolations(page)).toEqual([]);
    await checkBothWidths(page, name, "light");
    if (CHECKED_IN_DARK.includes(name)) {
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await axeViolations(page, { onlyColours: true })).toEqual([]);
      await checkBothWidths(page, name, "dark");
    }
    expect(browserErrors).toEqual([]);
    await context.close();
  });
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
      expect(await axeViolations(page, { onlyColours: true }), name).toEqual([]);
      await checkBothWidths(page, name, "dark");
    }
    // The browser logs the 422 of the invalid cap, and must log nothing else.
    expect(browserErrors.filter((error) => !error.includes("422"))).toEqual([]);
    await context.close();
  });
});
