/**
 * What JavaScript adds to the usage page: parts change in place, focus stays, the chart can be explored, nothing shifts.
 * Long because starting a Worker for another file takes longer than these tests.
 */
import { brotliCompressSync } from "node:zlib";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { newLargeEnterprise } from "./large-enterprise.ts";
import { type Enterprise, NARROW, type Site, startSite, textOf } from "./site.ts";

let site: Site;
let acme: Enterprise;

beforeAll(async () => {
  site = await startSite();
  acme = await newLargeEnterprise(site);
});
afterAll(() => site.stop());

/** Opens the dashboard, runs the test, and fails on any browser error. */
async function onPage(visit: (page: Page) => Promise<void>, enterprise = acme, view = {}): Promise<void> {
  const { page, context, browserErrors } = await site.signIn(enterprise, "admin", view);
  // The chart is drawn when it scrolls near the screen.
  await page.locator("#chart").scrollIntoViewIfNeeded();
  await page.locator(".plot canvas").waitFor();
  await page.evaluate(() => Object.assign(window, { sameDocument: true }));
  await visit(page);
  expect(browserErrors).toEqual([]);
  await context.close();
}

const sameDocument = (page: Page) => page.evaluate(() => "sameDocument" in window);
const focused = (page: Page) => page.evaluate(() => document.activeElement?.id ?? "");

describe("without loading a new page", () => {
  it("changes the range of the chart and the URL, and goes back", async () => {
    await onPage(async (page) => {
      await page.getByRole("link", { name: "24 hours" }).click();
      await page.waitForURL("**/settings/usage?range=24h");
      await page.locator("#range-24h[aria-current]").waitFor();
      await expect.poll(() => textOf(page, "#chart-summary")).toContain("In the last 24 hours");
      await expect.poll(() => focused(page)).toBe("range-24h");
      expect(await sameDocument(page)).toBe(true);
      await page.getByRole("link", { name: "Running total" }).click();
      await page.locator("#view-total[aria-current]").waitFor();
      await expect.poll(() => textOf(page, "#chart-summary")).toContain("used in this cycle so far");
      await page.goBack();
      await page.locator("#range-24h[aria-current]").waitFor();
      await page.locator(".plot canvas").waitFor();
      await page.goBack();
      await page.locator("#range-7d[aria-current]").waitFor();
      expect(page.url()).toBe(`${site.base}/settings/usage`);
    });
  });

  it("shows the state of the URL after going back twice at once", async () => {
    await onPage(async (page) => {
      for (const range of ["24h", "30d", "7d"]) {
        await page.locator(`#range-${range}`).click();
        await page.locator(`#range-${range}[aria-current]`).waitFor();
      }
      await page.evaluate(() => {
        history.back();
        setTimeout(() => history.back(), 30);
      });
      await expect
        .poll(async () => {
          const shown = await page.locator(".toggle [aria-current]").first().getAttribute("id");
          return `${shown} at ${new URL(page.url()).search}`;
        })
        .toMatch(/^(range-24h at \?range=24h|range-30d at \?range=30d)$/);
    });
  });

  it("keeps the range of the chart when a filter is chosen, and filters the export", async () => {
    await onPage(async (page) => {
      await page.locator("#range-30d").click();
      await page.locator("#range-30d[aria-current]").waitFor();
      await page.locator("#filter-user-u00").click();
      await page.locator(".selection").waitFor();
      expect(Object.fromEntries(new URL(page.url()).searchParams)).toEqual({ range: "30d", user: "u00" });
      await expect.poll(() => textOf(page, "#chart-summary")).toContain("In the last 30 days");
      await expect.poll(() => page.locator("#exports a").first().getAttribute("href")).toMatch(/runs\.csv\?user=u00$/);
    });
  });

  it("says when a part could not be loaded, and keeps the URL of what is shown", async () => {
    const { page, context } = await site.signIn(acme);
    await page.route("**/settings/usage?*part=*", (route) => route.fulfill({ status: 503, body: "busy" }));
    await page.locator("#range-24h").click();
    await page.locator(".toast").waitFor();
    await expect.poll(() => textOf(page, ".toast")).toBe("This could not be loaded. Try again in a moment.");
    expect(page.url()).toBe(`${site.base}/settings/usage`);
    await page.unroute("**/settings/usage?*part=*");
    await page.locator("#range-24h").click();
    await page.locator("#range-24h[aria-current]").waitFor();
    expect(page.url()).toBe(`${site.base}/settings/usage?range=24h`);
    await context.close();
  });

  it("adds a page of a table, keeps the focus on the link, and announces the new rows", async () => {
    await onPage(async (page) => {
      const rows = page.locator("#rows-workspace tr");
      expect(await rows.count()).toBe(10);
      await page.locator("#more-workspace").focus();
      await page.keyboard.press("Enter");
      await expect.poll(() => rows.count()).toBe(20);
      await expect.poll(() => focused(page)).toBe("more-workspace");
      await expect.poll(() => textOf(page, "#line-workspace")).toBe("20 of 23 shown Show more CSV");
      await expect.poll(() => textOf(page, "#foot-workspace tr:first-child th")).toBe("3 others");
      const requests = await page.locator("#top-workspace :is(tbody, tfoot) td:nth-child(2)").allInnerTexts();
      const [total = 0, ...rows20AndOthers] = requests.map((text) => Number(text.replaceAll(",", ""))).reverse();
      expect(rows20AndOthers).toHaveLength(21);
      expect(rows20AndOthers.reduce((sum, count) => sum + count)).toBe(total);
      await expect.poll(() => textOf(page, "#status-region")).toBe("10 more workspaces shown.");
      await page.keyboard.press("Enter");
      await expect.poll(() => rows.count()).toBe(23);
      await expect.poll(() => textOf(page, "#line-workspace")).toBe("All 23 shown Show the first 10 CSV");
      await expect.poll(() => focused(page)).toBe("more-workspace");
      const ids = await rows.evaluateAll((list) => list.map(({ id }) => id));
      expect(new Set(ids).size).toBe(23);
      await page.keyboard.press("Enter");
      await expect.poll(() => rows.count()).toBe(10);
      await expect.poll(() => focused(page)).toBe("more-workspace");
      expect(await sameDocument(page)).toBe(true);
    });
  });

  it("loads one page for a double click", async () => {
    await onPage(async (page) => {
      await page.locator("#more-runs").dblclick();
      await expect.poll(() => page.locator("#rows-runs tr").count()).toBe(20);
      await page.waitForLoadState("networkidle");
      await expect.poll(() => page.locator("#rows-runs tr").count()).toBe(20);
    });
  });

  it("filters all numbers by a workspace, and shows all again", async () => {
    await onPage(async (page) => {
      await page.getByRole("link", { name: "Workspace 00" }).first().click();
      await page.waitForURL("**/settings/usage?workspace=w00");
      await page.locator("#filter-workspace-w00[aria-current]").waitFor();
      await expect.poll(() => focused(page)).toBe("filter-workspace-w00");
      const selected = await textOf(page, "#row-workspace-w00 td:nth-child(3)");
      expect(await textOf(page, ".selection")).toContain(
        `Workspace Workspace 00 , remove this filter × Show all ${selected} credits in this cycle`,
      );
      await expect.poll(() => textOf(page, "#foot-user .total td:nth-child(3)")).toBe(selected);
      await expect.poll(() => textOf(page, "#sum-web")).toBe(selected);
      const where = await page.locator("#rows-runs .run-workspace").allInnerTexts();
      expect(new Set(where)).toEqual(new Set(["Workspace 00"]));
      await page.getByRole("link", { name: "Show all" }).click();
      await page.waitForURL("**/settings/usage");
      await expect.poll(() => page.locator(".chips").count()).toBe(0);
      expect(await sameDocument(page)).toBe(true);
    });
  });

  it("previews how long a cap lasts while it is typed", async () => {
    const globex = await site.newEnterprise({ billing_model: "byom", monthly_allowance_micros: null });
    await globex.run(200_000_000);
    await onPage(async (page) => {
      await page.goto("/settings/model");
      await page.evaluate(() => Object.assign(window, { sameDocument: true }));
      await page.getByLabel("Stop new runs at").check();
      await page.getByLabel("Cap in dollars a month").fill("150");
      await expect.poll(() => textOf(page, "#preview")).toContain("$200.00 is already spent");
      await page.getByLabel("Cap in dollars a month").fill("400.00");
      await expect.poll(() => textOf(page, "#preview")).toContain("$400.00 lasts beyond the reset");
      await page.getByLabel("Cap in dollars a month").fill("4e2");
      await expect.poll(() => textOf(page, "#preview")).toContain("Enter an amount in dollars");
      await page.getByLabel("Cap in dollars a month").fill("0.50");
      await expect.poll(() => textOf(page, "#preview")).toContain("must be between $1.00 and $1,000,000.00");
      await page.getByLabel("No cap").check();
      await expect.poll(() => textOf(page, "#preview")).toContain("spending has no limit");
      await expect.poll(() => page.getByLabel("Cap in dollars a month").inputValue()).toBe("");
      await page.getByLabel("Cap in dollars a month").fill("600");
      await expect.poll(() => page.getByLabel("Stop new runs at").isChecked()).toBe(true);
      expect(await sameDocument(page)).toBe(true);
    }, globex);
  });

  it("follows a debit, and keeps the focus and open details", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    await enterprise.project();
    await onPage(async (page) => {
      await expect.poll(() => textOf(page, ".headline")).toContain("100 of 1,500");
      await page.locator("#explanation summary").click();
      await page.locator("#view-total").focus();
      await enterprise.run(50 * 10_000);
      await expect.poll(() => textOf(page, ".headline")).toContain("150 of 1,500");
      await expect.poll(() => focused(page)).toBe("view-total");
      await expect.poll(() => page.locator("#explanation").getAttribute("open")).not.toBeNull();
      await expect.poll(() => textOf(page, "#explanation")).toContain("minus refunds: 150.0 credits.");
      await expect.poll(() => page.locator(".plot canvas").count()).toBe(1);
    }, enterprise);
  });
});

describe("the chart", () => {
  it("can be explored with the keyboard, which announces each bucket", async () => {
    await onPage(async (page) => {
      const scrubber = page.getByRole("slider", { name: "Walk through the chart" });
      await scrubber.focus();
      const last = await scrubber.getAttribute("aria-valuetext");
      expect(last).toMatch(/^Mon 23 Nov \(so far\): Web [\d.,]+, CLI [\d.,]+, Total [\d.,]+$/);
      await page.keyboard.press("ArrowLeft");
      await expect.poll(() => scrubber.getAttribute("aria-valuetext")).toMatch(/^Sun 22 Nov: Web/);
      await expect.poll(() => textOf(page, ".tip")).toContain("Sun 22 Nov");
      const [plot, slider] = await Promise.all([page.locator(".plot .u-wrap").boundingBox(), scrubber.boundingBox()]);
      // It covers neither the points nor the labels below them.
      expect(slider?.y).toBeGreaterThanOrEqual((plot?.y ?? 0) + (plot?.height ?? Number.POSITIVE_INFINITY) - 0.5);
      await page.keyboard.press("Tab");
      await expect.poll(() => page.locator(".tip").isVisible()).toBe(false);
    });
  });

  it("keeps the focus and the selected bucket when a debit redraws it", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(100 * 10_000);
    await enterprise.project();
    await onPage(async (page) => {
      const scrubber = page.getByRole("slider", { name: "Walk through the chart" });
      await scrubber.focus();
      await page.keyboard.press("ArrowLeft");
      await enterprise.run(50 * 10_000);
      await expect.poll(() => textOf(page, "#sum-web")).toBe("150");
      await expect.poll(() => page.locator(".plot .u-wrap").count()).toBe(1);
      expect(await scrubber.evaluate((input) => input === document.activeElement)).toBe(true);
      await expect.poll(() => scrubber.getAttribute("aria-valuetext")).toMatch(/^Thu 19 Nov: Web/);
      await expect.poll(() => textOf(page, ".tip")).toContain("Thu 19 Nov");
    }, enterprise);
  });

  it("shows the bucket under the pointer with the numbers of the table", async () => {
    await onPage(async (page) => {
      const box = await page.locator(".u-over").boundingBox();
      if (box === null) throw new Error("the chart has no plot");
      await page.mouse.move(box.x + box.width - 20, box.y + 40);
      const tip = await textOf(page, ".tip");
      const cursorX = async () => (await page.locator(".u-cursor-x").boundingBox())?.x;
      const onPoint = await cursorX();
      await page.mouse.move(box.x + box.width - 45, box.y + 60);
      await expect.poll(() => cursorX()).toBe(onPoint);
      await page.locator("#chart-table summary").click();
      const row = await textOf(page, "#chart-table tbody tr:last-child");
      const [web, cli, total] = row.split(" ").slice(-3);
      expect(tip).toBe(`Mon 23 Nov (so far) Web ${web} CLI ${cli} Total ${total} UTC`);
    });
  });

  it("follows the theme and the width", async () => {
    await onPage(async (page) => {
      const drawn = () => page.locator(".plot canvas").evaluate((canvas) => (canvas as HTMLCanvasElement).toDataURL());
      const light = await drawn();
      await page.emulateMedia({ colorScheme: "dark" });
      await expect.poll(drawn).not.toBe(light);
      await page.setViewportSize(NARROW);
      await expect.poll(async () => (await page.locator(".plot canvas").boundingBox())?.width ?? 999).toBeLessThan(330);
    });
  });

  it("stays the server's drawing while its script cannot be loaded, and loads it with the next change", async () => {
    const { page, context } = await site.signIn(acme);
    await page.route("**/assets/chart-*", (route) => route.abort());
    await page.reload();
    await page.waitForLoadState("networkidle");
    await expect.poll(() => page.locator(".sketch").isVisible()).toBe(true);
    await expect.poll(() => page.locator(".plot canvas").count()).toBe(0);
    await page.unroute("**/assets/chart-*");
    await page.locator("#range-24h").click();
    await page.locator(".plot canvas").waitFor();
    await expect.poll(() => page.locator(".sketch").isVisible()).toBe(false);
    await context.close();
  });
});

describe("by keyboard", () => {
  it("skips to the content, and opens and closes the export menu", async () => {
    await onPage(async (page) => {
      await page.keyboard.press("Tab");
      expect(await page.evaluate(() => document.activeElement?.textContent?.trim())).toBe("Skip to content");
      await page.keyboard.press("Enter");
      await expect.poll(() => focused(page)).toBe("content");
      await page.keyboard.press("Tab");
      await page.keyboard.press("Enter");
      await expect.poll(() => page.getByRole("link", { name: "The balance (JSON)" }).isVisible()).toBe(true);
      await page.keyboard.press("Escape");
      await expect.poll(() => page.getByRole("link", { name: "The balance (JSON)" }).isVisible()).toBe(false);
      expect(await page.evaluate(() => document.activeElement?.textContent?.trim())).toBe("Export");
    });
  });

  it("shows a visible focus ring, and no link or button is smaller than 24 pixels", async () => {
    await onPage(async (page) => {
      const tooSmall = await page.evaluate(() => {
        const all = [...document.querySelectorAll<HTMLElement>("a[href], button, summary")];
        return all.flatMap((element) => {
          const { width, height } = element.getBoundingClientRect();
          // Links in text and table cells may be as high as their line.
          const inText = element.closest("p:not(.more), td, th, dd, li") !== null && !element.matches(".button");
          const small = width > 0 && (height < 24 || width < 24) && !inText && element.className !== "skip";
          return small ? [`${element.textContent?.trim()} ${width}×${height}`] : [];
        });
      });
      expect(tooSmall).toEqual([]);
      await page.locator("#range-30d").focus();
      await page.keyboard.press("Shift+Tab");
      const ring = await page.evaluate(() => getComputedStyle(document.activeElement as Element).outlineWidth);
      expect(ring).toBe("2px");
    });
  });
});

it("does not shift its layout while it loads, at both widths", async () => {
  for (const size of [undefined, NARROW]) {
    await onPage(
      async (page) => {
        const shift = await page.evaluate(
          () =>
            new Promise<number>((done) => {
              let sum = 0;
              new PerformanceObserver((list) => {
                for (const entry of list.getEntries()) sum += (entry as PerformanceEntry & { value: number }).value;
              }).observe({ type: "layout-shift", buffered: true });
              setTimeout(() => done(sum), 100);
            }),
        );
        expect(shift).toBeLessThanOrEqual(0.02);
      },
      acme,
      size === undefined ? {} : { size },
    );
  }
});

it("prints the server's drawing of the chart and no controls", async () => {
  await onPage(async (page) => {
    await page.emulateMedia({ media: "print" });
    for (const screenOnly of [".top", ".menu", ".toggle", ".plot", "#more-runs", ".actions", "#chart-table"]) {
      expect(await page.locator(screenOnly).first().isVisible(), screenOnly).toBe(false);
    }
    await expect.poll(() => page.locator(".sketch").isVisible()).toBe(true);
    await expect.poll(() => page.locator(".sketch .points.web.hollow").getAttribute("d")).toMatch(/^M[\d.]+ [\d.]+h0$/);
    await expect.poll(() => page.locator("#top-user").isVisible()).toBe(true);
    await expect.poll(() => textOf(page, ".on-paper")).toBe("Acme Robotics, as of Mon 23 Nov 2026, 12:00");
    // Paper is narrower than a screen but must keep all columns.
    await page.setViewportSize({ width: 718, height: 1000 });
    await expect.poll(() => page.locator(".runs thead").isVisible()).toBe(true);
    const tops = await page
      .locator("#cards .card")
      .evaluateAll((all) => all.map((card) => card.getBoundingClientRect().top));
    expect(new Set(tops).size).toBe(1);
  });
});

it("stays within its size limit of 18 KB", async () => {
  const headers = { Cookie: await site.cookieFor(acme), Accept: "text/html" };
  const { text } = await site.send("GET", "/settings/usage", undefined, { headers });
  expect(brotliCompressSync(text).length).toBeLessThanOrEqual(18_000);
});
