/** The notification settings: an admin adds, changes, tests, pauses and removes channels, also without JavaScript. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { axeViolations, faultsOf } from "./looks.ts";
import { clickAndLoad, type Enterprise, NARROW, type Site, startSite, textOf, WIDE } from "./site.ts";

const PATH = "/settings/notifications";
const SLACK = "https://hooks.slack.com/services/T0000000/B0000000/abcdefghijklmnopqrstuvwx";

let site: Site;

beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site.stop());

async function fill(page: Page, fields: { id?: string; kind?: string; target: string; thresholds?: string }) {
  if (fields.id !== undefined) await page.getByLabel("Name").fill(fields.id);
  if (fields.kind !== undefined) await page.getByLabel("Send to").selectOption(fields.kind);
  await page.getByLabel("Address").fill(fields.target);
  if (fields.thresholds !== undefined) await page.getByLabel("Percentages of the balance").fill(fields.thresholds);
}

const channelsOf = async ({ path }: Enterprise) => (await site.sendOk("GET", `${path}/channels`)).body.rows;
const press = (page: Page, name: string) => clickAndLoad(page.getByRole("button", { name, exact: true }));

it.each([
  ["with", true],
  ["without", false],
])("lets an admin add, change, test, pause and remove channels, %s JavaScript", async (_, script) => {
  const acme = await site.newEnterprise();
  const { page, context } = await site.signIn(acme, "admin", { script });
  await clickAndLoad(page.getByRole("link", { name: "Notifications" }));
  await expect.poll(() => textOf(page, "main")).toContain("There is no channel yet");

  await fill(page, {
    id: "alerts",
    kind: "webhook",
    target: "https://hooks.acme.example/fuel",
    thresholds: "80 %, 60",
  });
  await press(page, "Add channel");
  await expect.poll(() => textOf(page, "#secret")).toMatch(/^whsec_/);
  await clickAndLoad(page.getByRole("link", { name: "Done" }));
  await expect.poll(() => textOf(page, ".channels")).toContain("All (60, 80 %)");

  await fill(page, { id: "team", kind: "slack", target: SLACK });
  for (const name of ["Nothing is left", "There is credit again"]) await page.getByLabel(name).uncheck();
  await press(page, "Add channel");
  await expect.poll(() => textOf(page, ".notice")).toBe("Saved.");
  expect(await page.content()).not.toContain("abcdefghijkl");

  await clickAndLoad(page.getByRole("link", { name: "Change team" }));
  await expect.poll(() => page.getByLabel("Address").inputValue()).toBe("https://hooks.slack.com/***uvwx");
  await expect.poll(() => page.getByLabel("Nothing is left").isChecked()).toBe(false);
  await page.getByLabel("Nothing is left").check();
  await page.getByLabel("Percentages of the balance").fill("101");
  await press(page, "Save");
  await expect.poll(() => textOf(page, "#e-thresholds")).toContain("from 1 to 100");
  await page.getByLabel("Percentages of the balance").fill("90");
  await press(page, "Save");
  const [, team] = await channelsOf(acme);
  expect(team).toMatchObject({ id: "team", thresholds: [90], target: "https://hooks.slack.com/***uvwx" });
  expect(team.events).toContain("exhausted");
  expect(team.events).not.toContain("recovered");

  await press(page, "Pause: team");
  await expect.poll(() => textOf(page, ".channels > li:nth-child(2)")).toContain("Paused");
  await press(page, "Resume: team");
  // Nothing outside can be reached here, so the test message fails, and the page says so.
  await press(page, "Send a test: alerts");
  await expect.poll(() => textOf(page, ".notice")).toMatch(/^Test of alerts: Failed: /);
  await expect
    .poll(() => textOf(page, ".channels > li:first-child"))
    .toContain("Last delivery Failed: it cannot be reached");

  await fill(page, { id: "mail", kind: "email", target: "ops@acme.example" });
  await press(page, "Add channel");
  await expect.poll(() => textOf(page, ".channels > li:nth-child(2)")).toContain("Waits for confirmation");
  await press(page, "Send the confirmation again: mail");

  await clickAndLoad(page.getByRole("link", { name: "Remove team" }));
  await expect.poll(() => textOf(page, "main")).toContain("No more messages go to https://hooks.slack.com/***uvwx");
  await press(page, "Remove");
  expect((await channelsOf(acme)).map(({ id }: { id: string }) => id)).toEqual(["alerts", "mail"]);
  await context.close();
});

it("shows what is wrong with a form, and keeps what was typed", async () => {
  const acme = await site.newEnterprise();
  await site.sendOk("PUT", `${acme.path}/channels/ops`, { kind: "webhook", target: "https://hooks.acme.example/a" });
  const { page, context } = await site.signIn(acme, "admin", { path: PATH });
  await fill(page, { id: "two words", kind: "slack", target: "http://10.0.0.1/", thresholds: "half" });
  await press(page, "Add channel");
  await expect.poll(() => textOf(page, "#e-id")).toContain("must be 1 to 128");
  await expect.poll(() => textOf(page, "#e-target")).toContain("https");
  await expect.poll(() => textOf(page, "#e-thresholds")).toContain("whole percentages");
  await expect.poll(() => page.getByLabel("Name").inputValue()).toBe("two words");
  await fill(page, { id: "ops", kind: "webhook", target: "https://hooks.acme.example/b", thresholds: "" });
  await press(page, "Add channel");
  await expect.poll(() => textOf(page, "#e-id")).toBe("There is already a channel with this name.");
  expect(await axeViolations(page)).toEqual([]);
  await context.close();
});

it("shows channels to members, who cannot change them, and nothing to those who see only their own", async () => {
  const acme = await site.newEnterprise();
  await site.sendOk("PUT", `${acme.path}/channels/ops`, { kind: "slack", target: SLACK });
  const { page, context } = await site.signIn(acme, "member", { path: PATH });
  await expect.poll(() => textOf(page, "main")).toContain("Only an admin can change channels.");
  await expect.poll(() => page.locator("main button, main form").count()).toBe(0);
  const cookie = await site.cookieFor(acme, "member");
  for (const path of ["", "/test", "/pause", "/remove"]) {
    const headers = { Cookie: cookie, "Sec-Fetch-Site": "same-origin", Accept: "text/html" };
    const form = { ...headers, "Content-Type": "application/x-www-form-urlencoded" };
    expect((await site.send("POST", PATH + path, "id=ops", { headers: form })).status).toBe(403);
  }
  await acme.put({ members_see: "own" });
  expect((await page.goto(PATH))?.status()).toBe(404);
  expect((await site.send("GET", `${acme.path}/webhooks`, undefined, { headers: { Cookie: cookie } })).status).toBe(
    404,
  );
  await context.close();
});

it("fits every width in both themes, and is accessible", async () => {
  const acme = await site.newEnterprise({ name: "Acme Robotics" });
  const put = (id: string, body: Record<string, unknown>) => site.sendOk("PUT", `${acme.path}/channels/${id}`, body);
  await put("ops-alerts", { kind: "slack", target: SLACK });
  await put("mail", { kind: "email", target: "platform-operations@acme-robotics.example", thresholds: [90] });
  await put("a".repeat(128), {
    kind: "webhook",
    target: `https://hooks.acme.example/${"x".repeat(300)}`,
    events: ["exhausted", "recovered"],
    active: false,
  });
  await site.send("POST", `${acme.path}/channels/ops-alerts/test`);
  const { page, context, browserErrors } = await site.signIn(acme, "admin", { path: PATH });
  const sizes = [NARROW, { width: 320, height: 700 }, { width: 768, height: 900 }, WIDE];
  expect(await faultsOf(page, "notifications", sizes)).toEqual([]);
  for (const path of ["edit", "remove"]) {
    await page.goto(`${PATH}/${path}?id=mail`);
    expect(await faultsOf(page, `notifications-${path}`, [WIDE])).toEqual([]);
  }
  expect(browserErrors).toEqual([]);
  await context.close();
});

it("confirms an email address with one button", async () => {
  const page = await (await site.newContext({ size: NARROW })).newPage();
  expect((await page.goto("/confirm-email?token=forged"))?.status()).toBe(410);
  await expect.poll(() => textOf(page, "main")).toContain("Link no longer valid");
});
