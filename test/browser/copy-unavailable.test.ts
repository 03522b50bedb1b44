/** While the copy is unavailable, the balance is still shown, and each block that needs the copy says that it cannot. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { axeViolations } from "./looks.ts";
import { clickAndLoad, type Site, savePicture, startSite, textOf } from "./site.ts";

let site: Site;

beforeAll(async () => {
  site = await startSite({ copy: false });
});
afterAll(() => site.stop());

it("shows the bar, cards and status, and an error in each block that needs the copy", async () => {
  const enterprise = await site.newEnterprise({ test_clock: "2026-11-20T12:00:00.000Z" });
  await enterprise.run(300 * 10_000);
  await enterprise.moveTo("2026-11-20T12:03:00.000Z");
  const { page, context } = await site.signIn(enterprise);
  expect(await textOf(page, ".headline")).toBe("300 of 1,500 credits used 20 %");
  expect(await textOf(page, "#card-average")).toContain("15.4");
  for (const block of ["#consumption", "#top-workspace", "#top-group", "#top-user", "#runs"]) {
    expect(await textOf(page, block)).toContain("cannot be read right now");
  }
  expect(await textOf(page, "#as-of")).toBe("as of 12:03:00 · chart and tables as of 12:00:00, 3 minutes behind");
  expect(await axeViolations(page)).toEqual([]);
  await savePicture(page, "copy-unavailable");
  await context.close();
});

it("shows the receipt of a run, which does not need the copy", async () => {
  const enterprise = await site.newEnterprise();
  await enterprise.run(50, { run: "a/run", workspace: "w/1" });
  const cookie = await site.cookieFor(enterprise);
  const answer = await site.send("GET", "/settings/usage/runs/a%2Frun", undefined, {
    headers: { Cookie: cookie, Accept: "text/html" },
  });
  expect(answer.status).toBe(200);
  expect(answer.text).toContain("0.005 credits");
});

it("saves a change of the cap and shows it, while the older history cannot be read", async () => {
  const enterprise = await site.newEnterprise({ billing_model: "byom", monthly_allowance_micros: null });
  const { page, context } = await site.signIn(enterprise, "admin", { path: "/settings/model" });
  expect(await textOf(page, "section:has(#history-title)")).toContain("cannot be read");
  await page.getByLabel("Cap in dollars a month").fill("500");
  await page.getByLabel("Stop new runs at").check();
  await clickAndLoad(page.getByRole("button", { name: "Save" }));
  expect(await textOf(page, "#notice")).toBe("Saved. The cap is $500.00.");
  await expect.poll(() => page.locator("#status-region").textContent()).toBe("Saved. The cap is $500.00.");
  expect((await enterprise.gauge()).spend.cap_micros).toBe(500_000_000);
  await context.close();
});

it("lets the operator open an enterprise by its id and change it", async () => {
  const enterprise = await site.newEnterprise({ name: "Reachable" });
  const { page, context } = await site.signInAsOperator();
  expect(await textOf(page, "main")).toContain("The copy cannot be read right now");
  expect(await axeViolations(page)).toEqual([]);
  expect(await page.getByRole("link", { name: enterprise.id, exact: true }).count()).toBe(1);
  await page.getByPlaceholder("Id of the enterprise").fill(enterprise.id);
  await clickAndLoad(page.getByRole("button", { name: "Open" }));
  expect(await textOf(page, "h1")).toBe("Reachable");
  expect(await textOf(page, "#rows-entries")).toContain("Cycle started");
  await clickAndLoad(page.getByRole("link", { name: "Suspend" }));
  await clickAndLoad(page.getByRole("button", { name: "Suspend it" }));
  expect(await textOf(page, "#notice")).toContain("Suspended.");
  await clickAndLoad(page.getByRole("navigation", { name: "Enterprise" }).getByRole("link", { name: "Audit" }));
  await clickAndLoad(page.getByRole("button", { name: "Run the audit" }));
  expect(await textOf(page, "#notice")).toBe(
    "1 of 14 checks failed: copy_equals_ledger. Only the copy is wrong. Rebuild it.",
  );
  await clickAndLoad(page.getByRole("link", { name: "Rebuild the copy" }));
  await clickAndLoad(page.getByRole("button", { name: "Rebuild the copy" }));
  expect(await textOf(page, "#notice")).toBe(
    "The rebuild continues in the background. While D1 is unavailable, it waits.",
  );
  await context.close();
});
