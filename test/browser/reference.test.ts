/** The page of the interface: everything of the document is on it and can be linked to, and nothing bars anyone. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { complaintsOf, faultsOf, NARROW, picture, type Site, startSite, WIDE, widerThanScreen } from "./site.ts";

let site: Site;
let page: Page;
let complaints: string[];

beforeAll(async () => {
  site = await startSite();
  const context = await site.newContext({ script: true });
  page = await context.newPage();
  complaints = complaintsOf(page);
  await page.goto("/docs");
});
afterAll(() => site.stop());

it("is one link away for a stranger", async () => {
  const { text } = await site.send("GET", "/", undefined, { headers: { Cookie: "none=", Accept: "text/html" } });
  expect(text).toContain('href="/docs"');
});

it("has a place of its own for every operation, schema and code of the document", async () => {
  const { body } = await site.send("GET", "/openapi.json");
  const operations = Object.values(body.paths).flatMap((methods) => Object.values(methods as object));
  const wanted = [
    ...operations.map(({ operationId }) => operationId),
    ...Object.keys(body.components.schemas).map((name) => `schema-${name}`),
    ...Object.keys(body["x-problem-codes"]).map((code) => `code-${code}`),
  ];
  const ids = await page.locator("[id]").evaluateAll((elements) => elements.map(({ id }) => id));
  expect(wanted.filter((id) => !ids.includes(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
  const links = await page.locator('a[href^="#"]').evaluateAll((all) => all.map((a) => a.getAttribute("href")));
  expect(links.length).toBeGreaterThan(wanted.length);
  expect(links.filter((href) => !ids.includes(href?.slice(1) ?? ""))).toEqual([]);
});

it("shows of an operation who may, a command, the fields and the codes", async () => {
  const debits = page.locator("#reportDebits");
  for (const text of [
    "POST /v1/enterprises/{e}/debits",
    "a key with scope debit; the operator key",
    'curl -sX POST $URL/v1/enterprises/acme/debits -H "Authorization: Bearer $KEY"',
    "run_too_old",
  ]) {
    expect(await debits.innerText()).toContain(text);
  }
  expect(await page.locator("#schema-Report").innerText()).toMatch(/input_tokens integer, 0 … 1000000000000/);
});

it("fits both widths and bars nobody, in either theme", async () => {
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme });
    expect(await faultsOf(page)).toEqual([]);
    for (const [size, width] of [
      [WIDE, 1280],
      [NARROW, 375],
    ] as const) {
      await page.setViewportSize(size);
      expect(await widerThanScreen(page)).toEqual([]);
      await picture(page, `interface-${theme}-${width}`, false);
    }
  }
  expect(complaints).toEqual([]);
});
