// The catalogue of plans: its shape, its versions, which enterprises it protects, and when an edited plan applies.
import { runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { CREDIT, expectProblem, freshId, invalidPaths, newEnterprise, objectOf, operator } from "./api.ts";

const PATH = "/v1/plans";
const FIRST = [
  { id: "free", name: "Free", allowance_micros: 500 * CREDIT, free: true },
  { id: "pro", name: "Pro", allowance_micros: 5_000 * CREDIT, free: false },
  { id: "team", name: "Team", allowance_micros: 25_000 * CREDIT, free: false },
  { id: "enterprise", name: "Enterprise", allowance_micros: 100_000 * CREDIT, free: false },
];
const STARTER = { id: "starter", name: "Starter", allowance_micros: 800 * CREDIT, free: false };

const versionOf = async (): Promise<number> => (await operator("GET", PATH)).body.version;
const putPlans = (...more: object[]) => operator("PUT", PATH, { plans: [...FIRST, ...more] });
const alertsOf = async (e: Awaited<ReturnType<typeof newEnterprise>>) =>
  (await e.gauge()).alerts.map(({ code }: { code: string }) => code);

describe("the catalogue", () => {
  it("begins with four plans, of which free is marked", async () => {
    expect((await operator("GET", PATH)).body).toEqual({ version: 1, plans: FIRST });
  });

  it("is replaced as a whole, and gets the next version", async () => {
    const version = await versionOf();
    const put = await putPlans(STARTER);
    expect([put.status, put.body]).toEqual([201, { version: version + 1, plans: [...FIRST, STARTER] }]);
    expect((await operator("GET", PATH)).body).toEqual(put.body);
  });

  it("accepts what it has returned, and refuses a version that is no longer current", async () => {
    const read = (await operator("GET", PATH)).body;
    expect((await operator("PUT", PATH, read)).body.version).toBe(read.version + 1);
    expectProblem(await operator("PUT", PATH, read), 409, "plans_conflict");
  });

  it("refuses plans that are not valid, and changes nothing", async () => {
    const version = await versionOf();
    const bad = (plan: object) => operator("PUT", PATH, { plans: [{ ...STARTER, ...plan }] });
    expect(invalidPaths(await bad({ id: "a b" }))).toEqual(["plans.0.id"]);
    expect(invalidPaths(await bad({ allowance_micros: -1 }))).toEqual(["plans.0.allowance_micros"]);
    expect(invalidPaths(await bad({ allowance_micros: 1.5 }))).toEqual(["plans.0.allowance_micros"]);
    expect(invalidPaths(await bad({ name: "" }))).toEqual(["plans.0.name"]);
    expect(invalidPaths(await bad({ price: 1 }))).toEqual(["plans.0.price"]);
    expect(invalidPaths(await operator("PUT", PATH, { plans: [STARTER, STARTER] }))).toEqual(["plans.1.id"]);
    expect(invalidPaths(await operator("PUT", PATH, { plans: [] }))).toEqual(["plans"]);
    expect(await versionOf()).toBe(version);
  });

  it("keeps a plan that an enterprise has", async () => {
    await putPlans(STARTER);
    const e = await newEnterprise({ plan: "starter" });
    expectProblem(await putPlans(), 409, "plan_in_use");
    await e.put({ plan: "pro" });
    expect((await putPlans()).status).toBe(201);
  });

  it("keeps a plan that an enterprise of the last release has", async () => {
    await putPlans(STARTER);
    const e = await newEnterprise({ plan: "starter" });
    await runInDurableObject(env.CATALOG.getByName("catalog"), (_, { storage }) => {
      storage.sql.exec("DELETE FROM enterprise_plans");
    });
    const refused = expectProblem(await putPlans(), 409, "plan_in_use");
    expect(refused).toMatchObject({ plan: "starter", enterprise: e.id });
    await e.put({ plan: "pro" });
    expect((await putPlans()).status).toBe(201);
  });

  it("keeps a plan while an enterprise is about to get it, and checks with the enterprise after a minute", async () => {
    await putPlans(STARTER);
    const catalog = env.CATALOG.getByName("catalog");
    await catalog.claimPlan(freshId(), "starter");
    expectProblem(await putPlans(), 409, "plan_in_use");
    await runInDurableObject(catalog, (_, { storage }) => {
      storage.sql.exec("UPDATE plan_claims SET claimed_at_ms = claimed_at_ms - 60000");
    });
    expect((await putPlans()).status).toBe(201);
  });
});

describe("an enterprise", () => {
  it("is refused with a plan that does not exist, and then does not exist", async () => {
    const path = `/v1/enterprises/${freshId()}`;
    const put = await operator("PUT", path, { name: "A", billing_model: "credits", plan: "nope" });
    expect(invalidPaths(put)).toEqual(["plan"]);
    expectProblem(await operator("GET", path), 404, "not_found");
    const e = await newEnterprise();
    expect(invalidPaths(await e.put({ plan: "nope", name: "B" }))).toEqual(["plan"]);
    expect((await operator("GET", e.path)).body).toMatchObject({ plan: "pro", name: "Acme" });
  });

  it("gets the allowance of its plan, unless it has its own", async () => {
    await putPlans(STARTER);
    const e = await newEnterprise({ plan: "starter" });
    expect(await e.gauge()).toMatchObject({ plan: "starter", monthly: { allowance_micros: 800 * CREDIT } });
    const other = await newEnterprise({ plan: "starter", monthly_allowance_micros: 7 * CREDIT });
    expect(await other.gauge()).toMatchObject({ monthly: { allowance_micros: 7 * CREDIT } });
  });

  it("is on the free tier while its plan is marked free", async () => {
    await putPlans({ ...STARTER, free: true });
    const e = await newEnterprise({ plan: "starter" });
    expect(await alertsOf(e)).toContain("free_tier");
    await e.put({ plan: "pro" });
    expect(await alertsOf(e)).not.toContain("free_tier");
    await e.put({ plan: "starter" });
    await putPlans(STARTER);
    expect(await alertsOf(e)).toContain("free_tier");
    await e.moveTo("2026-04-01T00:00:00Z");
    expect(await alertsOf(e)).not.toContain("free_tier");
  });
});

describe("an edited plan", () => {
  const edit = async (allowanceCredits: number) =>
    expect((await putPlans({ ...STARTER, allowance_micros: allowanceCredits * CREDIT })).status).toBe(201);
  const allowanceOf = async (e: Awaited<ReturnType<typeof newEnterprise>>) =>
    (await e.gauge()).monthly.allowance_micros / CREDIT;

  it.each([900, 700])("applies from the next cycle: %i credits", async (credits) => {
    await edit(800);
    const e = await newEnterprise({ plan: "starter" });
    await edit(credits);
    expect(await allowanceOf(e)).toBe(800);
    await e.moveTo("2026-04-01T00:00:00Z");
    expect(await allowanceOf(e)).toBe(credits);
  });

  it("applies at once when the enterprise is next PUT, if it is larger", async () => {
    await edit(800);
    const e = await newEnterprise({ plan: "starter" });
    await edit(900);
    await e.put({ name: "Acme 2" });
    expect(await allowanceOf(e)).toBe(900);
    expect((await e.entries()).at(-1)).toMatchObject({ type: "plan_changed", to_micros: 900 * CREDIT });
    await edit(600);
    await e.put({ name: "Acme 3" });
    expect(await allowanceOf(e)).toBe(900);
    await e.moveTo("2026-04-01T00:00:00Z");
    expect(await allowanceOf(e)).toBe(600);
  });

  describe("while the catalog does not respond", () => {
    const catalog = env.CATALOG;
    afterEach(() => Object.assign(env, { CATALOG: catalog }));

    it("does not stop a turn, which uses what was read last", async () => {
      await edit(800);
      const e = await newEnterprise({ plan: "starter" });
      await edit(900);
      Object.assign(env, { CATALOG: { getByName: () => ({ plans: () => new Promise(() => {}) }) } });
      await runInDurableObject(objectOf(e.id), (object) => object.moveClock(Date.parse("2026-04-01T00:00:00Z")));
      expect(await allowanceOf(e)).toBe(800);
    });
  });
});
