// Cycles, turns, expiries and their order (rule R4), by the test clock.
import { describe, expect, it } from "vitest";
import { auditFailures, CREDIT, costing, type Enterprise, newEnterprise } from "./api.ts";

type Entry = { type: string; at: string; by: string; seq: number; [name: string]: unknown };
const entriesOf = async (e: Enterprise) => (await e.entries()) as Entry[];
const entryTypes = async (e: Enterprise) => (await entriesOf(e)).map(({ type, at }) => `${type} ${at}`);

/** The starts of an enterprise's cycles over this many turns. */
async function cycleStarts(settings: Record<string, unknown>, turns: number): Promise<string[]> {
  const e = await newEnterprise(settings);
  const starts: string[] = [];
  for (let i = 0; i <= turns; i++) {
    const { cycle } = await e.gauge();
    starts.push(cycle.starts_at);
    if (i < turns) await e.moveTo(cycle.ends_at);
  }
  return starts;
}

describe("a cycle", () => {
  it("starts on the anchor day or on a short month's last day, without drifting", async () => {
    const starts = await cycleStarts({ anchor_day: 31, test_clock: "2028-01-31T00:00:00Z" }, 5);
    expect(starts.map((at) => at.slice(0, 10))).toEqual([
      "2028-01-31",
      "2028-02-29",
      "2028-03-31",
      "2028-04-30",
      "2028-05-31",
      "2028-06-30",
    ]);
    const plain = await cycleStarts({ anchor_day: 29, test_clock: "2026-01-30T00:00:00Z" }, 2);
    expect(plain.map((at) => at.slice(0, 10))).toEqual(["2026-01-29", "2026-02-28", "2026-03-29"]);
  });

  it("starts at local midnight, also in half-hour zones and across daylight saving", async () => {
    expect(await cycleStarts({ time_zone: "Asia/Kolkata", test_clock: "2026-03-10T12:00:00Z" }, 1)).toEqual([
      "2026-02-28T18:30:00.000Z",
      "2026-03-31T18:30:00.000Z",
    ]);
    expect(await cycleStarts({ time_zone: "Europe/Berlin", test_clock: "2026-03-10T12:00:00Z" }, 1)).toEqual([
      "2026-02-28T23:00:00.000Z",
      "2026-03-31T22:00:00.000Z",
    ]);
    // In Cairo, 24 April 2026 has no midnight: the day starts at one o'clock.
    expect(
      await cycleStarts({ time_zone: "Africa/Cairo", anchor_day: 24, test_clock: "2026-04-10T12:00:00Z" }, 1),
    ).toEqual(["2026-03-23T22:00:00.000Z", "2026-04-23T22:00:00.000Z"]);
  });

  it("is half-open: a charge at its end belongs to the next cycle", async () => {
    const e = await newEnterprise({ test_clock: "2026-03-31T23:59:59.999Z" });
    await e.debit(costing(10));
    expect(await e.gauge()).toMatchObject({
      used_micros: 10 * CREDIT,
      cycle: { starts_at: "2026-03-01T00:00:00.000Z" },
    });
    await e.moveTo("2026-04-01T00:00:00Z");
    await e.debit(costing(12));
    expect(await e.gauge()).toMatchObject({
      used_micros: 2 * CREDIT,
      cycle: { starts_at: "2026-04-01T00:00:00.000Z", days_elapsed: 0, days_remaining: 30, days_total: 30 },
    });
    expect(await auditFailures(e)).toEqual([]);
  });

  it("has the full allowance even if the enterprise is created in its middle", async () => {
    const { gauge } = await newEnterprise({ plan: "free", test_clock: "2026-03-31T23:00:00Z" });
    expect((await gauge()).monthly.remaining_micros).toBe(500 * CREDIT);
  });
});

describe("the turn", () => {
  it("renews the allowance, resets monthly use, keeps grants and writes off debt in an entry", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: 10 * CREDIT });
    await e.grant({ id: "g", amount_micros: 5 * CREDIT });
    await e.debit(costing(12));
    await e.moveTo("2026-04-01T00:00:00Z");
    expect(await e.gauge()).toMatchObject({
      used_micros: 0,
      monthly: { used_micros: 0, remaining_micros: 10 * CREDIT },
      bonus: { used_micros: 0, remaining_micros: 3 * CREDIT },
      total_micros: 13 * CREDIT,
      debt_micros: 0,
    });
    await e.debit(costing(30));
    expect((await e.gauge()).debt_micros).toBe(5 * CREDIT);
    await e.moveTo("2026-05-01T00:00:00Z");
    expect(await e.gauge()).toMatchObject({ debt_micros: 0, used_micros: 0, available_micros: 10 * CREDIT });
    expect(await entryTypes(e)).toEqual([
      "cycle_started 2026-03-10T12:00:00.000Z",
      "grant_added 2026-03-10T12:00:00.000Z",
      "cycle_started 2026-04-01T00:00:00.000Z",
      "debt_written_off 2026-05-01T00:00:00.000Z",
      "cycle_started 2026-05-01T00:00:00.000Z",
    ]);
    expect((await entriesOf(e)).at(3)).toMatchObject({ amount_micros: 5 * CREDIT });
    expect(await auditFailures(e)).toEqual([]);
  });

  it("after fourteen idle months renews one allowance and writes one entry", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: 10 * CREDIT });
    await e.grant({ id: "stays", amount_micros: 5 * CREDIT });
    await e.grant({ id: "goes", amount_micros: 2 * CREDIT, expires_at: "2026-12-24T00:00:00Z" });
    await e.debit(costing(4));
    await e.moveTo("2027-05-10T12:00:00Z");
    expect(await e.gauge()).toMatchObject({
      cycle: { starts_at: "2027-05-01T00:00:00.000Z" },
      monthly: { remaining_micros: 10 * CREDIT },
      bonus: { remaining_micros: 5 * CREDIT },
    });
    expect((await entryTypes(e)).slice(3)).toEqual([
      "grant_expired 2026-12-24T00:00:00.000Z",
      "cycle_started 2027-05-01T00:00:00.000Z",
    ]);
    const seqs = (await entriesOf(e)).map(({ seq }) => seq);
    expect(seqs).toEqual([...seqs].sort((a, b) => a - b));
    expect(await auditFailures(e)).toEqual([]);
  });

  it("comes after expiries and before requests of the same instant", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: 10 * CREDIT });
    await e.grant({ id: "ends", amount_micros: 2 * CREDIT, expires_at: "2026-04-01T00:00:00Z" });
    await e.grant({ id: "later", amount_micros: 2 * CREDIT, expires_at: "2026-04-01T00:00:00.001Z" });
    await e.moveTo("2026-03-31T23:59:59.999Z");
    expect((await e.gauge()).bonus.remaining_micros).toBe(4 * CREDIT);
    await e.moveTo("2026-04-01T00:00:00Z");
    await e.grant({ id: "arrives", amount_micros: CREDIT });
    await e.debit(costing(1));
    expect(await e.gauge()).toMatchObject({ used_micros: CREDIT, bonus: { remaining_micros: 3 * CREDIT } });
    expect((await entryTypes(e)).slice(3)).toEqual([
      "grant_expired 2026-04-01T00:00:00.000Z",
      "cycle_started 2026-04-01T00:00:00.000Z",
      "grant_added 2026-04-01T00:00:00.000Z",
    ]);
    await e.moveTo("2026-04-01T00:00:00.001Z");
    expect((await e.get("grants")).rows.map((row: Entry) => [row.id, row.state])).toEqual([
      ["arrives", "active"],
      ["later", "expired"],
      ["ends", "expired"],
    ]);
  });

  it("writes off debt before a grant of the same instant could pay it", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: CREDIT, test_clock: "2026-03-31T23:59:00Z" });
    await e.debit(costing(3));
    await e.moveTo("2026-04-01T00:00:00Z");
    await e.grant({ id: "g", amount_micros: 5 * CREDIT });
    expect(await e.gauge()).toMatchObject({ debt_micros: 0, available_micros: 6 * CREDIT });
    const receipt = await e.receipt("run-1");
    expect(receipt.meters[0].draws.map(({ bucket, micros }: Entry) => [bucket, micros])).toEqual([
      ["monthly", CREDIT],
      ["debt", 2 * CREDIT],
    ]);
    expect(await auditFailures(e)).toEqual([]);
  });
});

describe("a change of plan", () => {
  it("raises the allowance at once and lowers it at the turn; the highest of a cycle counts", async () => {
    const e = await newEnterprise({ plan: "pro" });
    const allowance = async () => (await e.gauge()).monthly.allowance_micros / CREDIT;
    await e.put({ plan: "team" });
    expect(await allowance()).toBe(25_000);
    await e.put({ plan: "free" });
    expect(await e.gauge()).toMatchObject({ plan: "free", monthly: { allowance_micros: 25_000 * CREDIT } });
    await e.put({ monthly_allowance_micros: 7_000 * CREDIT });
    expect(await allowance()).toBe(25_000);
    await e.moveTo("2026-04-01T00:00:00Z");
    expect(await allowance()).toBe(7_000);
    await e.put({ monthly_allowance_micros: null });
    expect(await allowance()).toBe(7_000);
    await e.moveTo("2026-05-01T00:00:00Z");
    expect(await allowance()).toBe(500);
    const changes = (await entriesOf(e)).filter(({ type }) => type === "plan_changed");
    expect(
      changes.map(({ from_plan, to_plan, allowance_micros, by }) => [from_plan, to_plan, allowance_micros, by]),
    ).toEqual([
      ["pro", "team", 25_000 * CREDIT, "operator"],
      ["team", "free", 25_000 * CREDIT, "operator"],
      ["free", "free", 25_000 * CREDIT, "operator"],
      ["free", "free", 7_000 * CREDIT, "operator"],
    ]);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("of time zone or anchor day applies at the turn", async () => {
    const e = await newEnterprise();
    const cycle = async () => {
      const { starts_at, ends_at } = (await e.gauge()).cycle;
      return [starts_at, ends_at];
    };
    const before = await cycle();
    expect((await e.put({ time_zone: "Asia/Tokyo", anchor_day: 15 })).body).toMatchObject({
      time_zone: "Asia/Tokyo",
      anchor_day: 15,
    });
    expect(await cycle()).toEqual(before);
    expect((await e.get("usage/timeseries")).time_zone).toBe("UTC");
    await e.moveTo("2026-04-01T00:00:00Z");
    expect(await cycle()).toEqual(["2026-04-01T00:00:00.000Z", "2026-04-14T15:00:00.000Z"]);
    expect((await e.get("usage/timeseries")).time_zone).toBe("Asia/Tokyo");
    await e.moveTo("2026-04-14T15:00:00Z");
    expect(await cycle()).toEqual(["2026-04-14T15:00:00.000Z", "2026-05-14T15:00:00.000Z"]);
    expect(await auditFailures(e)).toEqual([]);
  });
});
