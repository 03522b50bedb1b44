/**
 * What developers read: the reference page, which must show the whole OpenAPI document and be accessible, and the example
 * of docs/embed.md, which must work as it is written.
 */
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { Page } from "playwright-core";
import { Webhook } from "standardwebhooks";
import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { axeViolations, overflowingElements } from "./looks.ts";
import { collectBrowserErrors, NARROW, type Site, savePicture, startSite, WIDE } from "./site.ts";

let site: Site;
let page: Page;
let browserErrors: string[];

beforeAll(async () => {
  site = await startSite();
  const context = await site.newContext({ script: true });
  page = await context.newPage();
  browserErrors = collectBrowserErrors(page);
  await page.goto("/docs");
});
afterAll(() => site.stop());

it("is linked from the start page", async () => {
  const { text } = await site.send("GET", "/", undefined, { headers: { Cookie: "none=", Accept: "text/html" } });
  expect(text).toContain('href="/docs"');
});

it("has an anchor for every operation, message, schema and code of the document", async () => {
  const { body } = await site.send("GET", "/openapi.json");
  const operations = Object.values(body.paths).flatMap((methods) => Object.values(methods as object));
  const expected = [
    ...operations.map(({ operationId }) => operationId),
    ...Object.keys(body.webhooks).map((type) => `webhook.${type}`),
    ...Object.keys(body.components.schemas).map((name) => `schema-${name}`),
    ...Object.keys(body["x-problem-codes"]).map((code) => `code-${code}`),
  ];
  const ids = await page.locator("[id]").evaluateAll((elements) => elements.map(({ id }) => id));
  expect(expected.filter((id) => !ids.includes(id))).toEqual([]);
  expect(new Set(ids).size).toBe(ids.length);
  const links = await page.locator('a[href^="#"]').evaluateAll((all) => all.map((a) => a.getAttribute("href")));
  expect(links.length).toBeGreaterThan(expected.length);
  expect(links.filter((href) => !ids.includes(href?.slice(1) ?? ""))).toEqual([]);
});

it("shows for an operation its keys, a curl command, its fields and its codes", async () => {
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

it("shows for each message a sample that a library of the Standard Webhooks spec accepts", async () => {
  const cards = await page.locator('article[id^="webhook."]').evaluateAll((all) =>
    all.map((card) => ({
      type: card.querySelector("h3")?.textContent?.trim(),
      secret: [...card.querySelectorAll("h4")].at(-1)?.textContent?.split(" ").at(-1) ?? "",
      sample: card.querySelector("pre")?.textContent?.trim() ?? "",
    })),
  );
  expect(cards.length).toBeGreaterThan(5);
  for (const { type, secret, sample } of cards) {
    const [head = "", body = ""] = sample.split("\n\n");
    const headers = Object.fromEntries(head.split("\n").map((line) => line.split(": ", 2) as [string, string]));
    // The library refuses a signature that is older than five minutes.
    vi.setSystemTime(Number(headers["webhook-timestamp"]) * 1000);
    expect(new Webhook(secret).verify(body, headers)).toMatchObject({ type, data: { enterprise: "acme" } });
    vi.useRealTimers();
  }
});

it("fits both widths and is accessible in both themes", async () => {
  for (const theme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme: theme });
    expect(await axeViolations(page, theme === "dark" ? "colours" : "all")).toEqual([]);
    for (const [size, width] of [
      [WIDE, 1280],
      [NARROW, 375],
    ] as const) {
      await page.setViewportSize(size);
      expect(await overflowingElements(page)).toEqual([]);
      await savePicture(page, `interface-${theme}-${width}`, false);
    }
  }
  expect(browserErrors).toEqual([]);
});

it("shows the usage bar on a page of another origin with the example of docs/embed.md", async () => {
  const text = readFileSync(new URL("../../docs/embed.md", import.meta.url), "utf8");
  const [, markup = "", script = ""] = /```html\n(.*?)```.*?```js\n(.*?)```/s.exec(text) ?? [];
  const acme = await site.newEnterprise({ name: "Acme" });
  let origin = "";
  const host = createServer(async (request, response) => {
    if (request.url === "/my/usage-token") {
      const path = `/v1/enterprises/${acme.id}/embed-tokens`;
      const made = await site.sendOk("POST", path, { user: "ada", role: "member", origin });
      return response.end(made.body.token);
    }
    if (request.url === "/host.js") return response.setHeader("Content-Type", "text/javascript").end(script);
    const policy = /`(default-src [^`]+)`/.exec(text)?.[1] ?? "";
    const local = (line: string) =>
      line.replaceAll("https://fuelgauge.example.com", site.base).replace("wss://fuelgauge.example.com", "ws:");
    response.setHeader("Content-Type", "text/html");
    // The policy of the docs covers only Fuelgauge. The host adds its own script and backend.
    const own = local(policy).replace("script-src", "script-src 'self'").replace("connect-src", "connect-src 'self'");
    response.setHeader("Content-Security-Policy", own);
    response.end(`<!doctype html><title>Host</title>${local(markup).replace('"acme"', `"${acme.id}"`)}
      <script src="/host.js" defer></script>`);
  });
  host.listen(0, "localhost");
  await once(host, "listening");
  origin = `http://localhost:${(host.address() as { port: number }).port}`;
  const embedded = await (await site.newContext()).newPage();
  await embedded.goto(origin);
  await expect
    .poll(() => embedded.locator("usage-bar").getByText("credits").first().innerText())
    .toContain("0 of 1,500");
  await acme.run(4_000_000);
  await expect
    .poll(() => embedded.locator("usage-bar").getByText("credits").first().innerText())
    .toContain("400 of 1,500");
  await embedded.close();
  host.closeAllConnections();
  host.close();
});
