/** Signing in and out: links, sessions, roles, cross-site forms, and the security headers of pages. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { axeViolations } from "./looks.ts";
import { type Enterprise, FORM, type Site, startSite, textOf } from "./site.ts";

let site: Site;
let acme: Enterprise;
let globex: Enterprise;

beforeAll(async () => {
  site = await startSite();
  acme = await site.newEnterprise();
  globex = await site.newEnterprise({ billing_model: "byom", monthly_allowance_micros: null, name: "Globex Energy" });
  await globex.cap(500_000_000);
});
afterAll(() => site.stop());

const html = (cookie = "") => ({ headers: { Accept: "text/html", ...(cookie === "" ? {} : { Cookie: cookie }) } });

async function newLink(enterprise = acme): Promise<URL> {
  const { body } = await site.sendOk("POST", `/v1/enterprises/${enterprise.id}/sessions`, {
    user: "ada",
    role: "admin",
  });
  return new URL(body.url);
}

function capForm(cookie: string, headers: Record<string, string>, fields = "limit=cap&cap=600&from=500000000") {
  const type = { "Content-Type": "application/x-www-form-urlencoded", Accept: "text/html" };
  return site.send("POST", "/settings/model", fields, { headers: { ...type, Cookie: cookie, ...headers } });
}

describe("a sign-in link", () => {
  it("works once, and is not used by opening its page", async () => {
    const link = await newLink();
    await acme.directory({ users: [{ id: "ada", name: "Ada Lovelace" }] });
    for (let visits = 0; visits < 3; visits++) {
      const shown = await site.send("GET", link.pathname + link.search, undefined, html());
      expect(shown.status).toBe(200);
      expect(shown.headers.get("Set-Cookie")).toBeNull();
    }
    const context = await site.newContext();
    const page = await context.newPage();
    await page.goto(link.href);
    await expect.poll(() => textOf(page, "main")).toContain("As Ada Lovelace (admin) of Acme Robotics.");
    expect(await axeViolations(page)).toEqual([]);
    await page.getByRole("button", { name: "Sign in" }).click();
    await page.waitForURL("**/settings/usage");
    await page.goto(link.href);
    await page.getByRole("button", { name: "Sign in" }).click();
    await expect.poll(() => textOf(page, "main")).toContain("Sign-in link already used");
    await context.close();
  });

  it("is refused with 410 if its token is forged, of another kind, or missing", async () => {
    const { body } = await site.sendOk("POST", `/v1/enterprises/${acme.id}/embed-tokens`, {
      user: "ada",
      role: "admin",
      origin: "https://editor.example",
    });
    for (const token of ["", "nonsense", `${(await newLink()).searchParams.get("token")}x`, body.token as string]) {
      const path = `/signin?token=${encodeURIComponent(token)}`;
      expect((await site.send("GET", path, undefined, html())).status).toBe(410);
      const posted = await site.send("POST", "/signin", `token=${encodeURIComponent(token)}`, FORM);
      expect(posted.status).toBe(410);
      expect(posted.headers.get("Set-Cookie")).toBeNull();
    }
  });

  it("cannot be used by a form of another site", async () => {
    const token = (await newLink()).searchParams.get("token");
    const crossSite = { ...FORM.headers, "Sec-Fetch-Site": "cross-site" };
    const refused = await site.send("POST", "/signin", `token=${token}`, { headers: crossSite });
    expect(refused.status).toBe(403);
    expect(refused.text).toContain("csrf_failed");
    expect((await site.send("POST", "/signin", `token=${token}`, FORM)).status).toBe(303);
  });

  it("sets a cookie that scripts cannot read and other sites cannot use", async () => {
    const token = (await newLink()).searchParams.get("token");
    const cookie = (await site.send("POST", "/signin", `token=${token}`, FORM)).headers.get("Set-Cookie") ?? "";
    expect(cookie).toMatch(/^fuelgauge=[^;]+; Max-Age=43200; Path=\/; HttpOnly; SameSite=Lax$/);
  });
});

describe("a visitor without a session", () => {
  it("is redirected to the start page, which explains the product and names no enterprise", async () => {
    for (const path of ["/settings/usage", "/settings/model", "/settings/usage/runs/run-1"]) {
      const answer = await site.send("GET", path, undefined, html("none="));
      expect([answer.status, answer.headers.get("Location")]).toEqual([303, "/"]);
    }
    const context = await site.newContext();
    const page = await context.newPage();
    await page.goto("/");
    await expect.poll(() => textOf(page, "main")).toContain("Fuelgauge is the credit ledger and usage dashboard");
    expect(await page.content()).not.toContain("Acme Robotics");
    expect(await axeViolations(page)).toEqual([]);
    await context.close();
  });

  it("cannot use the demo sign-in outside demo mode", async () => {
    expect((await site.send("POST", "/demo/signin", `enterprise=${acme.id}`, FORM)).status).toBe(404);
  });

  it("includes one whose session cookie was altered", async () => {
    const cookie = await site.cookieFor(acme);
    const answer = await site.send("GET", "/settings/usage", undefined, html(`${cookie}x`));
    expect(answer.status).toBe(303);
  });

  it("gets 401 and 'Signed out' for a part of the page", async () => {
    const answer = await site.send("GET", "/settings/usage?part=now", undefined, {
      headers: { Accept: "text/html", Cookie: "none=", "HX-Request-Type": "partial" },
    });
    expect(answer.status).toBe(401);
    expect(answer.text).toContain("Signed out");
  });
});

it("shows a signed-in person only their own enterprise", async () => {
  await globex.run(1_000_000, { run: "secret-run" });
  const cookie = await site.cookieFor(acme);
  const foreign = await site.send("GET", "/settings/usage/runs/secret-run", undefined, html(cookie));
  expect(foreign.status).toBe(404);
  expect((await site.send("GET", `${globex.path}/gauge`, undefined, html(cookie))).status).toBe(404);
  expect((await site.send("GET", `${acme.path}/gauge`, undefined, html(cookie))).status).toBe(200);
});

it("signs out by a form, after which the pages need a new sign-in", async () => {
  const { page, context } = await site.signIn(acme);
  await page.goto("/signout");
  await page.locator("main").getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/");
  await page.goto("/settings/usage");
  expect(new URL(page.url()).pathname).toBe("/");
  await context.close();
});

describe("the form for the cap", () => {
  it("is accepted only from the same origin, by Sec-Fetch-Site or else by Origin", async () => {
    const cookie = await site.cookieFor(globex);
    const refused: Record<string, string>[] = [
      {},
      { "Sec-Fetch-Site": "cross-site" },
      { "Sec-Fetch-Site": "same-site" },
      { "Sec-Fetch-Site": "cross-site", Origin: site.base },
      { Origin: "https://evil.example" },
      { Origin: "null" },
    ];
    for (const headers of refused) {
      const answer = await capForm(cookie, headers);
      expect([answer.status, answer.text.includes("csrf_failed")], JSON.stringify(headers)).toEqual([403, true]);
    }
    expect((await globex.gauge()).spend.cap_micros).toBe(500_000_000);
    expect((await capForm(cookie, { Origin: site.base })).status).toBe(303);
    expect(
      (await capForm(cookie, { "Sec-Fetch-Site": "same-origin" }, "limit=cap&cap=500&from=600000000")).status,
    ).toBe(303);
    expect((await globex.gauge()).spend.cap_micros).toBe(500_000_000);
  });

  it("is refused for a member and not shown to one", async () => {
    const cookie = await site.cookieFor(globex, "member");
    const answer = await capForm(cookie, { Origin: site.base });
    expect([answer.status, answer.text.includes("Only an admin")]).toEqual([403, true]);
    const shown = await site.send("GET", "/settings/model", undefined, html(cookie));
    expect(shown.text).not.toContain('<input type="hidden" name="from"');
    expect(shown.text).toContain("Only an admin can change the cap");
    expect((await globex.gauge()).spend.cap_micros).toBe(500_000_000);
  });

  it("is refused if it was opened while signed in to another enterprise", async () => {
    const cookie = await site.cookieFor(globex);
    const own = await site.send("GET", "/settings/model", undefined, html(cookie));
    expect(own.text).toContain(`<input type="hidden" name="enterprise" value="${globex.id}"`);
    const fields = `limit=cap&cap=600&from=500000000&enterprise=${acme.id}`;
    const answer = await capForm(cookie, { Origin: site.base }, fields);
    expect([answer.status, answer.text.includes("Nothing was saved")]).toEqual([409, true]);
    expect((await globex.gauge()).spend.cap_micros).toBe(500_000_000);
  });

  it("is refused for an enterprise that is billed in credits", async () => {
    const cookie = await site.cookieFor(acme);
    expect((await capForm(cookie, { Origin: site.base }, "limit=cap&cap=5&from=none")).status).toBe(409);
  });

  it("does not make the session valid for JSON writes", async () => {
    const cookie = await site.cookieFor(globex);
    const answer = await site.send("PUT", `${globex.path}/spend-cap`, { monthly_cap_micros: null }, html(cookie));
    expect(answer.status).toBe(401);
  });
});

it("answers every page with security headers and no-store", async () => {
  const cookie = await site.cookieFor(acme);
  for (const path of ["/", "/settings/usage", "/settings/model", "/signin?token=x", "/settings/nothing"]) {
    const { headers } = await site.send("GET", path, undefined, html(cookie));
    const policy = headers.get("Content-Security-Policy") ?? "";
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("style-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain("unsafe");
    expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(headers.get("Cache-Control")).toContain("no-store");
    expect(headers.get("Vary")).toContain("HX-Request-Type");
  }
});

it("puts no inline script, style or handler into a page", async () => {
  await acme.run(50);
  const cookie = await site.cookieFor(acme);
  for (const path of ["/settings/usage", "/settings/model", "/", "/settings/usage/runs/run-0001"]) {
    const { text } = await site.send("GET", path, undefined, html(cookie));
    expect(text).not.toMatch(/<[^>]+\sstyle=|<style|\son[a-z]+=|javascript:|hx-on/i);
    expect(text.match(/<script(?![^>]*\ssrc="\/)[^>]*>/g)).toBeNull();
  }
});

it("answers an unknown path with a page, or with a problem if the caller does not accept HTML", async () => {
  const page = await site.send("GET", "/settings/nothing", undefined, html());
  expect([page.status, page.headers.get("Content-Type")]).toEqual([404, "text/html; charset=UTF-8"]);
  const problem = await site.send("GET", "/settings/nothing");
  expect([problem.status, problem.body.code]).toEqual([404, "not_found"]);
});

describe("in local demo mode", () => {
  let demo: Site;

  beforeAll(async () => {
    demo = await startSite({ demo: true });
  });
  afterAll(() => demo.stop());

  it("the start page signs in to demo enterprises and to no other", async () => {
    const yesterday = new Date(Date.now() - 86_400_000).toISOString();
    const shown = await demo.newEnterprise({ name: "Initech", plan: "free", test_clock: yesterday });
    await demo.sendOk("POST", `${shown.path}/demo/follow-real-clock`);
    const hidden = await demo.newEnterprise({ name: "Hooli" });
    const context = await demo.newContext();
    const page = await context.newPage();
    await page.goto("/");
    await expect.poll(() => textOf(page, ".demos")).toContain("Initech Credits, free plan · 0 of 500 credits (0 %)");
    expect(await page.content()).not.toContain("Hooli");
    expect(await axeViolations(page)).toEqual([]);
    const editor = page.getByRole("link", { name: "Open the demo editor" });
    expect(await editor.getAttribute("href")).toBe("http://localhost:8788/");
    await page.getByRole("button", { name: "As member" }).click();
    await page.waitForURL("**/settings/usage");
    await expect.poll(() => textOf(page, ".who")).toContain("demo member");
    expect((await demo.send("POST", "/demo/signin", `enterprise=${hidden.id}`, FORM)).status).toBe(404);
    const crossSite = { headers: { ...FORM.headers, "Sec-Fetch-Site": "cross-site" } };
    expect((await demo.send("POST", "/demo/signin", `enterprise=${shown.id}`, crossSite)).status).toBe(403);
    await context.close();
  });

  it("the start page signs in as the member whose budget is used up, and never with more than a member's rights", async () => {
    const yesterday = new Date(Date.now() - 86_400_000).toISOString();
    const shown = await demo.newEnterprise({ name: "Acme", test_clock: yesterday });
    await shown.directory({ users: [{ id: "yuki", name: "Yuki Tanaka" }] });
    await demo.sendOk("PUT", `${shown.path}/budgets/user/yuki/cycle`, { limit_micros: 0 });
    await demo.sendOk("POST", `${shown.path}/demo/follow-real-clock`);
    const context = await demo.newContext();
    const page = await context.newPage();
    await page.goto("/");
    await page.getByRole("button", { name: "As Yuki Tanaka, out of budget" }).click();
    await page.waitForURL("**/settings/usage");
    expect(await textOf(page, ".who")).toContain("Yuki Tanaka member");
    expect(await textOf(page, "main")).toContain("no new run of yours starts");
    await context.request.post("/demo/signin", {
      form: { enterprise: shown.id, user: "yuki", role: "admin" },
      headers: { Origin: demo.base },
    });
    await page.goto("/settings/budgets");
    expect(await page.locator("#set").count()).toBe(0);
    await context.close();
  });
});
