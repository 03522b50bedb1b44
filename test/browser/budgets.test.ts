/**
 * The budgets of an enterprise on its own page and on the operator's: admins set, change and remove them, also without
 * JavaScript; both pages fit every width in both themes.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { axeViolations, faultsOf } from "./looks.ts";
import { clickAndLoad, type Enterprise, NARROW, type Site, startSite, textOf, WIDE } from "./site.ts";

const PATH = "/settings/budgets";
const CREDIT = 1_000_000;

let site: Site;

beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site.stop());

const press = (page: Page, name: string) => clickAndLoad(page.getByRole("button", { name, exact: true }));
const follow = (page: Page, name: string) => clickAndLoad(page.getByRole("link", { name, exact: true }));
const rowsOf = async ({ path }: Enterprise) => (await site.sendOk("GET", `${path}/budgets`)).body.rows;

async function set(page: Page, fields: { id?: string; period?: string; kind?: string; limit?: string }) {
  if (fields.id !== undefined) await page.getByLabel("Id of the").fill(fields.id);
  if (fields.period !== undefined) await page.getByLabel("Period").selectOption(fields.period);
  if (fields.kind !== undefined) await page.getByLabel("At the limit").selectOption(fields.kind);
  if (fields.limit !== undefined) await page.getByLabel("Limit in").fill(fields.limit);
  await press(page, "Save");
}

it.each([
  ["with", true],
  ["without", false],
])("lets an admin set, change, exempt and remove budgets, %s JavaScript", async (_, script) => {
  const acme = await site.newEnterprise();
  await site.sendOk("PUT", `${acme.path}/directory`, { users: [{ id: "ada", name: "Ada Lovelace" }] });
  // The list of changes reads names from the copy.
  await acme.project();
  const { page, context } = await site.signIn(acme, "admin", { script });
  await follow(page, "Budgets");
  expect(await textOf(page, "main")).toContain("No budget is set");

  await set(page, { id: "*", period: "day", kind: "block", limit: "50" });
  expect(await textOf(page, "#notice")).toBe("Saved. It applies to the next request.");
  await set(page, { id: "ada", period: "day", kind: "block", limit: "much" });
  expect(await textOf(page, "#e-limit")).toContain("Enter an amount");
  expect(await page.getByLabel("Id of the").inputValue()).toBe("ada");
  await set(page, { limit: "1,200.50" });
  expect(await textOf(page, ".budgets tbody tr:first-child")).toContain("Default for every user");
  expect(await textOf(page, ".budgets tbody tr:nth-child(2)")).toContain("Ada Lovelace");

  await follow(page, "Change the budget of user Ada Lovelace, a day");
  expect(await page.getByLabel("Limit in").inputValue()).toBe("1,200.5");
  await set(page, { kind: "exempt", limit: "" });
  expect(await textOf(page, ".budgets tbody tr:nth-child(2)")).toContain("exempt from the default");
  expect(await rowsOf(acme)).toMatchObject([
    { id: "*", limit_micros: 50 * CREDIT, action: "block" },
    { id: "ada", limit_micros: null },
  ]);

  await follow(page, "Remove the budget of every user, a day");
  expect(await textOf(page, "main")).toContain("Remove this budget?");
  await press(page, "Remove");
  expect((await rowsOf(acme)).map(({ id }: { id: string }) => id)).toEqual(["ada"]);
  expect(await textOf(page, "main")).toContain("user Ada Lovelace, a day");

  await follow(page, "Groups");
  await set(page, { id: "none", period: "cycle", kind: "warn", limit: "3" });
  expect(await textOf(page, ".budgets")).toContain("only alerts");
  await context.close();
});

it("shows a member what counts for them, and lets them change nothing", async () => {
  const acme = await site.newEnterprise();
  await site.sendOk("PUT", `${acme.path}/budgets/user/*/day`, { limit_micros: 50 * CREDIT });
  const { page, context } = await site.signIn(acme, "member", { path: PATH });
  expect(await textOf(page, "main")).toMatch(/Your budget today: .* of 50\.0 credits/);
  expect(await page.locator("main button, main form, main .acts").count()).toBe(0);
  expect(await axeViolations(page)).toEqual([]);
  await context.close();
});

/** The tables that are wider than the card they are in. */
function tablesBeyondCards(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const tables = [...document.querySelectorAll("main .card > table")];
    const right = (element: Element | null) => element?.getBoundingClientRect().right ?? 0;
    return tables.filter((table) => right(table) > right(table.parentElement)).map(({ className }) => className);
  });
}

it("fits every width in both themes, and is accessible, for admins and for the operator", async () => {
  const acme = await site.newEnterprise({ name: "Acme Robotics" });
  const put = (key: string, body: Record<string, unknown>) => site.sendOk("PUT", `${acme.path}/budgets/${key}`, body);
  await site.sendOk("PUT", `${acme.path}/directory`, {
    users: [
      { id: "ada", name: "Ada Lovelace" },
      { id: "u-long", name: "Wolfeschlegelsteinhausenbergerdorff-Featherstonehaugh the Younger" },
    ],
  });
  await acme.project();
  await put("user/*/day", { limit_micros: 50 * CREDIT });
  await put("user/ada/day", { limit_micros: 12 * CREDIT });
  await put("user/ada/cycle", { limit_micros: 9_007_199_254_740_991, action: "warn" });
  await put("user/u-long/day", { limit_micros: null });
  await put(`user/${"x".repeat(128)}/cycle`, { limit_micros: 0 });
  const { as_of: started_at } = (await site.sendOk("GET", `${acme.path}/gauge`)).body;
  const run = { run: "r1", surface: "cli", workspace: "w", user: "ada", started_at };
  await site.sendOk("POST", `${acme.path}/debits`, {
    ...run,
    model: "plain",
    usage: { input_tokens: 125_000, output_tokens: 0 },
  });
  await site.sendOk("POST", `${acme.path}/runs`, { ...run, run: "r2", user: "bob", hold_micros: CREDIT });
  const sizes = [NARROW, { width: 320, height: 700 }, { width: 768, height: 900 }, WIDE];
  const check = async (page: Page, name: string) => {
    expect(await faultsOf(page, name, sizes), name).toEqual([]);
    for (const size of sizes) {
      await page.setViewportSize(size);
      expect(await tablesBeyondCards(page), `${name} ${size.width}`).toEqual([]);
      // A long text may be wider than its element.
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(size.width);
    }
  };
  const admin = await site.signIn(acme, "admin", { path: PATH });
  expect(await textOf(admin.page, "main")).toContain("New runs are refused for user Ada Lovelace");
  await check(admin.page, "budgets");
  await admin.page.goto(`${PATH}/remove?of=user&id=ada&period=day`);
  expect(await faultsOf(admin.page, "budgets-remove", [WIDE])).toEqual([]);
  const operator = await site.signInAsOperator({ path: `/operator/enterprises/${acme.id}/budgets` });
  await check(operator.page, "operator-budgets");
  for (const { browserErrors, context } of [admin, operator]) {
    expect(browserErrors).toEqual([]);
    await context.close();
  }
});
