/**
 * What a member sees in an enterprise with `members_see: "own"`: of every route for readers, only what belongs to
 * themselves. With `all`, and for admins, nothing is hidden.
 */
import { describe, expect, it } from "vitest";
import { type Answer, CREDIT, costing, newEnterprise, operator, projectNow, senderWith } from "./api.ts";
import { sessionCookie } from "./sessions.ts";

type Case = {
  path: string;
  /** What the answer shows to a member who sees only their own; 404 if a number. */
  own: number | ((body: Answer["body"]) => void);
};

const total = (micros: number) => (body: Answer["body"]) => expect(body.total_micros).toBe(micros);
const OWN_MICROS = 2 * CREDIT;

const CASES: Case[] = [
  { path: "gauge", own: (body) => expect(body.used_micros).toBe(5 * CREDIT) },
  { path: "usage/top/users", own: total(OWN_MICROS) },
  { path: "usage/top/workspaces", own: total(OWN_MICROS) },
  { path: "usage/top/groups", own: total(OWN_MICROS) },
  { path: "usage/top/models", own: total(OWN_MICROS) },
  { path: "usage/kinds", own: total(OWN_MICROS) },
  { path: "usage/top/users?user=other", own: 404 },
  { path: "usage/kinds?user=other", own: 404 },
  { path: "usage/timeseries?range=7d&user=other", own: 404 },
  {
    path: "usage/timeseries?range=7d",
    own: ({ buckets }) =>
      expect(buckets.reduce((sum: number, b: Answer["body"]) => sum + b.web_micros + b.cli_micros, 0)).toBe(OWN_MICROS),
  },
  { path: "runs", own: ({ rows }) => expect(rows.map(({ run }: { run: string }) => run)).toEqual(["mine"]) },
  { path: "runs?user=other", own: 404 },
  { path: "runs/mine", own: ({ charged_micros }) => expect(charged_micros).toBe(OWN_MICROS) },
  { path: "runs/theirs", own: 404 },
  {
    path: "entries",
    own: ({ rows, next_cursor }) => {
      expect(rows.map((row: Answer["body"]) => [row.type, row.run])).toEqual([["run_closed", "mine"]]);
      expect(next_cursor).toBeNull();
    },
  },
  { path: "grants", own: 404 },
  { path: "webhooks", own: 404 },
];

async function newShared() {
  const enterprise = await newEnterprise({ members_see: "own" });
  const run = (name: string, user: string, credits: number) =>
    operator("POST", `${enterprise.path}/debits`, costing(credits, { run: name, user, final: true }));
  await run("mine", "u1", 2);
  await run("theirs", "other", 3);
  await projectNow(enterprise.id);
  return enterprise;
}

describe("a member's session of an enterprise whose members see only their own", () => {
  it.each(CASES)("at $path", async ({ path, own }) => {
    const { id, path: base } = await newShared();
    const cookieOf = async (role: "admin" | "member") => ({ headers: await sessionCookie(id, { role }) });
    const read = senderWith(null);
    const member = await read("GET", `${base}/${path}`, undefined, await cookieOf("member"));
    if (typeof own === "number") expect(member.status).toBe(own);
    else {
      expect(member.status).toBe(200);
      own(member.body);
    }
    const admin = await read("GET", `${base}/${path}`, undefined, await cookieOf("admin"));
    expect(admin.status).toBe(200);
    await operator("PUT", base, { members_see: "all" });
    const again = await read("GET", `${base}/${path}`, undefined, await cookieOf("member"));
    expect(again.status).toBe(200);
    expect(JSON.stringify(again.body.rows ?? again.body.total_micros)).toBe(
      JSON.stringify(admin.body.rows ?? admin.body.total_micros),
    );
  });
});
