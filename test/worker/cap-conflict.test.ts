/** The guard of the cap's form: between what its maker saw and what is in force nothing may have changed. */
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { isRefusal } from "../../src/ledger/refusals.ts";
import { newEnterprise } from "./api.ts";

const ADA = { kind: "user", user: "ada", role: "admin" } as const;

it("sets a cap only while the one that its maker saw is in force", async () => {
  const { id, gauge } = await newEnterprise({ billing_model: "byom" });
  const setCap = async (cap: number | null, from: number | null) => {
    const answer = await env.ENTERPRISE.getByName(id).setCap(ADA, cap, from);
    return isRefusal(answer) ? answer.refusal.code : answer.spend?.cap_micros;
  };
  expect(await setCap(500, null)).toBe(500);
  // Two admins had the same page open: the second form was made from no cap.
  expect(await setCap(700, null)).toBe(500);
  expect((await gauge()).spend.cap_micros).toBe(500);
  expect(await setCap(null, 500)).toBeNull();
  const entries = await env.ENTERPRISE.getByName(id).entries(ADA, Number.MAX_SAFE_INTEGER, 10);
  const changes = isRefusal(entries) ? [] : entries.filter(({ facts }) => facts.type === "cap_changed");
  expect(changes.map(({ by }) => by)).toEqual(["user:ada", "user:ada"]);
});
