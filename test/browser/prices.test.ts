// What waits for a price, in a browser: on the operator's page of prices and on receipts. Also receipts of other kinds of
// usage, at three widths and in both themes.
import { afterAll, beforeAll, expect, it } from "vitest";
import { faultsOf } from "./looks.ts";
import { clickAndLoad, NARROW, type Site, startSite, textOf, WIDE } from "./site.ts";

const NEW_MODEL = "openrouter/a-vendor-with-a-long-name/plain-model-of-next-year-preview-2027-01-31";
const SIZES = [NARROW, { width: 768, height: 900 }, WIDE];

let site: Site;
let acme: Awaited<ReturnType<Site["newEnterprise"]>>;

beforeAll(async () => {
  site = await startSite({ own: true });
  acme = await site.newEnterprise();
  const tiers = { batch: { input: "0.5" }, above_200000: { input: "2", output: "3", cache_write_1h: "4" } };
  const models = [
    { id: "kinds", input: "1", output: "2", input_audio: "6", output_image: "30", web_searches: "10", tiers },
  ];
  await site.sendOk("PATCH", "/v1/price-book", { models });
  await acme.run(2_500_000, { model: NEW_MODEL, tier: "batch" });
  const usage = { input_tokens: 1_000, output_tokens: 200, cache_read_tokens: 50, cache_write_1h_tokens: 70 };
  const media = { input_audio_tokens: 900, output_image_tokens: 40, web_searches: 3 };
  await acme.run(0, { run: "every-kind", model: "kinds", usage: { ...usage, ...media }, final: false });
  await acme.run(0, { run: "every-kind", model: "kinds", tier: "above_200000", usage, final: false });
  await acme.run(0, { run: "every-kind", model: "kinds", tier: "batch", usage, estimated: true, final: false });
  await acme.run(0, { run: "every-kind", model: NEW_MODEL, usage: { ...usage, ...media } });
  await acme.project();
});
afterAll(() => site.stop());

it("shows the operator what waits for a price", async () => {
  const { page, context, browserErrors } = await site.signInAsOperator({ path: "/operator/prices" });
  await expect.poll(() => textOf(page, "#rows-waiting")).toContain(NEW_MODEL);
  expect(await faultsOf(page, "prices-waiting", SIZES)).toEqual([]);
  await page.getByPlaceholder("Show the cost as this model").fill("plain");
  await clickAndLoad(page.getByRole("button", { name: "Show" }));
  await expect.poll(() => textOf(page, "#rows-waiting")).toContain("$2.50 as plain");
  await clickAndLoad(page.locator("#rows-waiting").getByRole("link", { name: "plain", exact: true }).first());
  await expect.poll(() => page.getByLabel("The entry as JSON").inputValue()).toContain(NEW_MODEL);
  expect(await faultsOf(page, "prices-entry", SIZES)).toEqual([]);
  expect(browserErrors).toEqual([]);
  await context.close();
});

it("shows a receipt with every kind of usage", async () => {
  const path = "/settings/usage/runs/every-kind";
  const { page, context, browserErrors } = await site.signIn(acme, "admin", { path });
  for (const size of SIZES) {
    await page.setViewportSize(size);
    const text = await textOf(page, "main");
    expect(text).toContain(NEW_MODEL);
    expect(text).toContain("The usage is charged once the model has a price.");
  }
  expect(await faultsOf(page, "receipt-kinds", SIZES)).toEqual([]);
  expect(browserErrors).toEqual([]);
  await context.close();
});
