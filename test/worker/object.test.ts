// What an enterprise's object must survive: evictions, restarts, alarms that run twice, and forgetting old meters.
import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import {
  auditFailures,
  CREDIT,
  costing,
  expectProblem,
  freshId,
  NOON,
  newEnterprise,
  objectOf,
  operator,
  projectNow,
  start,
} from "./api.ts";
import { copyOf, laterReport, newBusyEnterprise } from "./copy-fixture.ts";

describe("the object", () => {
  it("keeps everything when it is evicted or the process restarts", async () => {
    const e = await newBusyEnterprise();
    const shown = async () => [await e.gauge(), await e.receipt("r1"), await e.entries(), await e.get("grants")];
    const before = await shown();
    await evictDurableObject(objectOf(e.id));
    expect(await shown()).toEqual(before);
    await abortAllDurableObjects();
    expect(await shown()).toEqual(before);
    expect((await e.debit(laterReport("r1", 9))).body.charged_micros).toBe(5 * CREDIT);
    expect((await e.gauge()).held_micros).toBe(CREDIT);
    await e.moveTo("2026-04-01T00:45:00Z");
    expect((await e.gauge()).held_micros).toBe(0);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("changes nothing when an alarm runs twice or concurrently", async () => {
    const e = await newBusyEnterprise();
    await runInDurableObject(objectOf(e.id), async (object) => {
      await Promise.all([object.alarm(), object.alarm()]);
      await object.alarm();
    });
    const before = [await e.gauge(), await e.entries(), await copyOf(e)];
    await runInDurableObject(objectOf(e.id), (object) => object.alarm());
    expect([await e.gauge(), await e.entries(), await copyOf(e)]).toEqual(before);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("after 35 days keeps the receipt of a run, and forgets a run that never reported", async () => {
    const e = await newEnterprise();
    await e.debit(costing(4, { run: "old", final: true }));
    await e.start(start({ run: "silent" }));
    await e.moveTo("2026-05-10T12:00:00Z");
    await projectNow(e.id);
    await runInDurableObject(objectOf(e.id), (object) => object.alarm());
    expect(await e.receipt("old")).toMatchObject({
      run: "old",
      charged_micros: 4 * CREDIT,
      final: true,
      started_at: NOON,
    });
    const gauge = await e.gauge();
    expectProblem(await e.debit(costing(5, { run: "old" })), 410, "run_too_old");
    expect(await e.gauge()).toEqual(gauge);
    expect((await operator("POST", `${e.path}/rebuild`)).status).toBe(200);
    expect((await e.get("runs")).rows.map(({ run }: { run: string }) => run).sort()).toEqual(["old"]);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("starts a run under an id that is forgotten, whether its row is deleted yet or not", async () => {
    const e = await newEnterprise();
    for (const run of ["same", "other"]) await e.start(start({ run, hold_micros: 10 }));
    // Their holds end after 15 minutes, and 35 days later the runs are forgotten.
    await e.moveTo("2026-04-14T12:15:00Z");
    expectProblem(await e.start(start({ run: "other", user: "grace" })), 409, "run_attribution_conflict");
    await e.moveTo("2026-04-14T12:15:01Z");
    expect((await e.start(start({ run: "same" }))).status).toBe(201);
    expect((await e.start(start({ run: "other", user: "grace", hold_micros: 20 }))).status).toBe(201);
    await projectNow(e.id);
    await runInDurableObject(objectOf(e.id), (object) => object.alarm());
    expect(await e.receipt("other")).toMatchObject({ user: "grace", started_at: "2026-04-14T12:15:01.000Z" });
    expect(await auditFailures(e)).toEqual([]);
  });

  it("answers not_found for an unknown run, grant or enterprise", async () => {
    const e = await newEnterprise();
    expectProblem(await e.agent("GET", `${e.path}/runs/${freshId()}`), 404, "not_found");
    expectProblem(await operator("POST", `${e.path}/grants/${freshId()}/void`), 404, "not_found");
    expectProblem(await operator("GET", `/v1/enterprises/${freshId()}/audit`), 404, "not_found");
  });
});
