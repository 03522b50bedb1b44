/** Every state of UI.md on the usage page: what it says, that it fits, and that nothing bars anyone from it. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { faultsOf, NARROW, picture, type Site, startSite, WIDE, widerThanScreen, words } from "./site.ts";
import { STATES } from "./states.ts";

/** Colours belong to the theme and the level of the status: one state of each level is looked at in the dark as well. */
const IN_THE_DARK = ["on track", "half used", "running out", "exhausted", "no cap"];

let site: Site;

beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site.stop());

async function pictures(page: Page, name: string, theme: "light" | "dark"): Promise<void> {
  for (const [size, suffix] of [
    [WIDE, "1280"],
    [NARROW, "375"],
  ] as const) {
    await page.setViewportSize(size);
    expect(await widerThanScreen(page)).toEqual([]);
    await picture(page, `${name.replaceAll(" ", "-")}-${theme}-${suffix}`);
  }
}

describe.each(STATES)("$name", ({ name, kind, make, says }) => {
  it("says so, fits both widths, and bars nobody", async () => {
    const enterprise = await make(site);
    const { page, context, complaints } = await site.signIn(enterprise);
    await page.locator(".plot canvas").waitFor();
    expect(await page.locator("#status").getAttribute("data-kind")).toBe(kind);
    for (const [place, text] of Object.entries(says)) expect(await words(page, place)).toContain(text);
    expect(await faultsOf(page)).toEqual([]);
    await pictures(page, name, "light");
    if (IN_THE_DARK.includes(name)) {
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await faultsOf(page)).toEqual([]);
      await pictures(page, name, "dark");
    }
    expect(complaints).toEqual([]);
    await context.close();
  });
});

describe("the pages beside it", () => {
  it("fit both widths and bar nobody in either theme: receipt, cap, question, fault, rates", async () => {
    const globex = await site.newEnterprise({
      name: "Globex Energy",
      billing_model: "byom",
      monthly_allowance_micros: null,
    });
    await globex.cap(500_000_000);
    await globex.run(412_400_000, { run: "dear-run" });
    await globex.project();
    const { page, context, complaints } = await site.signIn(globex);
    const post = async (cap: string) => {
      await page.goto("/settings/model");
      await page.getByLabel("Cap in dollars a month").fill(cap);
      await page.getByRole("button", { name: "Save" }).click();
      await page.locator(".notice").waitFor();
    };
    const visits: Record<string, () => Promise<unknown>> = {
      receipt: () => page.goto("/settings/usage/runs/dear-run"),
      model: () => page.goto("/settings/model"),
      question: () => post("300"),
      fault: () => post("5e9"),
      rates: () => page.goto("/settings/model?q=no+such+model"),
    };
    for (const [name, visit] of Object.entries(visits)) {
      await visit();
      await page.emulateMedia({ colorScheme: "light" });
      expect(await faultsOf(page), name).toEqual([]);
      await pictures(page, name, "light");
      await page.emulateMedia({ colorScheme: "dark" });
      expect(await faultsOf(page), name).toEqual([]);
      await pictures(page, name, "dark");
    }
    // The browser notes the 422 of the fault; nothing else.
    expect(complaints.filter((complaint) => !complaint.includes("422"))).toEqual([]);
    await context.close();
  });
});
