// The demo editor: a page of another origin with the usage bar, whose backend holds the keys and runs an agent.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { PriceBook } from "../../src/catalog/price-book.ts";
import { startEditor } from "../../tools/demo/editor.ts";
import { DEMO_ENTERPRISES } from "../../tools/demo/world.ts";
import { axeViolations } from "./looks.ts";
import { collectBrowserErrors, type Site, savePicture, startSite } from "./site.ts";

let site: Site;
let editor: Awaited<ReturnType<typeof startEditor>>;

beforeAll(async () => {
  site = await startSite();
  for (const { id, settings } of DEMO_ENTERPRISES) await site.sendOk("PUT", `/v1/enterprises/${id}`, settings);
  const book = (await site.sendOk("GET", "/v1/price-book")).body as PriceBook;
  const options = { baseUrl: site.base, operator: site.send, book, enterprises: DEMO_ENTERPRISES, port: 0 };
  editor = await startEditor(options);
});
afterAll(async () => {
  editor?.close();
  await site?.stop();
});

const usedBy = async (id: string) =>
  (await site.sendOk("GET", `/v1/enterprises/${id}/gauge`)).body.used_micros as number;
const post = (path: string, body: object, origin: string) =>
  fetch(editor.origin + path, { method: "POST", headers: { Origin: origin }, body: JSON.stringify(body) });

it("shows two bars over one socket, which follow the debits of an agent's run", async () => {
  const context = await site.newContext();
  const page = await context.newPage();
  const browserErrors = collectBrowserErrors(page);
  let sockets = 0;
  page.on("websocket", () => {
    sockets += 1;
  });
  await page.goto(`${editor.origin}/?enterprise=initech`);
  const labels = page.locator("usage-bar [part=label]");
  const expectBoth = (text: RegExp) => {
    const like = expect.stringMatching(text);
    return expect.poll(() => labels.allInnerTexts()).toEqual([like, like]);
  };
  await expectBoth(/^0 of 500 credits/);
  await expect.poll(() => page.locator("header usage-bar").count()).toBe(1);
  await page.getByLabel("Refactor everything").check();
  await page.getByRole("button", { name: "Run the agent" }).click();
  await expectBoth(/^[1-9]\d?\.\d of 500 credits/);
  await expect.poll(() => page.locator("li").first().innerText()).toBe("Done");
  const used = await usedBy("initech");
  expect(used).toBeGreaterThan(10_000_000);
  await expectBoth(new RegExp(`^${(used / 1e6).toFixed(1)} of`));
  expect(sockets).toBe(1);
  expect(browserErrors).toEqual([]);
  expect(await axeViolations(page)).toEqual([]);
  await savePicture(page, "demo-editor");
  for (const width of [300, 375]) {
    await page.setViewportSize({ width, height: 800 });
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
  }
  await context.close();
});

it("says why a run may not start", async () => {
  await site.sendOk("PUT", "/v1/enterprises/globex", { suspended: true });
  const answer = await (await post("/run", { enterprise: "globex", size: "small" }, editor.origin)).text();
  expect(JSON.parse(answer)).toMatchObject({
    kind: "refused",
    detail: expect.stringMatching(/^403 enterprise_suspended/),
  });
  expect(await usedBy("globex")).toBe(0);
});

it("serves only its own page, and only for the demo enterprises", async () => {
  for (const path of ["/token", "/run"]) {
    const request = { enterprise: "acme", size: "small" };
    expect((await post(path, request, "https://evil.example")).status).toBe(403);
    expect((await post(path, { ...request, enterprise: "nobody" }, editor.origin)).status).toBe(422);
  }
  expect((await post("/run", { enterprise: "acme", size: "huge" }, editor.origin)).status).toBe(404);
  expect((await fetch(`${editor.origin}/../demo-editor.ts`)).status).toBe(404);
  expect(await usedBy("acme")).toBe(0);
});

it("uses another port if its own is taken", async () => {
  const port = Number(new URL(editor.origin).port);
  const book: PriceBook = { version: 1, credits_per_usd: 100, models: [] };
  const other = await startEditor({ baseUrl: site.base, operator: site.send, book, enterprises: [], port });
  expect(other.origin).not.toBe(editor.origin);
  other.close();
});
