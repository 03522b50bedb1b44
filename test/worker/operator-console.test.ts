// The operator's pages for plans, operator keys and referrals: forms without script, as a browser sends them.
import { exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { Keyring } from "../../src/enterprise/books/keyring.ts";
import { CREDIT, costing, newEnterprise, OPERATOR_KEY, operator, projectNow, senderWith } from "./api.ts";

const SITE = "https://fuelgauge.test";
let cookie = "";

async function send(path: string, form?: Record<string, string>) {
  const headers = { Cookie: cookie, Origin: SITE, "Sec-Fetch-Site": "same-origin", Accept: "text/html" };
  const sent = form === undefined ? {} : { method: "POST", body: new URLSearchParams(form) };
  const response = await exports.default.fetch(SITE + path, { headers, redirect: "manual", ...sent });
  return { status: response.status, text: await response.text(), headers: response.headers };
}

beforeAll(async () => {
  const signedIn = await send("/operator/signin", { operator_key: OPERATOR_KEY });
  cookie = (signedIn.headers.get("Set-Cookie") ?? "").split(";")[0] ?? "";
});

const fieldsOf = (text: string) =>
  Object.fromEntries(
    [...text.matchAll(/<input[^>]*>/g)].flatMap(([input]) => {
      const name = / name="([^"]*)"/.exec(input)?.[1];
      const isUnchecked = input.includes('type="checkbox"') && !/ checked/.test(input);
      return name === undefined || isUnchecked ? [] : [[name, / value="([^"]*)"/.exec(input)?.[1] ?? ""]];
    }),
  );

it("adds a plan, refuses a wrong amount at its field, and keeps a plan that is in use", async () => {
  const form = fieldsOf((await send("/operator/plans")).text);
  const added = { ...form, id_4: "starter", name_4: "Starter", allowance_micros_4: "1,500" };
  expect((await send("/operator/plans", { ...added, allowance_micros_4: "much" })).text).toContain("Must be an amount");
  expect((await send("/operator/plans", added)).status).toBe(303);
  const plans = (await operator("GET", "/v1/plans")).body.plans;
  expect(plans.at(-1)).toEqual({ id: "starter", name: "Starter", allowance_micros: 1_500_000_000, free: false });
  const { id } = await newEnterprise({ plan: "starter" });
  const shown = fieldsOf((await send("/operator/plans")).text);
  const refused = await send("/operator/plans", { ...shown, id_4: "" });
  expect([refused.status, refused.text.includes(`“${id}”`)]).toEqual([422, true]);
  expect((await send("/operator/plans", added)).text).toContain("Somebody else has changed the plans");
});

it("makes an operator key that is shown once, and revokes it", async () => {
  expect((await send("/operator/keys", { name: "ci" })).text).toContain("Must name a scope");
  const made = await send("/operator/keys", { name: "ci", metrics: "yes" });
  const shown = / id="secret"[^>]*>(.*?)<\/code>/s.exec(made.text)?.[1] ?? "";
  const key = shown.replaceAll(/<[^>]*>|\s/g, "");
  const call = senderWith(key);
  expect([key, (await call("GET", "/v1/plans")).text]).toEqual([key, expect.stringContaining("version")]);
  const list = await send("/operator/keys");
  expect(list.text).not.toContain(key);
  const path = /\/operator\/keys\/[\w-]+\/revoke/.exec(list.text)?.[0] ?? "";
  expect((await send(path)).text).toContain("cannot be undone");
  expect((await send(path, { confirmed: "yes" })).status).toBe(303);
  expect((await call("GET", "/v1/plans")).status).toBe(401);
});

describe("the keys of an enterprise", () => {
  const idsOf = (text: string) =>
    [...text.matchAll(/enterprises\/[\w-]+\/keys\/([\w-]+)\/revoke/g)].map(([, id]) => id as string);

  it("are read and shown page by page, newest first, with their last use and their secret", async () => {
    const e = await newEnterprise();
    const made: string[] = [];
    for (let n = 0; n < 44; n++) made.unshift((await e.createKey(["read"], { name: `key ${n}` })).id);
    const readAll = vi.spyOn(Keyring.prototype, "list");
    const path = `/operator/enterprises/${e.id}/keys`;
    const pages: string[][] = [];
    let next: string | undefined = path;
    while (next !== undefined) {
      const { text } = await send(next);
      pages.push(idsOf(text));
      expect(text).toContain("the current secret");
      const older: string | undefined = /href="([^"]*\?before=[^"]*)"/.exec(text)?.[1];
      next = older?.replaceAll("&amp;", "&");
    }
    expect(pages.map((page) => page.length)).toEqual([20, 20, 5]);
    expect(pages.flat().slice(0, 44)).toEqual(made);
    const oldest = `${path}/${made.at(-1)}/revoke`;
    expect((await send(oldest)).text).toContain("key 0");
    expect((await send(`${path}/unheard-of/revoke`)).status).toBe(404);
    expect((await send(oldest, { confirmed: "yes" })).status).toBe(303);
    expect((await send(oldest)).status).toBe(404);
    expect(readAll).not.toHaveBeenCalled();
  });
});

it("grants a referral, and says which field is wrong", async () => {
  const [host, guest] = [await newEnterprise(), await newEnterprise()];
  const code = (await operator("GET", host.path)).body.referral_code;
  expect((await send("/operator/referrals", { code: "x~12345678", referee: guest.id })).status).toBe(422);
  expect((await send("/operator/referrals", { code, referee: guest.id })).text).toContain("Granted 100 credits");
  expect((await guest.get("grants")).rows).toHaveLength(1);
});

describe("the list of enterprises", () => {
  const optionOf = (text: string, plan: string) =>
    new RegExp(`<option value="${plan}"[^>]*>[^<]*\\(([\\d,]+)\\)`).exec(text.replaceAll(/\s+/g, " "))?.[1];
  const idsOf = (text: string) => [...text.matchAll(/<small class="muted name">([^<]*)<\/small>/g)].map(([, id]) => id);

  it("counts exactly the enterprises of each plan, also after a change of plan and a deletion", async () => {
    const countOf = async (plan: string) =>
      Number((optionOf((await send("/operator")).text, plan) ?? "").replace(",", ""));
    const before = [await countOf("team"), await countOf("free")];
    const e = await newEnterprise({ plan: "team" });
    expect(await countOf("team")).toBe((before[0] ?? 0) + 1);
    await operator("PUT", e.path, { plan: "free" });
    expect([await countOf("team"), await countOf("free")]).toEqual([before[0], (before[1] ?? 0) + 1]);
    await operator("DELETE", `${e.path}?confirm=${e.id}`);
    expect([await countOf("team"), await countOf("free")]).toEqual(before);
  });

  it("shows the enterprises of one plan by id, page by page", async () => {
    const made = [];
    for (let n = 0; n < 22; n++) made.push(await newEnterprise({ plan: "enterprise" }));
    for (const { id } of made) await projectNow(id);
    const first = await send("/operator?plan=enterprise");
    const more = /href="(\/operator\?plan=enterprise&amp;after=[^"]*)"/.exec(first.text)?.[1] ?? "";
    const second = await send(more.replaceAll("&amp;", "&"));
    const shown = [...idsOf(first.text), ...idsOf(second.text)];
    expect(idsOf(first.text)).toHaveLength(20);
    expect(shown).toEqual([...shown].sort());
    expect(shown).toEqual(expect.arrayContaining(made.map(({ id }) => id)));
    expect((await send("/operator?plan=nothing")).text).toContain("No enterprise has this plan.");
  });
});

it("lists the enterprises with a state and a billing model: exactly those that the list shows in that state", async () => {
  const { plans, version } = (await operator("GET", "/v1/plans")).body;
  const plan = { id: "constructor", name: "Odd", allowance_micros: 100 * CREDIT, free: false };
  await operator("PUT", "/v1/plans", { plans: [...plans, plan], version });
  const clock = { plan: "constructor", test_clock: "2026-03-05T12:00:00Z" };
  const made = {
    Suspended: [await newEnterprise({ ...clock, suspended: true })],
    Exhausted: [await newEnterprise({ ...clock, monthly_allowance_micros: 0 })],
    Capped: [await newEnterprise({ ...clock, billing_model: "byom" })],
    "On track": [await newEnterprise(clock)],
    "In debt": [await newEnterprise(clock)],
    "No cap": [await newEnterprise({ ...clock, billing_model: "byom" })],
    OK: [await newEnterprise(clock), await newEnterprise({ plan: "constructor" })],
  };
  await operator("PUT", `${made.Capped[0]?.path}/spend-cap`, { monthly_cap_micros: 0 });
  const at = { started_at: "2026-03-05T11:00:00Z" };
  await made["On track"][0]?.debit(costing(60, at));
  await made["In debt"][0]?.debit(costing(160, at));
  const everyone = Object.values(made).flat();
  for (const { id } of everyone) await projectNow(id);
  const rowsOf = (text: string) =>
    [...text.matchAll(/<tr.*?<\/tr>/gs)].flatMap(([row]) => {
      const id = /<small class="muted name">([^<]*)</.exec(row)?.[1];
      return id === undefined ? [] : [[id, row] as const];
    });
  const all = rowsOf((await send("/operator?plan=constructor")).text);
  expect(all.map(([id]) => id)).toEqual(everyone.map(({ id }) => id).sort());
  const TEXTS = {
    suspended: />Suspended</,
    out: />(Exhausted|Capped)</,
    running_out: />On track to/,
    in_debt: />In debt</,
    no_cap: />No cap</,
    ok: />(OK|Too early to tell)</,
  };
  for (const [state, text] of Object.entries(TEXTS)) {
    const expected = all.filter(([, row]) => text.test(row)).map(([id]) => id);
    expect([state, expected.length]).toEqual([state, expect.any(Number)]);
    expect(expected.length).toBeGreaterThan(0);
    for (const billing of ["", "credits", "byom"]) {
      const query = new URLSearchParams({ plan: "constructor", state, billing, sort: "id" });
      const page = await send(`/operator?${query}`);
      const isOwn = (id: string) => [...made.Capped, ...made["No cap"]].some((e) => e.id === id);
      const wanted = expected.filter((id) => billing === "" || isOwn(id) === (billing === "byom"));
      expect([state, billing, rowsOf(page.text).map(([id]) => id)]).toEqual([state, billing, wanted]);
      expect(page.text).toContain(`<option value="${state}" selected`);
    }
  }
  expect((await send("/operator")).text.replaceAll(/\s+/g, " ")).toMatch(/<option value="constructor">Odd \(8\)/);
  expect((await send("/operator?state=nothing")).text).toContain("Newest first");
});

it("finds a run in any enterprise by its id, and says how many it has searched", async () => {
  const e = await newEnterprise();
  const { run } = costing(1, { run: `only-${e.id}` });
  await e.debit(costing(1, { run }));
  await projectNow(e.id);
  const found = await send(`/operator/find?run=${run}`);
  expect(found.headers.get("Location")).toBe(`/operator/enterprises/${e.id}/runs/${run}`);
  expect((await send(`/operator/enterprises/${e.id}/runs/${run}`)).text).toContain(`Receipt of ${run}`);
  expect((await send("/operator/find?run=nothing")).text).toMatch(/None of \d+ enterprises has a run/);
  expect((await send("/operator/find?run=..")).status).toBe(422);
});
