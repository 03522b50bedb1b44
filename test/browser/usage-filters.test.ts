/** The usage page with filters, in a past cycle and with dates: exact numbers, without script too, and in both themes. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { axeViolations, overflowingElements } from "./looks.ts";
import { clickAndLoad, type Enterprise, type Site, savePicture, startSite, textOf } from "./site.ts";

const WIDTHS = [1280, 768, 375];
const OCTOBER = "2026-10-01T00:00:00.000Z";
let site: Site;
let acme: Enterprise;

beforeAll(async () => {
  site = await startSite();
  acme = await site.newEnterprise({ test_clock: "2026-10-03T12:00:00.000Z" });
  await acme.directory({
    groups: [{ id: "product", name: "Product engineering" }],
    workspaces: Array.from({ length: 14 }, (_, i) => ({ id: `w${i}`, name: `Workspace ${i}`, group_id: "product" })),
    users: [
      { id: "u1", name: "Lena Vogt" },
      { id: "u2", name: "Jörg Müller" },
      { id: "lena.vogt", name: "Lena Vogt" },
    ],
  });
  for (const [now, tokens] of [
    ["2026-10-04T12:00:00.000Z", 100_000],
    ["2026-10-20T12:00:00.000Z", 200_000],
    ["2026-11-02T12:00:00.000Z", 150_000],
    ["2026-11-12T12:00:00.000Z", 250_000],
  ] as const) {
    await acme.moveTo(now);
    for (let i = 0; i < 14; i++) {
      const attribution = { workspace: `w${i}`, user: i % 2 ? "u1" : "u2", surface: i % 3 ? "web" : "cli" };
      await acme.run(tokens + i * 1_000, { ...attribution, model: i % 4 ? "plain" : "other" });
    }
  }
  await acme.run(70_000, { user: "lena.vogt", workspace: "w1", run: "own-run" });
  await acme.grant(300, { expires_at: "2026-11-20T00:00:00.000Z" });
  await acme.project();
});
afterAll(() => site.stop());

async function checkLooks(page: Page, name: string): Promise<void> {
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme });
    expect(await axeViolations(page, theme === "dark" ? "colours" : "all"), name).toEqual([]);
    for (const width of WIDTHS) {
      // The theme changes no size.
      if (theme === "dark" && !process.env.FUELGAUGE_PICTURES) continue;
      await page.setViewportSize({ width, height: 900 });
      expect(await overflowingElements(page), `${name} at ${width}`).toEqual([]);
      await savePicture(page, `${name}-${theme}-${width}`);
    }
  }
}

const read = async (path: string) => (await site.sendOk("GET", `${acme.path}/${path}`)).body;

it("combines three filters, each of which can be removed, and shows the numbers of the API", async () => {
  const { page, context, browserErrors } = await site.signIn(acme);
  await page.locator("#filter-user-u1").click();
  await page.locator("#chip-user").waitFor();
  await page.locator("#filter-model-plain").click();
  await page.locator("#chip-model").waitFor();
  await page.locator("#filter-surface-web").click();
  await page.locator("#chip-surface").waitFor();
  expect(new URL(page.url()).search).toBe("?user=u1&model=plain&surface=web");
  const top = await read("usage/top/workspaces?user=u1&model=plain&surface=web&limit=100");
  const total = String(Math.round(top.total_micros / 1e6));
  await expect.poll(() => textOf(page, "#selection")).toContain(`${total} credits in this cycle`);
  await expect.poll(() => textOf(page, "#foot-workspace .total td:nth-child(3)")).toBe(total);
  await expect.poll(() => textOf(page, "#foot-model .total td:nth-child(3)")).toBe(total);
  await expect.poll(() => page.locator("#rows-workspace tr").count()).toBe(top.rows.length);
  await checkLooks(page, "three-filters");
  await page.setViewportSize({ width: 1280, height: 900 });
  await page.locator("#chip-model").click();
  await page.waitForURL("**/settings/usage?user=u1&surface=web");
  await page.locator("#run-own-run, #runs tbody tr").first().waitFor();
  expect(browserErrors).toEqual([]);
  await context.close();
});

describe("without script", () => {
  it("sorts, searches and downloads a table, and shows chosen dates", async () => {
    const { page, context } = await site.signIn(acme, "admin", { script: false });
    await clickAndLoad(page.locator("#sort-workspace-name"));
    await expect.poll(() => textOf(page, "#rows-workspace tr:nth-child(2) th")).toBe("Workspace 1");
    await expect.poll(() => page.locator("#top-workspace th[aria-sort] a").innerText()).toBe("Workspace");
    await page.locator("#find-workspace").fill("ace 13");
    await clickAndLoad(page.locator("#top-workspace").getByRole("button", { name: "Find" }));
    await expect.poll(() => page.locator("#rows-workspace tr").count()).toBe(1);
    await expect.poll(() => textOf(page, "#line-workspace")).toBe("1 workspace of 14 found CSV");
    await clickAndLoad(page.getByRole("link", { name: "Show all workspaces" }));
    const href = (await page.locator("#line-workspace a[download]").getAttribute("href")) ?? "";
    const cookie = await site.cookieFor(acme);
    const file = await site.send("GET", href, undefined, { headers: { Cookie: cookie } });
    const lines = file.text.trimEnd().split("\r\n");
    const top = await read("usage/top/workspaces?limit=100");
    expect(lines).toHaveLength(16);
    expect(lines[0]).toBe("workspace,name,requests,unit,amount,amount_micros");
    expect(lines.at(-1)).toBe(`total,,29,credits,${top.total_micros / 1e6},${top.total_micros}`);
    expect(file.headers.get("Content-Disposition")).toMatch(/filename="workspaces-e\d+-2026-11-01.csv"/);
    await page.goto("/settings/usage?from=2026-10-01&to=2026-10-31");
    const series = await read("usage/timeseries?from=2026-10-01&to=2026-10-31&granularity=day");
    const web = series.buckets.reduce((sum: number, bucket: { web_micros: number }) => sum + bucket.web_micros, 0);
    await expect.poll(() => textOf(page, "#sum-web")).toBe(String(Math.round(web / 1e6)));
    await expect.poll(() => page.locator("#chart-table tbody tr").count()).toBe(31);
    await context.close();
  });

  it("updates the cards of a past cycle when a filter is chosen with script", async () => {
    const { page, context } = await site.signIn(acme, "admin");
    await page.goto(`/settings/usage?cycle=${OCTOBER}`);
    await expect.poll(() => textOf(page, "#card-requests")).toBe("28 in the cycle");
    await page.locator("#filter-user-u1").click();
    await expect.poll(() => textOf(page, "#card-requests")).toBe("14 of this selection");
    expect(await textOf(page, "#card-used")).toContain("of this selection");
    await context.close();
  });

  it("shows a past cycle as a statement", async () => {
    const { page, context } = await site.signIn(acme, "admin", { script: false });
    await page.locator("#cycles summary").click();
    await clickAndLoad(page.getByRole("link", { name: "1–31 Oct 2026" }));
    expect(new URL(page.url()).searchParams.get("cycle")).toBe(OCTOBER);
    const top = await read(`usage/top/users?cycle=${OCTOBER}`);
    const used = String(Math.round(top.total_micros / 1e6));
    await expect.poll(() => textOf(page, ".headline")).toContain(`${used} credits used in this cycle`);
    await expect.poll(() => textOf(page, "#card-requests")).toBe("28 in the cycle");
    await expect.poll(() => textOf(page, "#card-busiest")).toContain("Tue 20 Oct");
    for (const table of ["workspace", "group", "user", "model"]) {
      expect(await textOf(page, `#foot-${table} .total td:nth-child(3)`), table).toBe(used);
    }
    await clickAndLoad(page.locator("#filter-user-u1"));
    const own = String(Math.round(top.rows.find(({ id }: { id: string }) => id === "u1").amount_micros / 1e6));
    expect(await textOf(page, "#foot-user .total td:nth-child(3)")).toBe(own);
    expect(await textOf(page, "#card-used")).toBe(`${own} of this selection`);
    expect(await textOf(page, "#card-requests")).toBe("14 of this selection");
    expect(await textOf(page, "#card-average")).toContain((Number(own) / 31).toFixed(0));
    expect(await textOf(page, "#card-busiest")).toContain("Tue 20 Oct");
    expect((await page.goto("/settings/usage?cycle=2026-10-02T00:00:00.000Z"))?.status()).toBe(404);
    await context.close();
  });
});

it("looks right in a past cycle, with the running total and with a list of tokens by kind", async () => {
  const path = `/settings/usage?cycle=${OCTOBER}`;
  const { page, context, browserErrors } = await site.signIn(acme, "admin", { path });
  await checkLooks(page, "past-cycle");
  await page.emulateMedia({ media: "print" });
  await savePicture(page, "statement");
  await page.emulateMedia({ media: "screen" });
  await page.goto("/settings/usage?view=total");
  await expect.poll(() => page.locator("#range-cycle").getAttribute("aria-current")).toBe("true");
  await page.locator("#kinds summary").click();
  await expect.poll(() => textOf(page, "#chart-marks")).toContain("Thu 12 Nov: grant of 300 credits");
  await expect.poll(() => textOf(page, "#chart .keys")).toContain("Previous cycle");
  await expect.poll(() => textOf(page, "#card-average")).toContain("% on the last cycle");
  const trend = { name: /^[\d.,]+ in the cycle before, [\d.,]+ in this one$/ };
  await expect.poll(() => page.locator("#row-model-plain").getByRole("img", trend).count()).toBe(1);
  await checkLooks(page, "models");
  expect(browserErrors).toEqual([]);
  await context.close();
});

it("shows a member who sees only their own nothing of others, and 404 for what others used", async () => {
  await acme.put({ members_see: "own" });
  const { page, context } = await site.signIn(acme, "member");
  await expect.poll(() => textOf(page, ".chips")).toBe("User Lena Vogt");
  await expect.poll(() => page.locator("#chip-user").count()).toBe(0);
  await expect.poll(() => textOf(page, "#foot-workspace .total td:nth-child(3)")).toBe("7.0");
  await expect.poll(() => page.locator("#rows-runs tr").count()).toBe(1);
  await expect.poll(() => page.locator("#grants").count()).toBe(0);
  expect((await page.goto("/settings/usage?user=u1"))?.status()).toBe(404);
  expect((await page.goto("/settings/usage/users.csv?user=u1"))?.status()).toBe(404);
  expect((await page.goto("/settings/usage/runs/own-run"))?.status()).toBe(200);
  expect((await page.goto("/settings/usage/runs/run-0001"))?.status()).toBe(404);
  await acme.put({ members_see: "all" });
  await context.close();
});

it("lists the dearest runs of the cycle, and the runs of a past cycle", async () => {
  const { page, context } = await site.signIn(acme, "admin", { script: false });
  await clickAndLoad(page.locator("#runs-amount"));
  const dearest = await read("runs?sort=amount&from=2026-11-01&to=2026-11-30&limit=10");
  expect(await page.locator("#rows-runs .run-id bdi").allInnerTexts()).toEqual(
    dearest.rows.map(({ run }: { run: string }) => run),
  );
  await page.goto(`/settings/usage?cycle=${OCTOBER}`);
  await expect.poll(() => page.locator("#rows-runs tr").count()).toBe(10);
  await expect.poll(() => page.locator("#rows-runs").innerText()).not.toContain("Nov");
  await context.close();
});

describe("when responses are slow", () => {
  const total = (page: Page) => textOf(page, "#foot-workspace .total td:nth-child(3)");

  it("does not mix parts of two selections after two quick clicks: the last click counts", async () => {
    const { page, context } = await site.signIn(acme);
    await page.route("**/settings/usage?view=total*", async (route) => {
      await new Promise((resolve) => setTimeout(resolve, 800));
      await route.continue().catch(() => {});
    });
    await page.locator("#view-total").click();
    await page.locator("#filter-user-u1").click();
    await page.waitForURL("**/settings/usage?user=u1");
    await page.waitForTimeout(1_000);
    expect(new URL(page.url()).search).toBe("?user=u1");
    await expect.poll(() => page.locator("#view-buckets").getAttribute("aria-current")).toBe("true");
    expect(await page.locator(".toast").count()).toBe(0);
    await context.close();
  });

  it("does not show a refresh that began before a filter was chosen", async () => {
    const { page, context } = await site.signIn(acme);
    await expect.poll(() => textOf(page, "#pill")).toBe("Live");
    let arrived = () => {};
    const refresh = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    let isFirst = true;
    await page.route("**/settings/usage?*part=*workspace*", async (route) => {
      const isHeld = isFirst && route.request().headers()["fuelgauge-refresh"] !== undefined;
      if (isHeld) {
        isFirst = false;
        arrived();
        await page.waitForURL("**/settings/usage?user=u1");
      }
      await route.continue().catch(() => {});
    });
    await acme.run(10_000, { user: "u2", workspace: "w1" });
    await refresh;
    await page.locator("#filter-user-u1").click();
    await page.locator("#chip-user").waitFor();
    const filtered = await total(page);
    await page.waitForTimeout(1_500);
    expect(await total(page)).toBe(filtered);
    await context.close();
  });
});

it("follows a turn of the cycle while a filtered page is open: the new cycle, and exact numbers of the ended one", async () => {
  const path = "/settings/usage?user=u1&surface=web";
  const { page, context, browserErrors } = await site.signIn(acme, "admin", { path });
  await expect.poll(() => textOf(page, "#pill")).toBe("Live");
  const before = await read("usage/top/workspaces?user=u1&surface=web&limit=100");
  const total = (micros: number) => String(Math.round(micros / 1e6));
  await expect.poll(() => textOf(page, "#foot-workspace .total td:nth-child(3)")).toBe(total(before.total_micros));
  await acme.moveTo("2026-12-01T00:30:00.000Z");
  await acme.run(1_500_000, { user: "u1", workspace: "w2", surface: "web", run: "after-the-turn" });
  await acme.run(900_000, { user: "u2", workspace: "w2", surface: "web" });
  await expect.poll(() => textOf(page, "#foot-workspace .total td:nth-child(3)")).toBe("150");
  await expect.poll(() => textOf(page, ".headline")).toContain("240 of");
  await expect.poll(() => textOf(page, "#selection")).toContain("150 credits in this cycle");
  await expect.poll(() => page.locator("#rows-workspace tr").count()).toBe(1);
  const after = await read("usage/top/workspaces?user=u1&surface=web");
  expect([after.total_micros, after.rows.length]).toEqual([150_000_000, 1]);
  await page.goto("/settings/usage?cycle=2026-11-01T00:00:00.000Z&user=u1&surface=web");
  await expect.poll(() => textOf(page, "#foot-workspace .total td:nth-child(3)")).toBe(total(before.total_micros));
  await expect.poll(() => page.locator("#rows-workspace tr").count()).toBe(Math.min(10, before.rows.length));
  expect(browserErrors).toEqual([]);
  await context.close();
});
