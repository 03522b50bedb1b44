/**
 * What an operator does, each task in the browser and without curl: with and without JavaScript. With JavaScript, each page
 * is also checked for accessibility in both themes, and for its width on three screens. This file is long because each task
 * continues where the last one ended, in one browser.
 */
import { readFile } from "node:fs/promises";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { axeViolations, overflowingElements } from "./looks.ts";
import { clickAndLoad, collectBrowserErrors, KEY, type Site, savePicture, startSite, textOf } from "./site.ts";

const SIZES = [
  { width: 300, height: 700 },
  { width: 375, height: 800 },
  { width: 768, height: 900 },
  { width: 1280, height: 900 },
];

/** Whether the way out is beside the name, and the navigation beside or below both. */
function isHeaderOneRow(page: Page): Promise<boolean> {
  return page.evaluate(() => {
    const middleOf = (selector: string) => {
      const box = document.querySelector(selector)?.getBoundingClientRect();
      return (box?.top ?? 0) + (box?.height ?? 0) / 2;
    };
    return Math.abs(middleOf("header .brand") - middleOf("header .who")) < 12;
  });
}

/** Loading a page takes longer than the usual pause between two attempts. */
const RELOADING = { interval: 400 };

let site: Site;
beforeAll(async () => {
  site = await startSite({ shards: true });
});
afterAll(() => site.stop());

it("keeps hostile names of people and plans in their places", async () => {
  const odd = ['"><img src=x onerror=window.hacked=1>', "\u202eשלום \u2066abc", "W".repeat(200)];
  const [id, plan] = ["h".repeat(128), "p".repeat(128)];
  const path = `/v1/enterprises/${id}`;
  const { plans, version } = (await site.sendOk("GET", "/v1/plans")).body;
  const added = { id: plan, name: odd[2], allowance_micros: 1_000_000, free: false };
  await site.sendOk("PUT", "/v1/plans", { plans: [...plans, added], version });
  await site.sendOk("PUT", path, { name: odd[2], billing_model: "credits", plan });
  // The fleet page keeps its totals for a minute. The later tests of that page find this enterprise in them.
  await site.sendOk("PUT", "/v1/enterprises/kept", { name: "Kept", billing_model: "credits", plan: "team" });
  for (const [i, name] of odd.entries()) {
    await site.sendOk("POST", `${path}/keys`, { name, scopes: ["read"] });
    await site.sendOk("POST", "/v1/operator-keys", { name, scopes: ["metrics"] });
    const grant = { id: `${i}${"g".repeat(120)}`, amount_micros: 1, source: "goodwill", note: name };
    await site.sendOk("POST", `${path}/grants`, grant);
    await site.sendOk("PUT", `${path}/directory`, { users: [{ id: `${i}${"u".repeat(120)}`, name }] });
  }
  const { page, context } = await site.signInAsOperator();
  const below = ["", "/keys", "/grants", "/directory", "/journal", "/settings"];
  const lists = [
    "/operator",
    "/operator?state=ok",
    `/operator?plan=${plan}`,
    "/operator/plans",
    "/operator/keys",
    "/operator/fleet",
  ];
  for (const url of [...lists, ...below.map((tab) => `/operator/enterprises/${id}${tab}`)]) {
    await page.goto(url);
    for (const size of SIZES) {
      await page.setViewportSize(size);
      expect([url, size.width, await overflowingElements(page)]).toEqual([url, size.width, []]);
    }
    expect([url, await page.evaluate("window.hacked ?? document.querySelectorAll('img[src=x]').length")]).toEqual([
      url,
      0,
    ]);
  }
  await context.close();
});

describe.each([true, false])("an operator, with script: %s,", (script) => {
  const id = script ? "hooli" : "hooli-plain";
  const path = `/v1/enterprises/${encodeURIComponent(id)}`;
  let page: Page;
  let browserErrors: string[];

  beforeAll(async () => {
    const context = await site.newContext({ script });
    page = await context.newPage();
    browserErrors = collectBrowserErrors(page);
    await page.goto("/operator");
    await page.getByLabel("Operator key").fill(KEY);
    await press("Sign in");
  });

  const main = () => page.locator("main");
  const press = (name: string) => clickAndLoad(main().getByRole("button", { name, exact: true }));
  const follow = (name: string) => clickAndLoad(main().getByRole("link", { name, exact: true }).first());
  const notice = () => textOf(page, "#notice");
  const field = (name: string) => main().getByLabel(name, { exact: true });
  const optional = (name: string) => main().getByLabel(`${name} (optional)`, { exact: true });
  const inMenu = (name: string) =>
    clickAndLoad(page.getByRole("navigation", { name: "Operator" }).getByRole("link", { name, exact: true }));
  const inTabs = (name: string) =>
    clickAndLoad(page.getByRole("navigation", { name: "Enterprise" }).getByRole("link", { name, exact: true }));
  const read = async (below: string) => (await site.sendOk("GET", `${path}${below}`)).body;
  async function openTab(name: string, enterprise = id) {
    await page.goto(`/operator/open?id=${enterprise}`);
    if (name !== "Overview") await inTabs(name);
  }
  async function reloaded(selector: string): Promise<string> {
    await page.reload();
    return textOf(page, selector);
  }
  const secret = async () => (await page.locator("#secret").innerText()).trim();
  const bearer = (key: string) => ({ headers: { Authorization: `Bearer ${key}` } });

  /** Checks the page on each screen, and takes its pictures if they are wanted. */
  async function look(name: string) {
    if (!script) return;
    await page.waitForLoadState();
    expect(await axeViolations(page), name).toEqual([]);
    for (const theme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme: theme });
      if (theme === "dark") expect(await axeViolations(page, "colours"), `${name}, dark`).toEqual([]);
      for (const size of SIZES) {
        if (theme === "dark" && !process.env.FUELGAUGE_PICTURES) continue;
        await page.setViewportSize(size);
        expect(await overflowingElements(page), `${name} at ${size.width}`).toEqual([]);
        expect(await isHeaderOneRow(page), `the header of ${name} at ${size.width}`).toBe(true);
        await savePicture(page, `task-${name}-${theme}-${size.width}`);
      }
    }
    await page.emulateMedia({ colorScheme: "light" });
  }

  it("creates an enterprise", async () => {
    await page.goto("/operator");
    await look("list");
    await follow("New enterprise");
    await field("Id").fill(id);
    await field("Name").fill("Hooli");
    await look("new");
    await press("Create");
    expect(await notice()).toBe("Created.");
    expect((await read("")).name).toBe("Hooli");
    await look("overview");
  });

  it("adds a plan to the catalogue", async () => {
    await inMenu("Plans");
    await page.getByRole("group", { name: "A new plan" }).getByLabel("Id").fill(`starter-${script}`);
    await page.getByRole("group", { name: "A new plan" }).getByLabel("Name").fill("Starter");
    await page.getByRole("group", { name: "A new plan" }).getByLabel("Credits in each cycle").fill("1,200");
    await look("plans");
    await press("Save");
    const { plans } = (await site.sendOk("GET", "/v1/plans")).body;
    expect(plans.at(-1)).toMatchObject({ id: `starter-${script}`, allowance_micros: 1_200_000_000 });
  });

  it("gives an enterprise another plan", async () => {
    await openTab("Settings");
    await field("Plan").selectOption("team");
    await look("settings");
    await press("Save");
    expect((await read("")).plan).toBe("team");
  });

  it("finds the enterprises of a plan", async () => {
    await site.sendOk("POST", `${path}/rebuild`);
    await page.goto("/operator");
    await field("Plan").selectOption("team");
    await press("Show");
    expect(await textOf(page, "#rows-enterprises")).toContain("Hooli");
    await look("list-of-plan");
  });

  it("grants credits", async () => {
    await openTab("Grants");
    await field("Credits").fill("250");
    await look("grants");
    await press("Grant");
    expect((await read("/gauge")).bonus.remaining_micros).toBe(250_000_000);
  });

  let key = "";
  it("makes a key for the agents", async () => {
    await openTab("Keys");
    await field("Name").fill("agents");
    await press("Make the key");
    key = await secret();
    await look("key");
    expect((await site.send("GET", `${path}/gauge`, undefined, bearer(key))).status).toBe(200);
    if (script) {
      await page.context().grantPermissions(["clipboard-read", "clipboard-write"]);
      await page.getByRole("button", { name: "Copy: The key" }).click();
      await expect.poll(() => page.evaluate(() => navigator.clipboard.readText())).toBe(key);
      await expect.poll(() => page.getByRole("button", { name: "Copy: The key" }).innerText()).toBe("Copied");
    }
  });

  it("replaces a key and revokes the old one", async () => {
    await openTab("Keys");
    await field("Name").fill("agents, new");
    await press("Make the key");
    const replacement = await secret();
    await follow("Done");
    await look("keys");
    await clickAndLoad(page.getByRole("link", { name: "Revoke agents", exact: true }));
    await look("revoke");
    await press("Revoke the key");
    expect((await site.send("GET", `${path}/gauge`, undefined, bearer(key))).body.code).toBe("key_revoked");
    expect((await site.send("GET", `${path}/gauge`, undefined, bearer(replacement))).status).toBe(200);
    key = replacement;
  });

  it("makes a sign-in link", async () => {
    await openTab("Access");
    await look("access");
    await field("User").fill("ada");
    await press("Make a link");
    expect(await secret()).toContain("/signin?token=");
  });

  it("makes an embed token and sees the usage bar live", async () => {
    await openTab("Access");
    await field("Bar's user").fill("ada");
    await field("Origin").fill("https://editor.example");
    await press("Make a token");
    const headers = { ...bearer(await secret()).headers, Origin: "https://editor.example" };
    expect((await site.send("GET", `${path}/gauge`, undefined, { headers })).status).toBe(200);
    if (!script) return;
    const bar = page.locator("usage-bar").first();
    await bar.getByText("0 of 25,250 credits").waitFor();
    await look("embed-token");
    const used = { run: "run-bar", model: "plain", surface: "web", workspace: "shop", user: "ada", final: true };
    const usage = { input_tokens: 1_000_000, output_tokens: 0 };
    const report = { ...used, usage, started_at: new Date().toISOString() };
    await site.sendOk("POST", `${path}/debits`, report);
    await bar.getByText("100 of 25,250 credits").waitFor();
  });

  it("signs a person out", async () => {
    await openTab("Access");
    await field("Person").fill("ada");
    await press("Sign the person out");
    expect(await notice()).toContain("Signed out.");
  });

  it("sets a spend cap", async () => {
    const byom = `${id}-byom`;
    const settings = { name: "Own model", billing_model: "byom", plan: "team" };
    await site.sendOk("PUT", `/v1/enterprises/${byom}`, settings);
    await openTab("Spend cap", byom);
    await optional("Cap in dollars a month").fill("500");
    await look("cap");
    await press("Save");
    expect((await site.sendOk("GET", `/v1/enterprises/${byom}/gauge`)).body.spend.cap_micros).toBe(500_000_000);
  });

  it("sets a budget", async () => {
    await openTab("Budgets");
    await field("Id of the user").fill("ada");
    await optional("Limit in credits").fill("50");
    await press("Save");
    expect((await read("/budgets")).rows).toMatchObject([{ id: "ada", limit_micros: 50_000_000 }]);
    await look("budgets");
  });

  it("suspends an enterprise and resumes it", async () => {
    await openTab("Overview");
    await follow("Suspend");
    await press("Suspend it");
    expect((await read("")).suspended).toBe(true);
    await look("suspended");
    await press("Resume");
    expect((await read("")).suspended).toBe(false);
  });

  it("changes a price", async () => {
    await inMenu("Prices");
    await look("prices");
    await follow("other");
    const entry = await field("The entry as JSON").inputValue();
    await field("The entry as JSON").fill(entry.replace('"input": "1"', '"input": "3"'));
    await look("price");
    await press("Save");
    expect((await site.sendOk("GET", "/v1/price-book/models/other")).body.input).toBe("3");
    await site.sendOk("PATCH", "/v1/price-book", { models: [{ id: "other", input: "1", output: "1" }] });
  });

  it("finds a run by its id and reads its receipt", async () => {
    const run = `run-${script}`;
    const report = { run, model: "plain", surface: "web", workspace: "shop", user: "ada", final: true };
    const usage = { input_tokens: 20_000, output_tokens: 0 };
    await site.sendOk("POST", `${path}/debits`, { ...report, usage, started_at: new Date().toISOString() });
    await site.sendOk("POST", `${path}/rebuild`);
    await inMenu("Find a run");
    await look("find");
    await field("Run").fill("run-none");
    await press("Find");
    expect(await textOf(page, ".notice")).toContain("has a run run-none in its copy");
    await look("find-none");
    await field("Run").fill(run);
    await press("Find");
    expect(await textOf(page, "main")).toContain("2.0 credits charged");
    await look("receipt");
  });

  it("exports the runs", async () => {
    await openTab("Data");
    await look("data");
    await field("What").selectOption("runs");
    const [download] = await Promise.all([
      page.waitForEvent("download"),
      main().getByRole("button", { name: "Download" }).click(),
    ]);
    const lines = (await readFile(await download.path(), "utf8")).trim().split("\n");
    expect(lines.some((line) => JSON.parse(line).run === `run-${script}`)).toBe(true);
    expect(JSON.parse(lines.at(-1) ?? "")).toEqual({ next: null });
  });

  it("imports history from a file, after correcting a wrong one", async () => {
    const day = new Date(Date.now() - 90 * 86_400_000).toISOString().slice(0, 10);
    const send = async (text: string) => {
      await openTab("Data");
      await field("File").setInputFiles({ name: "old.csv", mimeType: "text/csv", buffer: Buffer.from(text) });
      await press("Import");
    };
    const head = "day,surface,workspace,user,model,requests,amount,input_tokens\n";
    await send(`${head}${day},web,shop,ada,gpt-5,twelve,3.4,90000`);
    expect(await page.locator("#e-file").innerText()).toContain("Row 1: requests must be an integer");
    await look("import-refused");
    await send(`${head}${day},web,"shop",ada,gpt-5,12,3.4,90000\n`);
    expect(await notice()).toBe("1 row imported. Charts and tables show them within seconds.");
    const { rows } = await read("/cycles");
    expect(rows.some(({ imported }: { imported: boolean }) => imported)).toBe(true);
  });

  it("names the people and workspaces of an enterprise", async () => {
    await openTab("Directory");
    await field("One of the users in each line").fill('ada, Ada Lovelace\ngrace, "Hopper, Grace"');
    await press("Save the names");
    expect(await notice()).toContain("Saved.");
    await expect.poll(() => reloaded("#rows-names"), RELOADING).toContain("Ada Lovelace");
    await look("directory");
  });

  it("erases a person, and sees the job end", async () => {
    await openTab("Data");
    await field("User").fill("ada");
    await press("Erase …");
    await look("erase");
    await press("Erase the person");
    if (!script) await expect.poll(() => reloaded("#job"), RELOADING).toContain("Done");
    await expect.poll(() => textOf(page, "#job")).toContain("Done");
    await look("job");
    expect(JSON.stringify(await read(`/runs/run-${script}`))).not.toContain('"ada"');
  });

  it("moves the copy to another database", async () => {
    await openTab("Data");
    const target = await field("Move it to").locator("option").first().innerText();
    await press("Move the copy");
    await look("job-running");
    await openTab("Data");
    await expect.poll(() => reloaded("main"), RELOADING).toContain(`in the database ${target}`);
  });

  it("learns that the platform cannot restore", async () => {
    await openTab("Data");
    await field("Moment (UTC)").fill(new Date(Date.now() - 60_000).toISOString().slice(0, 16));
    await press("Restore …");
    await look("restore");
    await press("Restore it");
    expect(await page.locator("#e-at").innerText()).toContain("(501 not_supported)");
  });

  it("sees the jobs", async () => {
    await inMenu("Jobs");
    expect(await textOf(page, "#rows-jobs")).toMatch(/Move of the copy|Erasure/);
    await look("jobs");
    await clickAndLoad(page.getByRole("link", { name: "Failed" }));
    expect(await textOf(page, "#rows-jobs")).toBe("There are no such jobs.");
  });

  it("adds a channel, pauses it and removes it", async () => {
    await openTab("Channels");
    await look("channels-empty");
    await field("Name").fill("ops");
    await field("Send to").selectOption("webhook");
    await field("Address").fill("https://hooks.acme.example/channel");
    await press("Add channel");
    expect(await secret()).toMatch(/^whsec_/);
    await follow("Done");
    await clickAndLoad(page.getByRole("button", { name: "Pause: ops" }));
    expect((await read("/channels")).rows ?? (await read("/channels"))).toMatchObject([{ id: "ops", paused: true }]);
    await look("channels");
    await clickAndLoad(page.getByRole("link", { name: "Remove ops" }));
    await press("Remove");
    expect(await textOf(page, "main")).toContain("There is no channel yet");
  });

  it("grants a referral", async () => {
    const guest = `${id}-guest`;
    await site.sendOk("PUT", `/v1/enterprises/${guest}`, { name: "Guest", billing_model: "credits", plan: "free" });
    await openTab("Overview");
    const code = (await page.locator("#referral-code").innerText()).trim();
    await inMenu("Referrals");
    await field("Referral code").fill(code);
    await field("Invited enterprise").fill(guest);
    await look("referrals");
    await press("Grant both sides the bonus");
    expect((await site.sendOk("GET", `/v1/enterprises/${guest}/grants`)).body.rows).toHaveLength(1);
  });

  it("looks at the whole fleet", async () => {
    await inMenu("Fleet");
    expect(await textOf(page, "#rows-plans")).toContain("team");
    await look("fleet");
  });

  it("makes an operator key with one scope, whose session sees only its pages", async () => {
    await inMenu("Keys");
    await field("Name").fill("support desk");
    await page.locator('input[name="grants"]').check();
    await look("operator-keys");
    await press("Make the key");
    const made = await secret();
    const context = await site.newContext({ script });
    const desk = await context.newPage();
    await desk.goto("/operator");
    await desk.getByLabel("Operator key").fill(made);
    await clickAndLoad(desk.getByRole("button", { name: "Sign in" }));
    const menu = desk.getByRole("navigation", { name: "Operator" });
    expect(await menu.getByRole("link").allInnerTexts()).toEqual(["Enterprises", "Referrals"]);
    if (script) await savePicture(desk, "task-scoped-home");
    await desk.getByPlaceholder("Id of the enterprise").fill(id);
    await clickAndLoad(desk.getByRole("button", { name: "Open" }));
    expect(await desk.getByRole("navigation", { name: "Enterprise" }).getByRole("link").allInnerTexts()).toEqual([
      "Grants",
    ]);
    await desk.goto(`/operator/enterprises/${id}/settings`);
    expect(await textOf(desk, "main")).toContain("does not have the scope for this");
    await page.goto("/operator/keys");
    await clickAndLoad(page.getByRole("link", { name: "Revoke support desk" }).first());
    await press("Revoke the key");
    await desk.goto(`/operator/enterprises/${id}/grants`);
    await desk.getByLabel("Operator key").waitFor();
    await context.close();
  });

  it("deletes an enterprise after typing its id", async () => {
    await openTab("Data");
    await follow("Delete this enterprise …");
    await field(`Type its id, ${id}, to delete it`).fill("another");
    await press("Delete it for good");
    expect(await page.locator("#e-confirm").innerText()).toContain("Nothing was deleted.");
    await look("delete");
    await field(`Type its id, ${id}, to delete it`).fill(id);
    await press("Delete it for good");
    expect(await textOf(page, "h1")).toBe("Deletion");
    expect((await site.send("GET", path)).status).toBe(404);
  });

  it("meets no script error and no violation of the content security policy", () => {
    const expected = /status of (401|403|404|422)/;
    expect(browserErrors.filter((error) => !expected.test(error))).toEqual([]);
  });
});
