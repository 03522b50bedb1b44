// /settings/budgets and the operator's page of budgets: what they show, and what their forms do.
import { exports } from "cloudflare:workers";
import { describe, expect, it } from "vitest";
import { CREDIT, costing, type Enterprise, newEnterprise, OPERATOR_KEY, operator, projectNow } from "./api.ts";
import { sessionCookie } from "./sessions.ts";

const HOST = "https://fuelgauge.test";

async function visit(e: Enterprise, who: { user: string; role: "admin" | "member" }) {
  const cookie = await sessionCookie(e.id, who);
  const send = async (path: string, form?: Record<string, string>) => {
    const response = await exports.default.fetch(`${HOST}/settings/${path}`, {
      headers: { ...cookie, Accept: "text/html", "Sec-Fetch-Site": "same-origin" },
      redirect: "manual",
      ...(form === undefined ? {} : { method: "POST", body: new URLSearchParams(form) }),
    });
    return { status: response.status, location: response.headers.get("Location"), html: await response.text() };
  };
  return { open: (path: string) => send(path), post: (path: string, form: Record<string, string>) => send(path, form) };
}

async function operatorCookie(): Promise<string> {
  const answer = await exports.default.fetch(`${HOST}/operator/signin`, {
    method: "POST",
    body: new URLSearchParams({ operator_key: OPERATOR_KEY }),
    headers: { Origin: HOST },
    redirect: "manual",
  });
  return answer.headers.get("Set-Cookie")?.split(";")[0] as string;
}

const put = (e: Enterprise, of: string, limit_micros: number | null) =>
  operator("PUT", `/v1/enterprises/${e.id}/budgets/${of}`, { limit_micros });

describe("an admin", () => {
  it("sets, changes and removes a budget with forms, and sees what blocks and what has changed", async () => {
    const e = await newEnterprise();
    await operator("PUT", `/v1/enterprises/${e.id}/directory`, { users: [{ id: "u1", name: "Ada Lovelace" }] });
    await e.debit(costing(12, { final: false }));
    await projectNow(e.id);
    const admin = await visit(e, { user: "boss", role: "admin" });
    const form = { of: "user", id: "u1", period: "day", kind: "block", limit: "50" };
    expect(await admin.post("budgets", form)).toMatchObject({
      status: 303,
      location: expect.stringContaining("of=user"),
    });
    const shown = (await admin.open("budgets?of=user")).html;
    for (const text of [
      "Ada Lovelace",
      "12.0 credits",
      "50.0 credits",
      "24 % used",
      "user Ada Lovelace, a day: none",
    ]) {
      expect(shown).toContain(text);
    }
    expect(shown, "the form offers names").toContain('<option value="u1">Ada Lovelace</option>');
    expect((await admin.open("budgets?of=user&id=u1&period=day")).html).toMatch(/name="limit"[^>]*value="50"/);
    await admin.post("budgets", { ...form, limit: "10.5" });
    expect((await admin.open("budgets")).html).toContain("New runs are refused for");
    expect((await admin.open("budgets/remove?of=user&id=u1&period=day")).html).toContain("Remove this budget?");
    expect((await admin.post("budgets/remove", form)).status).toBe(303);
    expect((await admin.open("budgets")).html).toContain("No budget is set");
  });

  it("is shown what is wrong with a form, and nothing is saved", async () => {
    const e = await newEnterprise();
    const admin = await visit(e, { user: "boss", role: "admin" });
    const form = { of: "group", id: "*", period: "cycle", kind: "exempt", limit: "" };
    for (const wrong of [{}, { kind: "block", limit: "much" }, { id: "a b", kind: "block", limit: "5" }]) {
      const answer = await admin.post("budgets", { ...form, ...wrong });
      expect(answer.status).toBe(422);
      expect(answer.html).toContain("Nothing was saved.");
    }
    expect((await admin.post("budgets", { ...form, enterprise: "other" })).status).toBe(409);
    expect((await operator("GET", `/v1/enterprises/${e.id}/budgets`)).body.rows).toEqual([]);
  });
});

it("every tab says what blocks now, whatever its dimension, to the admin and to the operator", async () => {
  const e = await newEnterprise();
  await operator("PUT", `/v1/enterprises/${e.id}/directory`, { users: [{ id: "u1", name: "Ada Lovelace" }] });
  await e.debit(costing(12, { user: "u1", workspace: "w1" }));
  await put(e, "user/u1/day", 10 * CREDIT);
  await put(e, "workspace/w1/cycle", 12 * CREDIT);
  await put(e, "group/g1/cycle", 0);
  const admin = await visit(e, { user: "boss", role: "admin" });
  const Cookie = await operatorCookie();
  for (const tab of ["user", "group", "workspace"]) {
    const page = await exports.default.fetch(`${HOST}/operator/enterprises/${e.id}/budgets?of=${tab}`, {
      headers: { Cookie, Accept: "text/html" },
    });
    for (const html of [(await admin.open(`budgets?of=${tab}`)).html, await page.text()]) {
      const text = html.match(/<p id="blocking".*?<\/p>/s)?.[0].replace(/<[^>]+>/g, "");
      expect(text).toMatch(
        /^New runs are refused for user Ada Lovelace \(until .*\), group g1, workspace w1 \(until .*\)\.$/,
      );
    }
  }
});

it("the tables of the usage page show what counts for each row now, and a member sees only their own", async () => {
  const e = await newEnterprise();
  for (const [user, credits] of [
    ["u1", 12],
    ["u2", 3],
  ] as const) {
    await e.debit(costing(credits, { run: user, user }));
  }
  await put(e, "user/*/day", 50 * CREDIT);
  await put(e, "user/u1/cycle", 10 * CREDIT);
  await put(e, "group/none/cycle", null);
  await projectNow(e.id);
  const budgetsOf = async (who: Parameters<typeof visit>[1], query = "") => {
    const { html } = await (await visit(e, who)).open(`usage${query}`);
    const rows = [...html.matchAll(/<tr id="row-(.*?)">(.*?)<\/tr>/gs)];
    return rows.flatMap(([, id, row = ""]) =>
      [...row.matchAll(/<small class="budget.*?>(.*?)<\/small>/g)].map(([, text]) => `${id}: ${text}`),
    );
  };
  const all = [
    "user-u1: 12.0 of 50.0 credits today",
    "user-u1: 12.0 of 10.0 credits this cycle: used up",
    "user-u2: 3.0 of 50.0 credits today",
  ];
  expect(await budgetsOf({ user: "boss", role: "admin" })).toEqual(all);
  expect(await budgetsOf({ user: "u2", role: "member" })).toEqual(all.slice(2));
  expect(await budgetsOf({ user: "boss", role: "admin" }, "?surface=web")).toEqual([]);
});

it("a member sees only what counts for them, here and on the usage page", async () => {
  const e = await newEnterprise();
  await put(e, "user/*/day", 50 * CREDIT);
  await put(e, "user/zoe/day", 70 * CREDIT);
  await e.debit(costing(12, { final: false }));
  const member = await visit(e, { user: "u1", role: "member" });
  const { html } = await member.open("budgets");
  expect(html).toContain("Your budget today: 12.0 of 50.0 credits");
  expect(html).not.toContain("zoe");
  expect(html).not.toContain('<form class="form"');
  expect(
    (await member.post("budgets", { of: "user", id: "u1", period: "day", kind: "block", limit: "900" })).status,
  ).toBe(403);
  expect((await member.open("usage")).html).toContain("Your budget today: 12.0 of 50.0 credits");
});

it("a member who is exempt, or whose budget does not count now, is shown no empty or untrue line", async () => {
  const e = await newEnterprise();
  await put(e, "user/*/day", 50 * CREDIT);
  await put(e, "user/u1/day", null);
  await put(e, "user/u1/cycle", 70 * CREDIT);
  const member = await visit(e, { user: "u1", role: "member" });
  const lines = async () => {
    const { html } = await member.open("budgets");
    return [...html.matchAll(/<p class="notice[^"]*">(.*?)<\/p>/gs)].map(([, text]) => text);
  };
  expect(await lines()).toEqual(["Your budget this cycle: 0 of 70.0 credits"]);
  await operator("PUT", e.path, { billing_model: "byom" });
  expect(await lines()).toEqual([]);
});

it("says that the rest of a budget is held, and what is limited to nothing", async () => {
  const e = await newEnterprise();
  await put(e, "user/u1/day", 10 * CREDIT);
  await put(e, "user/u2/day", 0);
  await put(e, "user/*/cycle", 0);
  await put(e, "user/u1/cycle", null);
  await e.debit(costing(3, { final: false }));
  const held = { run: "r2", surface: "cli", workspace: "w1", user: "u1", hold_micros: 7 * CREDIT };
  expect((await operator("POST", `${e.path}/runs`, held)).status).toBe(201);
  const member = await visit(e, { user: "u1", role: "member" });
  const line = "Your budget today: 3.0 of 10.0 credits (7.0 held); no new run of yours starts.";
  expect((await member.open("budgets")).html).toContain(line);
  expect((await member.open("usage")).html).toContain(line);
  const admin = await visit(e, { user: "boss", role: "admin" });
  await projectNow(e.id);
  expect((await admin.open("usage")).html).toContain("3.0 of 10.0 credits today: the rest is held");
  const { html } = await admin.open("budgets");
  const [, blocking = ""] = /<p id="blocking" .*?>(.*?)<\/p>/s.exec(html) ?? [];
  expect(blocking.replaceAll(/<.*?>/g, "")).toBe(
    "New runs are refused for every user without their own budget for the cycle, user u2, user u1 (the rest is held).",
  );
});
