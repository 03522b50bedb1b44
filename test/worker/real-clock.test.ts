// Turns, alarms and expiries by the real clock, which a fake of Date moves.
import { runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  auditFailures,
  CREDIT,
  costing,
  type Enterprise,
  expectProblem,
  newEnterprise,
  objectOf,
  start,
} from "./api.ts";

type Entry = { type: string; at: string; by: string; seq: number; [name: string]: unknown };
const entriesOf = async (e: Enterprise) => (await e.entries()) as Entry[];
const entryTypes = async (e: Enterprise) => (await entriesOf(e)).map(({ type, at }) => `${type} ${at}`);

describe("by the real clock", () => {
  const setTime = (at: string) => vi.setSystemTime(new Date(at));
  afterEach(() => {
    vi.useRealTimers();
  });
  const realEnterprise = async (at: string, settings: Record<string, unknown> = {}) => {
    vi.useFakeTimers({ toFake: ["Date"] });
    setTime(at);
    return newEnterprise({ test_clock: undefined, ...settings });
  };
  const alarmOf = (e: Enterprise) => runInDurableObject(objectOf(e.id), (_, { storage }) => storage.getAlarm());

  it("the turn happens on time and once without traffic, even if its alarm runs twice", async () => {
    const e = await realEnterprise("2030-01-31T23:59:00Z");
    await e.debit(costing(10, { started_at: "2030-01-31T23:58:00Z" }));
    await runDurableObjectAlarm(objectOf(e.id));
    expect(await alarmOf(e)).toBe(Date.parse("2030-02-01T00:00:00Z"));
    setTime("2030-02-01T00:00:00Z");
    await runDurableObjectAlarm(objectOf(e.id));
    const turned = await runInDurableObject(objectOf(e.id), (_, { storage }) =>
      storage.sql.exec("SELECT facts FROM entries WHERE facts LIKE '%cycle_started%'").toArray(),
    );
    expect(turned.length).toBe(2);
    await runInDurableObject(objectOf(e.id), async (object) => {
      await object.alarm();
      await object.alarm();
    });
    expect((await entryTypes(e)).filter((entry) => entry.startsWith("cycle_started"))).toEqual([
      "cycle_started 2030-01-31T23:59:00.000Z",
      "cycle_started 2030-02-01T00:00:00.000Z",
    ]);
    expect(await e.gauge()).toMatchObject({ used_micros: 0, cycle: { starts_at: "2030-02-01T00:00:00.000Z" } });
    expect(await auditFailures(e)).toEqual([]);
  });

  it("the alarm is set for the next turn or shortly before, for grant expiry and for hold expiry", async () => {
    const e = await realEnterprise("2030-03-10T12:00:00Z");
    const settled = async () => {
      await runDurableObjectAlarm(objectOf(e.id));
      return alarmOf(e);
    };
    // Ten to twenty minutes before the turn, the object reads the plans.
    const readsPlansAtMs = await settled();
    expect(readsPlansAtMs).toBeGreaterThan(Date.parse("2030-03-31T23:40:00Z"));
    expect(readsPlansAtMs).toBeLessThanOrEqual(Date.parse("2030-03-31T23:50:00Z"));
    await e.grant({ id: "g", expires_at: "2030-03-20T00:00:00Z" });
    expect(await settled()).toBe(Date.parse("2030-03-20T00:00:00Z"));
    await e.start(start({ hold_micros: CREDIT }));
    expect(await settled()).toBe(Date.parse("2030-03-10T12:15:00Z"));
    setTime("2030-03-10T12:15:00Z");
    expect(await settled()).toBe(Date.parse("2030-03-20T00:00:00Z"));
    expect((await e.gauge()).held_micros).toBe(0);
  });

  it("a dropped alarm is set again by the next change, and not if nothing is due", async () => {
    const e = await realEnterprise("2030-01-01T00:00:00Z", { test_clock: "2030-01-01T00:00:00Z" });
    await e.debit(costing(1, { started_at: "2030-01-01T00:00:00Z" }));
    expect(await alarmOf(e)).not.toBeNull();
    await runInDurableObject(objectOf(e.id), (_, { storage }) => storage.deleteAlarm());
    expect(await auditFailures(e)).toEqual([]); // The audit has updated the copy, so nothing is due.
    setTime("2030-01-01T01:00:00Z");
    expect(await e.gauge()).toMatchObject({ used_micros: CREDIT });
    expect(await alarmOf(e)).toBeNull();
    await e.debit(costing(2));
    expect(await alarmOf(e)).not.toBeNull();
  });

  it("a clock that steps back changes nothing", async () => {
    const e = await realEnterprise("2030-04-01T00:00:05Z");
    await e.debit(costing(3, { started_at: "2030-04-01T00:00:00Z" }));
    const before = await e.gauge();
    setTime("2030-03-31T23:00:00Z");
    expect(await e.gauge()).toEqual(before);
    await e.debit(costing(4));
    expect(await e.gauge()).toMatchObject({ used_micros: 4 * CREDIT, cycle: before.cycle });
    expect((await entryTypes(e)).length).toBe(1);
  });

  it("keys expire, even in an enterprise with a test clock", async () => {
    vi.useFakeTimers({ toFake: ["Date"] });
    setTime("2030-01-01T00:00:00Z");
    const e = await newEnterprise();
    const { send } = await e.createKey(["read"], { expires_at: "2030-01-01T00:01:00Z" });
    await e.moveTo("2040-01-01T00:00:00Z");
    expect((await send("GET", `${e.path}/gauge`)).status).toBe(200);
    setTime("2030-01-01T00:01:00Z");
    expectProblem(await send("GET", `${e.path}/gauge`), 401, "key_expired");
  });
});
