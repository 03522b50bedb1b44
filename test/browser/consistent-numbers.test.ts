/** Over random histories, the bar, cards, tables, chart, runs and CSV show the numbers of the gauge. Also hostile names. */
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { formatAmount, formatCount, formatPercent, formatRunAmount } from "../../src/pages/kit/format.ts";
import { collectBrowserErrors, type Enterprise, type Site, savePicture, startSite, textOf } from "./site.ts";

const SEED = Number(process.env.FUELGAUGE_SEED ?? 20261123);
const HISTORIES = 4;

let site: Site;

beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site.stop());

const step = fc.record({
  tokens: fc.oneof(fc.integer({ min: 1, max: 5_000 }), fc.integer({ min: 10_000, max: 3_000_000 })),
  web: fc.boolean(),
  workspace: fc.integer({ min: 0, max: 12 }),
  user: fc.integer({ min: 0, max: 3 }),
  hours: fc.integer({ min: 0, max: 5 }),
});
const history = fc.record({
  steps: fc.array(step, { minLength: 1, maxLength: 25 }),
  byom: fc.boolean(),
  limit: fc.integer({ min: 1, max: 3_000 }),
  bonus: fc.integer({ min: 0, max: 400 }),
});

type History = typeof history extends fc.Arbitrary<infer T> ? T : never;

async function play({ steps, byom, limit, bonus }: History): Promise<Enterprise> {
  let atMs = Date.parse("2026-11-17T01:00:00.000Z");
  const enterprise = await site.newEnterprise({
    billing_model: byom ? "byom" : "credits",
    monthly_allowance_micros: limit * 1_000_000,
    test_clock: new Date(atMs).toISOString(),
  });
  if (byom) await enterprise.cap(limit * 1_000_000);
  else if (bonus > 0) await enterprise.grant(bonus);
  for (const { tokens, web, workspace, user, hours } of steps) {
    atMs += hours * 3_600_000;
    await enterprise.moveTo(new Date(atMs).toISOString());
    await enterprise.run(tokens, { surface: web ? "web" : "cli", workspace: `w${workspace}`, user: `u${user}` });
  }
  await enterprise.project();
  return enterprise;
}

it("shows the gauge's numbers in every place", async () => {
  for (const drawn of fc.sample(history, { seed: SEED, numRuns: HISTORIES })) {
    const enterprise = await play(drawn);
    const gauge = await enterprise.gauge();
    const { unit, used_micros: used } = gauge;
    const { page, context } = await site.signIn(enterprise, "admin", { script: false });
    const input = `seed ${SEED}: ${JSON.stringify(drawn)}`;

    expect(await textOf(page, ".big"), input).toBe(formatAmount(used, unit));
    expect(await textOf(page, ".percent"), input).toBe(formatPercent(used, gauge.total_micros));
    expect(await textOf(page, "#card-average strong"), input).toBe(formatAmount(gauge.avg_per_day_micros, unit));
    for (const dimension of ["workspace", "group", "user"]) {
      const total = await page.locator(`#foot-${dimension} .total td`).allInnerTexts();
      expect(total, input).toEqual([formatCount(drawn.steps.length), formatAmount(used, unit), "100.0 %"]);
    }

    const { body: week } = await site.sendOk("GET", `${enterprise.path}/usage/timeseries?range=7d`);
    const sum = (key: string) => week.buckets.reduce((total: number, bucket: never) => total + bucket[key], 0);
    expect(sum("web_micros") + sum("cli_micros"), input).toBe(used);
    expect(await textOf(page, "#sum-web"), input).toBe(formatAmount(sum("web_micros"), unit));
    expect(await textOf(page, "#sum-cli"), input).toBe(formatAmount(sum("cli_micros"), unit));
    await page.goto("/settings/usage?view=total");
    expect(await textOf(page, "#chart-summary"), input).toContain(formatAmount(used, unit));

    const csv = (await site.sendOk("GET", `${enterprise.path}/runs.csv`)).text.trim().split("\r\n");
    const column = (csv[0] ?? "").split(",").indexOf("cycle_micros");
    const micros = csv.slice(1).map((line) => Number(line.split(",")[column]));
    expect(
      micros.reduce((total, part) => total + part, 0),
      input,
    ).toBe(used);

    const first = await page.locator("#rows-runs tr").first().locator(".num").innerText();
    const { body: runs } = await site.sendOk("GET", `${enterprise.path}/runs?limit=1`);
    expect(first, input).toBe(formatRunAmount(runs.rows[0].charged_micros, unit));
    await context.close();
  }
});

describe("hostile names", () => {
  const HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror="alert(1)">',
    "\u202Egnp.exe\u202C",
    "=cmd|' /C calc'!A0",
    "{{7*7}}[[alert(1)]]",
    "a".repeat(190),
  ];

  it("are shown as text on every page, and do not reverse the text around them", async () => {
    const enterprise = await site.newEnterprise({ name: HOSTILE[0], test_clock: "2026-11-20T12:00:00.000Z" });
    await enterprise.directory({
      workspaces: HOSTILE.map((name, i) => ({ id: `w${i}`, name, group_id: `g${i}` })),
      groups: HOSTILE.map((name, i) => ({ id: `g${i}`, name })),
      users: HOSTILE.map((name, i) => ({ id: `u${i}`, name })),
    });
    for (const note of HOSTILE) await enterprise.grant(10, { note });
    for (const i of HOSTILE.keys())
      await enterprise.run(10_000, { run: `-run/${i}`, workspace: `w${i}`, user: `u${i}` });
    await enterprise.project();
    const { page, context } = await site.signIn(enterprise);
    const browserErrors = collectBrowserErrors(page);
    const dialogs: string[] = [];
    page.on("dialog", (dialog) => {
      dialogs.push(dialog.message());
      return dialog.dismiss();
    });
    for (const path of [
      "/settings/usage",
      "/settings/usage?workspace=w0",
      "/settings/usage?user=u1&view=total",
      "/settings/model",
      `/settings/usage/runs/${encodeURIComponent("-run/1")}`,
      "/settings/usage/runs/%3Cscript%3Ealert(1)%3C%2Fscript%3E",
      "/settings/model?q=%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(1)%3E",
      "/signin?token=%22%3E%3Cscript%3Ealert(1)%3C/script%3E",
    ]) {
      await page.goto(path);
      expect(await page.locator("main script, main img, bdi *").count(), path).toBe(0);
    }
    await page.goto("/settings/usage");
    await page.locator(".plot canvas").waitFor();
    const shown = await page.locator("#top-workspace tbody bdi").allInnerTexts();
    expect(new Set(shown)).toEqual(new Set(HOSTILE));
    await savePicture(page, "hostile");
    await page.setViewportSize({ width: 375, height: 800 });
    // The chart resizes with a delay.
    await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBe(375);
    expect(dialogs).toEqual([]);
    expect(browserErrors.filter((text) => !/404|410/.test(text))).toEqual([]);
    await context.close();
  });

  it("do not become formulas in the CSV", async () => {
    const enterprise = await site.newEnterprise();
    await enterprise.run(50, { run: "@SUM", workspace: "-2/3", user: "@cmd" });
    await enterprise.project();
    const { text } = await site.sendOk("GET", `${enterprise.path}/runs.csv`);
    expect(text).toContain("'@SUM,web,'-2/3,'-2/3,none,none,'@cmd,'@cmd,");
    expect(text).not.toMatch(/(^|,)[=+@-][^,]/m);
  });
});
