/** Two admins change the cap at once: the form sends the cap that its admin saw, and a stale one changes nothing. */
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { isRefusal } from "../../src/ledger/refusals.ts";
import { isEntry } from "../../src/wire/entry.ts";
import { newEnterprise } from "./api.ts";

const ADA = { kind: "user", user: "ada", role: "admin" } as const;

it("changes the cap only if it is still the one that the admin saw", async () => {
  const { id, gauge } = await newEnterprise({ billing_model: "byom" });
  const setCap = async (cap: number | null, seenCap: number | null) => {
    const answer = await env.ENTERPRISE.getByName(id).setCap(ADA, cap, seenCap);
    return isRefusal(answer) ? answer.refusal.code : answer.spend?.cap_micros;
  };
  expect(await setCap(500, null)).toBe(500);
  // Two admins had the page open before a cap was set. This is the second one's form.
  expect(await setCap(700, null)).toBe(500);
  expect((await gauge()).spend.cap_micros).toBe(500);
  expect(await setCap(null, 500)).toBeNull();
  const entries = await env.ENTERPRISE.getByName(id).entries(ADA, Number.MAX_SAFE_INTEGER, 10);
  const changes = isRefusal(entries) ? [] : entries.filter(isEntry).filter(({ facts }) => facts.type === "cap_changed");
  expect(changes.map(({ by }) => by)).toEqual(["user:ada", "user:ada"]);
});
