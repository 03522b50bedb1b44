/** Without JavaScript the pages show every number and link, and the cap can be previewed, changed and confirmed. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newLargeEnterprise } from "./large-enterprise.ts";
import { clickAndLoad, type Enterprise, type Site, savePicture, startSite, textOf } from "./site.ts";

let site: Site;
let acme: Enterprise;

beforeAll(async () => {
  site = await startSite();
  acme = await newLargeEnterprise(site);
  await acme.grant(200, { note: "Hooli joined", expires_at: "2026-12-14T00:00:00.000Z" });
});
afterAll(() => site.stop());

async function signInWithoutScript(
  enterprise = acme,
  { role = "admin", path = "/settings/usage" }: { role?: "admin" | "member"; path?: string } = {},
) {
  return site.signIn(enterprise, role, { script: false, path });
}

it("shows the same texts and links as with script", async () => {
  const [plain, scripted] = await Promise.all([signInWithoutScript(), site.signIn(acme)]);
  const regions = [
    "#status",
    "#allocation",
    "#cards",
    "figcaption",
    "#top-workspace",
    "#top-group",
    "#top-user",
    "#runs",
  ];
  for (const region of regions) expect(await textOf(plain.page, region)).toBe(await textOf(scripted.page, region));
  const links = (page: Page) =>
    page.locator("main a").evaluateAll((list) => list.map((a) => (a as HTMLAnchorElement).href));
  expect(await links(plain.page)).toEqual(await links(scripted.page));
  await Promise.all([plain.context.close(), scripted.context.close()]);
});

it("says that live updates need JavaScript, and draws the chart on the server", async () => {
  const { page, context } = await signInWithoutScript();
  expect(await textOf(page, "noscript")).toContain("Live updates need JavaScript");
  expect(await page.locator(".sketch").isVisible()).toBe(true);
  expect(await page.locator(".sketch .points.web:not(.hollow)").getAttribute("d")).toMatch(/^(M[\d.]+ [\d.]+h0){7}$/);
  // The day that is not over is hollow.
  expect(await page.locator(".sketch .points.web.hollow").getAttribute("d")).toMatch(/^M[\d.]+ [\d.]+h0$/);
  await page.locator("#chart-table summary").click();
  expect(await page.locator("#chart-table tbody tr").count()).toBe(7);
  await savePicture(page, "no-script");
  await context.close();
});

it("offers toggles, table pages and filters as links", async () => {
  const { page, context } = await signInWithoutScript();
  await clickAndLoad(page.getByRole("link", { name: "30 days" }));
  expect(await textOf(page, "#chart-summary")).toContain("In the last 30 days");
  await clickAndLoad(page.getByRole("link", { name: "Running total" }));
  expect(page.url()).toContain("/settings/usage?view=total");
  // The reset is marked with a line as thin as those of the grid.
  const widthOf = (line: string) =>
    page
      .locator(line)
      .first()
      .evaluate((path) => getComputedStyle(path).strokeWidth);
  expect(await widthOf(".sketch .mark")).toBe(await widthOf(".sketch .grid"));
  await clickAndLoad(page.locator("#more-workspace"));
  expect(await page.locator("#rows-workspace tr").count()).toBe(10);
  expect(await textOf(page, "#line-workspace")).toBe("11–20 of 23 shown Show more Show the first 10 CSV");
  await clickAndLoad(page.locator("#more-workspace"));
  expect(await textOf(page, "#line-workspace")).toBe("21–23 of 23 shown Show the first 10 CSV");
  expect(await textOf(page, "#rows-workspace tr:last-child th")).toBe("Workspace 22");
  await clickAndLoad(page.getByRole("link", { name: "Show the first 10" }));
  expect(await textOf(page, "#line-workspace")).toBe("10 of 23 shown Show more CSV");
  await clickAndLoad(page.locator("#filter-user-u00"));
  expect(await textOf(page, ".selection")).toContain("User User 00 , remove this filter");
  expect(new Set(await page.locator("#rows-runs .run-user").allInnerTexts())).toEqual(new Set(["User 00"]));
  expect(page.url()).toContain("user=u00");
  await context.close();
});

it("lists every run once through Show more", async () => {
  const { page, context } = await signInWithoutScript();
  const seen: string[] = [];
  for (;;) {
    seen.push(...(await page.locator("#rows-runs th a").allInnerTexts()));
    const more = page.getByRole("link", { name: "Show more" }).last();
    if ((await page.locator("#more-runs").innerText()) !== "Show more") break;
    await clickAndLoad(more);
  }
  expect(seen).toEqual([...new Set(seen)]);
  expect(seen).toHaveLength(46);
  await context.close();
});

it("lists grants in the order in which they are drawn, and exports CSV and JSON", async () => {
  const enterprise = await site.newEnterprise();
  await enterprise.grant(100, { source: "goodwill" });
  await enterprise.grant(200, { source: "promotion", expires_at: "2026-12-14T00:00:00.000Z" });
  await enterprise.run(50);
  await enterprise.project();
  const { page, context } = await signInWithoutScript(enterprise);
  await page.locator("#grants summary").click();
  expect(await textOf(page, "#grants tbody tr:nth-child(1)")).toBe("Promotion first Mon 14 Dec 200 200");
  expect(await textOf(page, "#grants tbody tr:nth-child(2)")).toBe("Goodwill second never 100 100");
  await page.getByText("Export").click();
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "The runs of this cycle (CSV)" }).click(),
  ]);
  expect(download.suggestedFilename()).toMatch(/^runs-e\d+-2026-11-01\.csv$/);
  await clickAndLoad(page.getByRole("link", { name: "The balance (JSON)" }));
  expect(JSON.parse(await page.locator("body").innerText())).toMatchObject({ enterprise: enterprise.id });
  await context.close();
});

it("shows a run's receipt with every micro", async () => {
  const enterprise = await site.newEnterprise({ monthly_allowance_micros: 1_000_000 });
  await enterprise.grant(0.5, { id: "hooli" });
  await enterprise.run(17_001, { run: "costly-run" });
  await enterprise.project();
  const { page, context } = await signInWithoutScript(enterprise);
  await clickAndLoad(page.locator("#run-costly-run th a"));
  expect(await textOf(page, "main")).toContain("1.7001 credits charged");
  expect(await textOf(page, ".receipt tbody tr:first-child")).toBe("Input 17,001 $1.00 $0.017001");
  expect(await textOf(page, ".draws")).toBe(
    "Monthly allowance of the cycle from Sun 1 Nov 1.0 credits Grant hooli 0.5 credits Not covered by any credit, in the cycle from Sun 1 Nov 0.2001 credits",
  );
  await context.close();
});

describe("the spend cap", () => {
  const newByom = async (dollars: number, capDollars: number | null) => {
    const enterprise = await site.newEnterprise({
      name: "Globex Energy",
      billing_model: "byom",
      monthly_allowance_micros: null,
      test_clock: "2026-11-22T12:00:00.000Z",
    });
    if (capDollars !== null) await enterprise.cap(capDollars * 1_000_000);
    if (dollars > 0) await enterprise.run(dollars * 1_000_000);
    await enterprise.project();
    return enterprise;
  };
  const save = async (page: Page, cap: string) => {
    await page.getByLabel("Cap in dollars a month").fill(cap);
    await page.getByLabel("Stop new runs at").check();
    await clickAndLoad(page.getByRole("button", { name: "Save" }));
  };
  const capOf = async (enterprise: Enterprise) => (await enterprise.gauge()).spend.cap_micros;

  it("can be previewed, set and removed, and its history says by whom", async () => {
    const globex = await newByom(200, null);
    const { page, context } = await signInWithoutScript(globex);
    await clickAndLoad(page.getByRole("link", { name: "Set a cap" }));
    await page.getByLabel("Cap in dollars a month").fill("250.50");
    await page.getByLabel("Stop new runs at").check();
    await clickAndLoad(page.getByRole("button", { name: "Preview" }));
    expect(await textOf(page, "#preview")).toBe(
      "At the current pace of $9.30 a day, $250.50 is reached around Fri 27 Nov.",
    );
    expect(await capOf(globex)).toBeNull();
    await clickAndLoad(page.getByRole("button", { name: "Save" }));
    expect(await textOf(page, "#notice")).toBe("Saved. The cap is $250.50.");
    expect(await capOf(globex)).toBe(250_500_000);
    await page.getByLabel("No cap").check();
    await clickAndLoad(page.getByRole("button", { name: "Save" }));
    expect(await textOf(page, "#notice")).toBe("Saved. There is no cap now.");
    expect(await capOf(globex)).toBeNull();
    const history = page.locator("section:has(#history-title) tbody tr");
    expect((await history.allInnerTexts()).map((row) => row.replaceAll(/\s+/g, " ").trim())).toEqual([
      "Sun 22 Nov 2026, 12:00 lena.vogt $250.50 no cap",
      "Sun 22 Nov 2026, 12:00 lena.vogt no cap $250.50",
    ]);
    await context.close();
  });

  it("is refused if it is not an amount, and the typed text is kept", async () => {
    const globex = await newByom(0, 500);
    const { page, context } = await signInWithoutScript(globex, { path: "/settings/model" });
    await save(page, "5e9");
    expect(await textOf(page, "#notice")).toBe("Enter an amount in dollars, such as 500.00.");
    expect(await page.getByLabel("Cap in dollars a month").inputValue()).toBe("5e9");
    expect(await page.getByLabel("Cap in dollars a month").getAttribute("aria-invalid")).toBe("true");
    expect(await capOf(globex)).toBe(500_000_000);
    await context.close();
  });

  it("is refused if an amount is typed while “No cap” is selected", async () => {
    const globex = await newByom(100, null);
    const { page, context } = await signInWithoutScript(globex, { path: "/settings/model" });
    await page.getByLabel("Cap in dollars a month").fill("500");
    await clickAndLoad(page.getByRole("button", { name: "Save" }));
    expect(await textOf(page, "#notice")).toBe(
      "You entered an amount but chose “No cap”. Choose “Stop new runs at”, or clear the amount.",
    );
    await page.getByLabel("Stop new runs at").check();
    await clickAndLoad(page.getByRole("button", { name: "Save" }));
    expect(await textOf(page, "#notice")).toBe("Saved. The cap is $500.00.");
    await page.getByLabel("No cap").check();
    await clickAndLoad(page.getByRole("button", { name: "Save" }));
    expect(await textOf(page, "#notice")).toBe("Saved. There is no cap now.");
    await context.close();
  });

  it("below what is spent needs a confirmation, which can be declined", async () => {
    const globex = await newByom(412.4, 500);
    const { page, context } = await signInWithoutScript(globex, { path: "/settings/model" });
    await save(page, "300");
    expect(await textOf(page, "main")).toContain(
      "$412.40 is already spent: with a cap of $300.00, no new run starts until Tue 1 Dec.",
    );
    expect(await capOf(globex)).toBe(500_000_000);
    await clickAndLoad(page.getByRole("link", { name: "Keep $500.00" }));
    expect(await page.getByLabel("Cap in dollars a month").inputValue()).toBe("500.00");
    await save(page, "300");
    await clickAndLoad(page.getByRole("button", { name: "Set the cap to $300.00" }));
    expect(await textOf(page, "#notice")).toBe("Saved. The cap is $300.00.");
    expect(await capOf(globex)).toBe(300_000_000);
    await context.close();
  });

  it("is not overwritten if someone else changed it in the meantime", async () => {
    const globex = await newByom(100, 500);
    const { page, context } = await signInWithoutScript(globex, { path: "/settings/model" });
    await globex.cap(700_000_000);
    await save(page, "600");
    expect(await textOf(page, "#notice")).toBe(
      "Someone else has changed the cap: it is now $700.00. Nothing was saved; save again to replace it.",
    );
    expect(await capOf(globex)).toBe(700_000_000);
    expect(await page.getByLabel("Cap in dollars a month").inputValue()).toBe("600");
    await clickAndLoad(page.getByRole("button", { name: "Save" }));
    expect(await capOf(globex)).toBe(600_000_000);
    await context.close();
  });

  it("is shown to a member without a form", async () => {
    const globex = await newByom(100, 500);
    const { page, context } = await signInWithoutScript(globex, { role: "member", path: "/settings/model" });
    expect(await textOf(page, "main")).toContain("You are signed in as a member. Only an admin can change the cap.");
    expect(await page.getByRole("button", { name: "Save" }).count()).toBe(0);
    await context.close();
  });
});

it("shows rates in credits and dollars, and searches for a model", async () => {
  const { page, context } = await signInWithoutScript(acme, { path: "/settings/model" });
  expect(await page.locator("#cap-title").count()).toBe(0);
  expect(await textOf(page, ".rates tbody tr:first-child")).toBe("plain 0.1 $1.00 0.1 $1.00 0.1 $1.00 0.1 $1.00");
  await page.getByPlaceholder("Search 2 models").fill("OTH");
  await clickAndLoad(page.getByRole("button", { name: "Search" }));
  expect(await page.locator(".rates tbody tr").count()).toBe(1);
  expect(await textOf(page, ".rates tbody th")).toBe("other");
  await context.close();
});
