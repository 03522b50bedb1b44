// The demo's editor: a page of another origin whose backend holds the keys; its agent's debits move the bar.
import AxeBuilder from "@axe-core/playwright";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startEditor } from "../../tools/demo/editor.ts";
import { DEMO_ENTERPRISES } from "../../tools/demo/world.ts";
import type { PriceBook } from "../../tools/kit/expected-cost.ts";
import { complaintsOf, picture, type Site, startSite } from "./site.ts";

const SOON = { timeout: 15_000 };
let site: Site;
let editor: Awaited<ReturnType<typeof startEditor>>;

beforeAll(async () => {
  site = await startSite();
  for (const { id, settings } of DEMO_ENTERPRISES) await site.must("PUT", `/v1/enterprises/${id}`, settings);
  const book = (await site.must("GET", "/v1/price-book")).body as PriceBook;
  const options = { baseUrl: site.base, operator: site.send, book, enterprises: DEMO_ENTERPRISES, port: 0 };
  editor = await startEditor(options);
});
afterAll(async () => {
  editor?.close();
  await site?.stop();
});

const usedBy = async (id: string) => (await site.must("GET", `/v1/enterprises/${id}/gauge`)).body.used_micros as number;
const post = (path: string, body: object, origin: string) =>
  fetch(editor.origin + path, { method: "POST", headers: { Origin: origin }, body: JSON.stringify(body) });

it("shows the bar twice over one socket, and an agent's run moves both and the ledger", async () => {
  const context = await site.newContext();
  const page = await context.newPage();
  const complaints = complaintsOf(page);
  let sockets = 0;
  page.on("websocket", () => {
    sockets += 1;
  });
  await page.goto(`${editor.origin}/?enterprise=initech`);
  const labels = page.locator("usage-bar [part=label]");
  const inBoth = (text: RegExp) => {
    const like = expect.stringMatching(text);
    return expect.poll(() => labels.allInnerTexts(), SOON).toEqual([like, like]);
  };
  await inBoth(/^0 of 500 credits/);
  await page.getByLabel("Refactor everything").check();
  await page.getByRole("button", { name: "Run the agent" }).click();
  await inBoth(/^[1-9]\d?\.\d of 500 credits/);
  await expect.poll(() => page.locator("li").first().innerText(), { timeout: 40_000 }).toBe("Done");
  const used = await usedBy("initech");
  expect(used).toBeGreaterThan(10_000_000);
  await inBoth(new RegExp(`^${(used / 1e6).toFixed(1)} of`));
  expect(sockets).toBe(1);
  expect(complaints).toEqual([]);
  expect((await new AxeBuilder({ page }).analyze()).violations).toEqual([]);
  await picture(page, "demo-editor");
  await context.close();
});

it("tells why a run may not start", async () => {
  await site.must("PUT", "/v1/enterprises/globex", { suspended: true });
  const answer = await (await post("/run", { enterprise: "globex", size: "small" }, editor.origin)).text();
  expect(JSON.parse(answer)).toMatchObject({
    kind: "refused",
    detail: expect.stringMatching(/^403 enterprise_suspended/),
  });
  expect(await usedBy("globex")).toBe(0);
});

it("works for its own page only, and only for the demo's enterprises", async () => {
  for (const path of ["/token", "/run"]) {
    const wish = { enterprise: "acme", size: "small" };
    expect((await post(path, wish, "https://evil.example")).status).toBe(403);
    expect((await post(path, { ...wish, enterprise: "nobody" }, editor.origin)).status).toBe(422);
  }
  expect((await post("/run", { enterprise: "acme", size: "huge" }, editor.origin)).status).toBe(404);
  expect((await fetch(`${editor.origin}/../demo-editor.ts`)).status).toBe(404);
  expect(await usedBy("acme")).toBe(0);
});

it("takes another port where its own is in use", async () => {
  const port = Number(new URL(editor.origin).port);
  const book: PriceBook = { version: 1, credits_per_usd: 100, models: [] };
  const other = await startEditor({ baseUrl: site.base, operator: site.send, book, enterprises: [], port });
  expect(other.origin).not.toBe(editor.origin);
  other.close();
});
