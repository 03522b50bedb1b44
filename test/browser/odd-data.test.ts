// What pages show on a phone and with odd data: tiers, long ids, an allowance of 0, a limit that was passed a thousandfold.
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Enterprise, NARROW, type Site, startSite, WIDE } from "./site.ts";

let site: Site;
let acme: Enterprise;

beforeAll(async () => {
  site = await startSite({ own: true });
  acme = await site.newEnterprise();
  const tiers = { above_200000: { above_input_tokens: 200_000, input: "6", output: "22.5" } };
  const models = [{ id: "long-context-model", input: "3", output: "15", web_searches: "10", tiers }];
  await site.sendOk("PUT", `${acme.path}/price-overrides`, { models });
});
afterAll(() => site.stop());

it.each([NARROW, WIDE])("names each tier of a model and its further rates, $width pixels wide", async (size) => {
  const { page, context } = await site.signIn(acme, "member", { path: "/settings/model?q=long-context" });
  await page.setViewportSize(size);
  const names = await page.locator(".rates tbody th").allInnerTexts();
  expect(names.map((text) => text.replaceAll(/\s+/g, " "))).toEqual([
    expect.stringMatching(/^long-context-model price of this enterprise web searches 1 each \(\$10\.00 per 1,000\)$/),
    "prompts above 200,000 tokens (above_200000)",
  ]);
  await context.close();
});

it.each([NARROW, WIDE])(
  "shortens the id of a run with an ellipsis, and still says that it is open, $width pixels wide",
  async (size) => {
    const run = "live-8b93e44f-2e67-44e6-bda1-0123456789ab";
    await acme.run(10_000, { run, final: false });
    await acme.project();
    const { page, context } = await site.signIn(acme, "member", { path: "/settings/usage" });
    await page.setViewportSize(size);
    const id = page.locator(".run-id").first();
    expect(await id.innerText()).toContain("· open");
    const seen = await id.evaluate((element) => {
      const name = element.querySelector(".name") as HTMLElement;
      const range = document.createRange();
      range.selectNodeContents(element.lastChild as Node);
      const { ellipsis, end } = { ellipsis: getComputedStyle(name).textOverflow, end: range.getBoundingClientRect() };
      const row = element.closest("tr")?.getBoundingClientRect() as DOMRect;
      const own = element.getBoundingClientRect();
      return {
        ellipsis,
        cut: name.scrollWidth > name.clientWidth,
        inside: end.right <= own.right + 1,
        lines: own.height,
        row: row.right,
      };
    });
    expect(seen).toMatchObject({ ellipsis: "ellipsis", cut: true, inside: true });
    expect(seen.lines).toBeLessThan(28);
    await context.close();
  },
);

it("shows the percentage beside what is used on the operator's page, at every width", async () => {
  const { page, context } = await site.signInAsOperator({ path: `/operator/enterprises/${acme.id}` });
  for (const size of [NARROW, WIDE]) {
    await page.setViewportSize(size);
    const [big, percent] = await Promise.all(
      [".headline .big", ".headline .percent"].map((selector) => page.locator(selector).boundingBox()),
    );
    expect(percent!.x).toBeGreaterThan(big!.x + big!.width);
    expect(percent!.y).toBeLessThan(big!.y + big!.height);
  }
  await context.close();
});

it("keeps the plan and its billing in one line of the operator's list on a phone", async () => {
  const own = await site.newEnterprise({ name: "Own model", billing_model: "byom", monthly_allowance_micros: null });
  await own.project();
  const { page, context } = await site.signInAsOperator({ path: "/operator?billing=byom" });
  await page.setViewportSize(NARROW);
  const text = page.getByText("pro, own model");
  await text.waitFor();
  expect((await text.boundingBox())!.height).toBeLessThan(24);
  await context.close();
});

it("draws no bonus for an allowance of 0", async () => {
  const zero = await site.newEnterprise({ monthly_allowance_micros: 0 });
  const { page, context } = await site.signIn(zero, "admin", { path: "/settings/usage" });
  expect(await page.locator("#allocation .meter > svg > rect").count()).toBe(2);
  expect(await page.locator("#allocation .monthly-fill").getAttribute("width")).toBe("0%");
  await context.close();
});

it("keeps a budget that was passed a thousandfold inside its card at 300 pixels", async () => {
  await acme.run(9_000_000, { user: "ada" });
  await site.sendOk("PUT", `${acme.path}/budgets/user/ada/cycle`, { limit_micros: 1 });
  const { page, context } = await site.signIn(acme, "admin", { path: "/settings/budgets" });
  await page.setViewportSize({ width: 300, height: 700 });
  const limit = page.locator(".budgets [data-label=Limit] small");
  expect(await limit.innerText()).toBe("over 1,000 % used");
  const [text, card] = [await limit.boundingBox(), await page.locator(".budgets").boundingBox()];
  expect(text!.x + text!.width).toBeLessThanOrEqual(card!.x + card!.width);
  await context.close();
});

it("keeps the navigation in one row beside long names, and cuts a name from right to left at its own end", async () => {
  const name = "شركة الطاقة المتجددة والتقنيات الذكية للمستقبل القريب";
  const own = await site.newEnterprise({ name });
  const users = [{ id: "lena.vogt", name: "Lena-Marie Annabelle Vogt-von-und-zu-Obernsteinhausen" }];
  await site.sendOk("PUT", `${own.path}/directory`, { users });
  const { page, context } = await site.signIn(own, "admin", { path: "/settings/model" });
  await expect.poll(() => page.locator(".who bdi").innerText()).toContain("Obernsteinhausen");
  await page.setViewportSize(WIDE);
  const heights = await page.locator(".top .inner > *").evaluateAll((parts) => parts.map((part) => part.clientHeight));
  expect(Math.max(...heights)).toBeLessThanOrEqual(56);
  const start = page.locator(".tenant bdi");
  const firstLetter = await start.evaluate((element) => {
    const range = document.createRange();
    range.setStart(element.firstChild as Node, 0);
    range.setEnd(element.firstChild as Node, 1);
    return range.getBoundingClientRect().right - element.getBoundingClientRect().right;
  });
  expect(Math.abs(firstLetter), "the first letter is at the right edge").toBeLessThan(2);
  await context.close();
});
