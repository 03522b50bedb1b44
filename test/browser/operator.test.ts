/**
 * The operator's pages in a browser, with and without JavaScript, at both widths and in both themes. Long because one test
 * manages an enterprise from creation to suspension, and another file would start another Worker.
 */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { axeViolations, overflowingElements } from "./looks.ts";
import {
  clickAndLoad,
  type Enterprise,
  KEY,
  NARROW,
  type Site,
  savePicture,
  startSite,
  textOf as textNow,
  type ViewOptions,
  WIDE,
} from "./site.ts";

let site: Site;
beforeAll(async () => {
  site = await startSite({ own: true });
});
afterAll(() => site.stop());

async function signInAsOperator(view: ViewOptions = {}) {
  const signedIn = await site.signInAsOperator(view);
  return signedIn;
}

/** The text of an element once the styles have loaded. Without styles, words run together. */
async function textOf(page: Page, selector: string): Promise<string> {
  await page.waitForLoadState();
  return textNow(page, selector);
}

const notice = (page: Page) => textOf(page, "#notice");
const open = (page: Page, tab: string) =>
  clickAndLoad(page.getByRole("navigation", { name: "Enterprise" }).getByRole("link", { name: tab, exact: true }));
const press = (page: Page, name: string) =>
  clickAndLoad(page.locator("main").getByRole("button", { name, exact: true }));

/** Checks that the page is accessible and fits the screen. */
async function checkPage(page: Page, name: string, rules: "all" | "looks" = "all"): Promise<void> {
  await page.waitForLoadState();
  expect(await axeViolations(page, rules), name).toEqual([]);
  expect(await overflowingElements(page), name).toEqual([]);
}

/** Creates an enterprise that the list shows. */
async function newListedEnterprise(settings: Record<string, unknown>): Promise<Enterprise> {
  const enterprise = await site.newEnterprise(settings);
  await enterprise.project();
  return enterprise;
}

describe.each([
  ["with script, wide and light", { script: true, size: WIDE, theme: "light" }],
  ["with script, narrow and dark", { script: true, size: NARROW, theme: "dark" }],
  ["without script", { script: false, size: NARROW, theme: "light" }],
] as const)("an operator %s", (_, view) => {
  it("manages an enterprise from creation to suspension", async () => {
    const id = `hooli-${view.theme}-${view.size.width}`;
    const { page, context, browserErrors } = await signInAsOperator(view);
    const check = async (name: string) => {
      // Axe and measurements need JavaScript. The pages of both views with script have the same markup.
      if (view.script) await checkPage(page, name, view.theme === "light" ? "all" : "looks");
      await savePicture(page, `operator-${name}-${view.theme}-${view.size.width}`);
    };
    await check("list");

    await clickAndLoad(page.getByRole("link", { name: "New enterprise" }).first());
    await page.getByLabel("Id", { exact: true }).fill(id);
    await page.getByLabel("Name").fill("Hooli <b>Labs</b>");
    await page.getByLabel("Time zone").fill("Mars/Olympus");
    await page.getByLabel("Anchor day").fill("32");
    await press(page, "Create");
    expect(await textOf(page, "main")).toContain("Must be an IANA time zone such as Europe/Berlin.");
    expect(await textOf(page, "main")).toContain("Must be a day from 1 to 31.");
    expect(await page.getByLabel("Name").inputValue()).toBe("Hooli <b>Labs</b>");
    expect(await page.getByLabel("Time zone").getAttribute("aria-invalid")).toBe("true");
    await check("new-invalid");
    await page.getByLabel("Time zone").fill("Europe/Berlin");
    await page.getByLabel("Anchor day").fill("15");
    await page.getByLabel(/^Monthly allowance/).fill("1,500.5");
    await press(page, "Create");
    expect(await notice(page)).toBe("Created.");
    expect(await textOf(page, ".headline")).toBe("0 of 1,501 credits used 0 %");
    expect(await textOf(page, "h1")).toBe("Hooli <b>Labs</b>");
    await check("overview");

    await open(page, "Settings");
    await page.getByLabel("Plan").selectOption("team");
    await page.getByLabel(/^Monthly allowance/).fill("");
    await press(page, "Save");
    expect(await notice(page)).toBe("Saved.");
    const { body } = await site.sendOk("GET", `/v1/enterprises/${id}`);
    expect(body).toMatchObject({
      name: "Hooli <b>Labs</b>",
      plan: "team",
      monthly_allowance_micros: null,
      time_zone: "Europe/Berlin",
      anchor_day: 15,
    });

    await open(page, "Grants");
    await page.getByLabel("Credits").fill("a hundred");
    await page.getByLabel("Note").fill("Sorry for Monday");
    await press(page, "Grant");
    expect(await textOf(page, "main")).toContain("Must be an amount such as 100 or 12.5.");
    expect(await page.getByLabel("Note").inputValue()).toBe("Sorry for Monday");
    await page.getByLabel("Credits").fill("100.25");
    await page.getByLabel("Source").selectOption("goodwill");
    await page.getByLabel("Expires").fill("2099-01-31T12:00");
    await press(page, "Grant");
    expect(await notice(page)).toBe("Granted.");
    expect(await textOf(page, "#rows-grants tr")).toMatch(
      /^grant-\S+ Sorry for Monday.* Goodwill .*31 Jan 2099, 12:00.* 100 .*Active · Void/,
    );
    await check("grants");
    const granted = await site.sendOk("GET", `/v1/enterprises/${id}/grants`);
    expect(granted.body.rows).toMatchObject([{ amount_micros: 100_250_000, expires_at: "2099-01-31T12:00:00.000Z" }]);
    await clickAndLoad(page.locator("#rows-grants").getByRole("link", { name: "Void" }));
    expect(await textOf(page, "main")).toContain("100 credits of grant");
    await check("confirmation");
    await clickAndLoad(page.getByRole("link", { name: "Cancel" }));
    expect((await site.sendOk("GET", `/v1/enterprises/${id}/grants`)).body.rows[0].state).toBe("active");
    await clickAndLoad(page.locator("#rows-grants").getByRole("link", { name: "Void" }));
    await press(page, "Take back 100 credits");
    expect(await notice(page)).toContain("Voided.");
    expect(await textOf(page, "#rows-grants tr")).toContain("Voided");
    expect(await page.locator("#rows-grants a").count()).toBe(0);

    await open(page, "Keys");
    for (const scope of ["debit", "read"]) await page.locator(`input[name="${scope}"]`).uncheck();
    await page.getByLabel("Name").fill("Agents in Paris");
    await press(page, "Make the key");
    expect(await page.locator("#e-scopes").count()).toBe(1);
    expect(await page.getByLabel("Name").inputValue()).toBe("Agents in Paris");
    await check("keys-invalid");
    await page.locator('input[name="read"]').check();
    await press(page, "Make the key");
    const key = (await page.locator("#secret").innerText()).trim();
    await check("key");
    const gauge = { headers: { Authorization: `Bearer ${key}` } };
    expect((await site.send("GET", `/v1/enterprises/${id}/gauge`, undefined, gauge)).status).toBe(200);
    await clickAndLoad(page.getByRole("link", { name: "Done" }));
    expect(await page.content()).not.toContain(key);
    expect(await textOf(page, "#rows-keys tr")).toMatch(/^Agents in Paris .*read .*operator .*never .*Active · Revoke/);
    await clickAndLoad(page.locator("#rows-keys").getByRole("link", { name: "Revoke" }));
    await press(page, "Revoke the key");
    expect(await notice(page)).toContain("Revoked.");
    expect((await site.send("GET", `/v1/enterprises/${id}/gauge`, undefined, gauge)).body.code).toBe("key_revoked");

    await open(page, "Webhooks");
    await page.getByLabel("Webhooks go to").fill("https://localhost/hook");
    await press(page, "Save");
    expect(await page.locator("#e-webhook_url").innerText()).toContain("public host name");
    expect(await page.getByLabel("Webhooks go to").inputValue()).toBe("https://localhost/hook");
    await page.getByLabel("Webhooks go to").fill("https://hooks.acme.example/fuel");
    await press(page, "Save");
    expect((await page.locator("#secret").innerText()).trim()).toMatch(/^whsec_/);
    await clickAndLoad(page.getByRole("link", { name: "Done" }));
    expect(await page.content()).not.toContain("whsec_");
    await press(page, "Send a test event");
    expect(await notice(page)).toContain("A test event was queued.");
    expect(await textOf(page, "#rows-webhooks tr")).toContain("test");
    await check("webhooks");

    await open(page, "Overview");
    await clickAndLoad(page.getByRole("link", { name: "Suspend" }));
    expect((await site.sendOk("GET", `/v1/enterprises/${id}`)).body.suspended).toBe(false);
    await press(page, "Suspend it");
    expect(await notice(page)).toContain("Suspended.");
    expect(await textOf(page, ".heading")).toContain("Suspended");
    expect((await site.sendOk("GET", `/v1/enterprises/${id}`)).body.suspended).toBe(true);
    await press(page, "Resume");
    expect((await site.sendOk("GET", `/v1/enterprises/${id}`)).body.suspended).toBe(false);

    await open(page, "Journal");
    expect(await textOf(page, "#rows-entries")).toContain("Plan changed");
    expect(await textOf(page, "#rows-entries")).toContain("Grant voided");

    await open(page, "Audit");
    await press(page, "Run the audit");
    expect(await notice(page)).toBe("All 14 checks passed.");
    await check("audit");
    await clickAndLoad(page.getByRole("link", { name: "Rebuild the copy" }));
    await press(page, "Rebuild the copy");
    expect(await notice(page)).toContain("Rebuilt.");

    await clickAndLoad(page.getByRole("navigation", { name: "Operator" }).getByRole("link", { name: "Enterprises" }));
    await page.getByPlaceholder("Search by id or name").fill("labs");
    await press(page, "Search");
    await page.locator("#rows-enterprises").getByRole("link", { name: "Hooli" }).first().waitFor();
    await check("found");

    await clickAndLoad(page.getByRole("button", { name: "Sign out" }));
    await page.getByLabel("Operator key").waitFor();
    await page.goto(`/operator/enterprises/${id}`);
    await page.getByLabel("Operator key").waitFor();
    // The browser logs the 422 of each invalid form.
    expect(browserErrors.filter((error) => !/status of 422/.test(error))).toEqual([]);
    await context.close();
  });
});

describe("the list of enterprises", () => {
  it("shows what each has used, what is left and what needs attention", async () => {
    const [out, capped, uncapped] = await Promise.all([
      newListedEnterprise({ name: "Qq Exhausted", plan: "free" }),
      newListedEnterprise({ name: "Qq Capped", billing_model: "byom", plan: "team", monthly_allowance_micros: null }),
      newListedEnterprise({ name: "Qq Uncapped", billing_model: "byom", plan: "team", monthly_allowance_micros: null }),
    ]);
    await out.run(500 * 10_000);
    await capped.cap(5_000_000);
    await capped.run(6_000_000);
    await uncapped.run(2_500_000);
    await capped.put({ suspended: true });
    await Promise.all([out, capped, uncapped].map(({ project }) => project()));
    const { page, context } = await signInAsOperator({ path: "/operator?q=qq" });
    const rows = await page.locator("#rows-enterprises tr").allInnerTexts();
    expect(rows.map((row) => row.replaceAll(/\s+/g, " ").trim())).toEqual([
      expect.stringMatching(/^Qq Capped e\d+ team, own model 100 % of \$5\.00|^Qq Capped e\d+ team, own model 120 %/),
      expect.stringMatching(/^Qq Exhausted e\d+ free 100 % of 500 0 Exhausted 20 Nov 2026, 12:00$/),
      expect.stringMatching(/^Qq Uncapped e\d+ team, own model \$2\.50 spent — No cap 20 Nov 2026, 12:00$/),
    ]);
    expect(rows[0]).toMatch(/Suspended\s+Capped/);
    await clickAndLoad(page.getByRole("link", { name: "Need attention" }));
    await page.waitForURL("**/operator?show=attention");
    const urgent = await textOf(page, "#rows-enterprises");
    for (const [name, isListed] of Object.entries({ Capped: true, Exhausted: true, Uncapped: false })) {
      expect(urgent.includes(`Qq ${name}`), name).toBe(isListed);
    }
    await checkPage(page, "attention");
    await clickAndLoad(page.getByRole("link", { name: /^All \d/ }));
    await page.waitForURL("**/operator");
    await context.close();
  });

  it("shows the most pressing enterprises first, only above the list of all", async () => {
    for (const name of ["Vv One", "Vv Two", "Vv Three", "Vv Four"]) {
      const enterprise = await site.newEnterprise({ name, plan: "free" });
      await enterprise.put({ suspended: true });
      await enterprise.project();
    }
    const { page, context } = await site.signInAsOperator({ path: "/operator" });
    const pressing = page.getByRole("region", { name: "Most pressing" });
    expect(await pressing.getByRole("listitem").count()).toBe(3);
    for (const text of await pressing.getByRole("listitem").allInnerTexts()) expect(text).not.toMatch(/ OK$/);
    await clickAndLoad(pressing.getByRole("link", { name: "All that need attention" }));
    expect(await pressing.count()).toBe(0);
    await page.goto("/operator?q=Vv");
    expect(await pressing.count()).toBe(0);
    await context.close();
  });

  it("shows each enterprise once through Show more, in place with script and by links without", async () => {
    await Promise.all(Array.from({ length: 45 }, (_, n) => newListedEnterprise({ name: `Zz Many ${n}` })));
    const names = async (page: Page) => page.locator("#rows-enterprises th a").allInnerTexts();
    const scripted = await signInAsOperator({ path: "/operator?q=zz" });
    for (const rows of [40, 45]) {
      await scripted.page.getByRole("link", { name: "Show more" }).click();
      await expect.poll(async () => (await names(scripted.page)).length).toBe(rows);
    }
    const all = await names(scripted.page);
    expect(new Set(all).size).toBe(45);
    expect(await scripted.page.getByRole("link", { name: "Show more" }).count()).toBe(0);
    expect(scripted.browserErrors).toEqual([]);
    const plain = await signInAsOperator({ script: false });
    await plain.page.goto("/operator?q=zz");
    const listedNames = await names(plain.page);
    for (let more = 0; more < 2; more++) {
      await clickAndLoad(plain.page.getByRole("link", { name: "Show more" }));
      listedNames.push(...(await names(plain.page)));
    }
    expect(listedNames).toEqual(all);
    await clickAndLoad(plain.page.getByRole("link", { name: "Show the first" }));
    expect(await names(plain.page)).toEqual(all.slice(0, 20));
    await Promise.all([scripted.context.close(), plain.context.close()]);
  });

  it("says when a search finds nothing, and offers to open that id", async () => {
    const { page, context } = await signInAsOperator({ script: false, path: "/operator?q=brand-new" });
    expect(await textOf(page, "#rows-enterprises")).toBe("No enterprise matches.");
    await clickAndLoad(page.getByRole("link", { name: "brand-new" }));
    expect(await textOf(page, "main")).toContain("Nothing exists at this address");
    await clickAndLoad(page.getByRole("link", { name: "To the enterprises" }));
    await page.waitForURL("**/operator");
    await context.close();
  });
});

describe("an enterprise's page", () => {
  it("creates a sign-in link for the chosen user and role", async () => {
    const enterprise = await site.newEnterprise({ name: "Umbrella" });
    const { page, context } = await signInAsOperator({
      script: false,
      path: `/operator/enterprises/${enterprise.id}/access`,
    });
    await page.getByLabel("User", { exact: true }).fill("not an id");
    await press(page, "Make a link");
    expect(await page.locator("#e-user").innerText()).toContain("Must be 1 to 128 letters");
    await page.getByLabel("User", { exact: true }).fill("lena.vogt");
    await page.getByLabel("Role", { exact: true }).selectOption("admin");
    await press(page, "Make a link");
    await clickAndLoad(page.getByRole("link", { name: "Open it here" }));
    await press(page, "Sign in");
    await page.waitForURL("**/settings/usage");
    expect(await textOf(page, ".who")).toContain("lena.vogt admin");
    await page.goto(`/operator/enterprises/${enterprise.id}`);
    expect(await textOf(page, "h1")).toBe("Umbrella");
    await context.close();
  });

  it("moves a test clock forward, and explains that it cannot go backwards", async () => {
    const enterprise = await site.newEnterprise({ test_clock: "2026-11-20T12:00:00.000Z" });
    const { page, context } = await signInAsOperator({ script: false, path: `/operator/enterprises/${enterprise.id}` });
    await page.getByLabel("Move it forward to").fill("2026-11-20T11:00");
    await press(page, "Move the clock");
    expect(await page.locator("#e-now").innerText()).toContain("only moves forward");
    expect(await page.getByLabel("Move it forward to").inputValue()).toBe("2026-11-20T11:00");
    await page.getByLabel("Move it forward to").fill("2026-12-01T00:00");
    await press(page, "Move the clock");
    expect(await notice(page)).toBe("The test clock was moved.");
    expect((await enterprise.gauge()).cycle.starts_at).toBe("2026-12-01T00:00:00.000Z");
    await context.close();
  });

  it("sets a spend cap, and asks for confirmation if it is spent already", async () => {
    const enterprise = await site.newEnterprise({ billing_model: "byom", monthly_allowance_micros: null });
    await enterprise.run(400_000_000);
    const { page, context } = await signInAsOperator({ script: false, path: `/operator/enterprises/${enterprise.id}` });
    await open(page, "Spend cap");
    const save = async (cap: string) => {
      await page.getByLabel("Cap in dollars a month").fill(cap);
      await press(page, "Save");
    };
    await save("lots");
    expect(await page.locator("#e-cap").innerText()).toBe("Enter an amount in dollars, such as 500.00.");
    await save("500");
    expect(await notice(page)).toBe("Saved.");
    await save("300");
    expect((await enterprise.gauge()).spend.cap_micros).toBe(500_000_000);
    await press(page, "Set the cap to $300.00");
    expect((await enterprise.gauge()).spend.cap_micros).toBe(300_000_000);
    expect(await textOf(page, ".heading")).toContain("Capped");
    await save("");
    expect((await enterprise.gauge()).spend.cap_micros).toBeNull();
    const credits = await site.newEnterprise();
    await page.goto(`/operator/enterprises/${credits.id}/cap`);
    expect(await textOf(page, "main")).toContain("Spend cap not available");
    await context.close();
  });

  it("saves only the fields changed in the form, and refuses to create an existing id", async () => {
    const enterprise = await site.newEnterprise({ name: "Stark" });
    const { page, context } = await signInAsOperator({
      script: false,
      path: `/operator/enterprises/${enterprise.id}/settings`,
    });
    await enterprise.put({ upgrade_url: "https://elsewhere.example/up", plan: "enterprise" });
    await page.getByLabel("Name").fill("Stark Industries");
    await press(page, "Save");
    expect((await site.sendOk("GET", enterprise.path)).body).toMatchObject({
      name: "Stark Industries",
      plan: "enterprise",
      upgrade_url: "https://elsewhere.example/up",
    });
    await page.goto("/operator/new");
    await page.getByLabel("Id", { exact: true }).fill(enterprise.id);
    await page.getByLabel("Name").fill("Impostor");
    await press(page, "Create");
    expect(await page.locator("#e-id").innerText()).toBe("An enterprise with this id already exists.");
    expect((await site.sendOk("GET", enterprise.path)).body.name).toBe("Stark Industries");
    await context.close();
  });

  it("grants once if the same form is sent twice", async () => {
    const enterprise = await site.newEnterprise();
    const { page, context } = await signInAsOperator({
      script: false,
      path: `/operator/enterprises/${enterprise.id}/grants`,
    });
    const id = await page.getByLabel("Id", { exact: true }).inputValue();
    for (const credits of ["5", "5", "6"]) {
      await page.goto(`/operator/enterprises/${enterprise.id}/grants`);
      await page.getByLabel("Id", { exact: true }).fill(id);
      await page.getByLabel("Credits").fill(credits);
      await press(page, "Grant");
    }
    expect(await page.locator("#e-id").innerText()).toBe(
      `A grant "${id}" already exists with different contents. Use a new grant id.`,
    );
    expect((await enterprise.gauge()).bonus.remaining_micros).toBe(5_000_000);
    await context.close();
  });

  it("creates one key if the button is double-clicked", async () => {
    const enterprise = await site.newEnterprise();
    const { page, context } = await signInAsOperator({ path: `/operator/enterprises/${enterprise.id}/keys` });
    await page.getByLabel("Name").fill("Twice");
    await page.getByRole("button", { name: "Make the key" }).dblclick();
    await page.locator("#secret").waitFor();
    expect((await site.sendOk("GET", `${enterprise.path}/keys`)).body.rows).toHaveLength(1);
    await context.close();
  });

  it("opens for an id with reserved characters, and shows a hostile name as text", async () => {
    const id = "org:acme/eu@1";
    const hostile = `<img src=x onerror=alert(1)>"'&`;
    const settings = { name: hostile, billing_model: "credits", plan: "pro" };
    await site.sendOk("PUT", `/v1/enterprises/${encodeURIComponent(id)}`, settings);
    const { page, context, browserErrors } = await signInAsOperator({
      path: `/operator/open?id=${encodeURIComponent(id)}`,
    });
    for (const tab of ["Settings", "Grants", "Access", "Keys", "Webhooks", "Journal", "Audit", "Data", "Overview"]) {
      await open(page, tab);
      expect(await textOf(page, "h1")).toBe(hostile);
    }
    expect(browserErrors).toEqual([]);
    await context.close();
  });
});

it("can be used with the keyboard alone: sign in, search, open", async () => {
  await newListedEnterprise({ name: "Keyboard Works" });
  const context = await site.newContext();
  const page = await context.newPage();
  await page.goto("/operator");
  await page.getByLabel("Operator key").focus();
  await page.keyboard.type(KEY);
  await page.keyboard.press("Enter");
  await page.waitForURL("**/operator");
  await page.getByPlaceholder("Search by id or name").focus();
  await page.keyboard.type("keyboard w");
  await page.keyboard.press("Enter");
  await page.waitForURL("**/operator?q=keyboard+w");
  await page.locator("#rows-enterprises a").first().focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/operator\/enterprises\/e\d+$/);
  expect(await textOf(page, "h1")).toBe("Keyboard Works");
  await context.close();
});
