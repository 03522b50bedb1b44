// Grants and referrals, and the order in which charges draw credit, refunds return it and new credit pays debt (rule R3).
import { describe, expect, it } from "vitest";
import {
  auditFailures,
  CREDIT,
  costing,
  expectProblem,
  freshId,
  invalidPaths,
  MAX_MICROS,
  NOON,
  newEnterprise,
  operator,
} from "./api.ts";

const NEXT_CYCLE = "2026-04-01T00:00:00.000Z";

describe("a grant", () => {
  it("answers 201, 200 when repeated, and 409 for other content under the same id", async () => {
    const { grant, gauge } = await newEnterprise();
    const given = { id: "launch", amount_micros: 5 * CREDIT, source: "promotion", note: "Launch week" };
    const first = await grant(given);
    expect(first.status).toBe(201);
    expect(first.body).toEqual({
      ...given,
      drawn_micros: 0,
      remaining_micros: 5 * CREDIT,
      granted_at: NOON,
      expires_at: null,
      state: "active",
    });
    const again = await grant({ ...given, expires_at: null });
    expect(again).toMatchObject({ status: 200, body: first.body });
    for (const other of [
      { amount_micros: 6 * CREDIT },
      { source: "goodwill" },
      { note: "Lunch week" },
      { note: null },
      { expires_at: NEXT_CYCLE },
    ]) {
      expectProblem(await grant({ ...given, ...other }), 409, "grant_conflict");
    }
    expect((await gauge()).bonus).toEqual({ used_micros: 0, remaining_micros: 5 * CREDIT, next_expiry: null });
  });

  it("is granted once when sent eight times at once", async () => {
    const { grant, gauge } = await newEnterprise();
    const answers = await Promise.all(Array.from({ length: 8 }, () => grant({ id: "g" })));
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(7).fill(200), 201]);
    expect((await gauge()).bonus.remaining_micros).toBe(100 * CREDIT);
  });

  it("is refused and changes nothing if a field is invalid", async () => {
    const { grant, get, gauge } = await newEnterprise();
    const before = await gauge();
    for (const [field, values] of Object.entries({
      id: ["", "a b", "x".repeat(129), ".", "..", 7, undefined],
      amount_micros: [0, -1, 1.5, "1", 2 ** 53, null, undefined],
      source: ["gift", null, undefined],
      note: ["", 7, "x".repeat(1_001)],
      expires_at: [NOON, "2026-03-10T11:59:59Z", "tomorrow", 7],
      granted_at: [NOON],
    })) {
      for (const value of values) expect(invalidPaths(await grant({ id: "g", [field]: value }))).toEqual([field]);
    }
    expect((await get("grants")).rows).toEqual([]);
    expect(await gauge()).toEqual(before);
  });

  it("is refused if the total would pass 2^53−1", async () => {
    const { grant, gauge } = await newEnterprise({ monthly_allowance_micros: MAX_MICROS - 10 });
    expect(invalidPaths(await grant({ id: "g", amount_micros: 11 }))).toEqual(["amount_micros"]);
    expect((await grant({ id: "g", amount_micros: 10 })).status).toBe(201);
    expect(await gauge()).toMatchObject({ total_micros: MAX_MICROS, available_micros: MAX_MICROS });
  });

  it("is listed as active, used, expired or voided, newest first and page by page", async () => {
    const { grant, debit, moveTo, get, path } = await newEnterprise({ monthly_allowance_micros: 0 });
    await grant({ id: "used", amount_micros: CREDIT, expires_at: "2026-03-11T00:00:00Z" });
    await grant({ id: "expired", amount_micros: 5 * CREDIT, expires_at: "2026-03-12T00:00:00Z" });
    await grant({ id: "voided", amount_micros: 3 * CREDIT });
    await grant({ id: "active", amount_micros: 4 * CREDIT });
    await debit(costing(3));
    const voided = await operator("POST", `${path}/grants/voided/void`);
    expect(voided).toMatchObject({ status: 200, body: { id: "voided", state: "voided", remaining_micros: 0 } });
    expect((await operator("POST", `${path}/grants/voided/void`)).body).toEqual(voided.body);
    await moveTo("2026-03-12T00:00:00Z");
    expect((await operator("POST", `${path}/grants/expired/void`)).body.state).toBe("expired");
    const { rows } = await get("grants");
    const shown = rows.map((row: Record<string, unknown>) => [
      row.id,
      row.state,
      row.drawn_micros,
      row.remaining_micros,
    ]);
    expect(shown).toEqual([
      ["active", "active", 0, 4 * CREDIT],
      ["voided", "voided", 0, 0],
      ["expired", "expired", 2 * CREDIT, 0],
      ["used", "used", CREDIT, 0],
    ]);
    const first = await get("grants?limit=3");
    expect(first.rows.map(({ id }: { id: string }) => id)).toEqual(["active", "voided", "expired"]);
    const second = await get(`grants?limit=3&cursor=${first.next_cursor}`);
    expect(second.rows.map(({ id }: { id: string }) => id)).toEqual(["used"]);
    expect(second.next_cursor).toBeNull();
    expectProblem(await operator("POST", `${path}/grants/none/void`), 404, "not_found");
  });
});

describe("a charge", () => {
  it("draws on the allowance, then on grants: soonest expiry first, those without expiry last, then the oldest", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: 2 * CREDIT });
    await e.grant({ id: "never-1", amount_micros: CREDIT });
    await e.grant({ id: "never-2", amount_micros: CREDIT });
    await e.grant({ id: "late", amount_micros: CREDIT, expires_at: "2026-06-01T00:00:00Z" });
    await e.grant({ id: "soon", amount_micros: CREDIT, expires_at: "2026-05-01T00:00:00Z" });
    await e.debit(costing(1.5));
    expect((await e.gauge()).bonus.used_micros).toBe(0);
    await e.debit(costing(6.5));
    const { meters } = await e.receipt("run-1");
    const cycle = "2026-03-01T00:00:00.000Z";
    expect(meters[0].draws).toEqual([
      { bucket: "monthly", id: cycle, micros: 2 * CREDIT },
      { bucket: "grant", id: "soon", micros: CREDIT },
      { bucket: "grant", id: "late", micros: CREDIT },
      { bucket: "grant", id: "never-1", micros: CREDIT },
      { bucket: "grant", id: "never-2", micros: CREDIT },
      { bucket: "debt", id: cycle, micros: CREDIT / 2 },
    ]);
    expect(await e.gauge()).toMatchObject({
      used_micros: 6.5 * CREDIT,
      total_micros: 6 * CREDIT,
      used_percent: 108.33,
      debt_micros: CREDIT / 2,
      remaining_micros: 0,
      available_micros: 0,
    });
    expect(await auditFailures(e)).toEqual([]);
  });

  it("without credit becomes debt, which new credit of the same cycle pays first, as a draw", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: CREDIT });
    await e.debit(costing(4));
    expect(await e.gauge()).toMatchObject({ debt_micros: 3 * CREDIT, used_micros: 4 * CREDIT });
    const granted = await e.grant({ id: "g", amount_micros: CREDIT });
    expect(granted.body).toMatchObject({ drawn_micros: CREDIT, remaining_micros: 0, state: "used" });
    await e.put({ monthly_allowance_micros: 1.5 * CREDIT });
    expect(await e.gauge()).toMatchObject({
      debt_micros: 1.5 * CREDIT,
      used_micros: 4 * CREDIT,
      monthly: { used_micros: 1.5 * CREDIT, remaining_micros: 0 },
      bonus: { used_micros: CREDIT, remaining_micros: 0 },
    });
    await e.grant({ id: "h", amount_micros: 5 * CREDIT });
    expect(await e.gauge()).toMatchObject({ debt_micros: 0, remaining_micros: 3.5 * CREDIT, used_micros: 4 * CREDIT });
    const { charged_micros, meters } = await e.receipt("run-1");
    const sums = Object.entries(Object.groupBy(meters[0].draws as { id: string; micros: number }[], ({ id }) => id));
    expect(sums.map(([id, draws]) => [id, draws?.reduce((sum, { micros }) => sum + micros, 0)]).sort()).toEqual([
      ["2026-03-01T00:00:00.000Z", 1.5 * CREDIT],
      ["g", CREDIT],
      ["h", 1.5 * CREDIT],
    ]);
    expect(charged_micros).toBe(4 * CREDIT);
    const paid = (await e.entries()).map(({ type, debt_paid_micros }) => [type, debt_paid_micros]).slice(1);
    expect(paid).toEqual([
      ["grant_added", CREDIT],
      ["plan_changed", CREDIT / 2],
      ["grant_added", 1.5 * CREDIT],
    ]);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("is refunded to where it was drawn from, the most recent draw first", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: CREDIT });
    await e.grant({ id: "g", amount_micros: CREDIT });
    await e.debit(costing(3));
    const refund = await e.debit(costing(1.5, { final: true }));
    expect(refund.body).toMatchObject({ charged_micros: -1.5 * CREDIT, run_total_micros: 1.5 * CREDIT });
    expect(await e.gauge()).toMatchObject({
      debt_micros: 0,
      used_micros: 1.5 * CREDIT,
      monthly: { remaining_micros: 0 },
      bonus: { used_micros: CREDIT / 2, remaining_micros: CREDIT / 2 },
    });
    expect((await e.get("grants")).rows[0]).toMatchObject({ drawn_micros: CREDIT / 2, state: "active" });
    expect(await auditFailures(e)).toEqual([]);
  });

  it("refunded in part keeps its earliest draws", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: CREDIT });
    await e.grant({ id: "soon", amount_micros: CREDIT, expires_at: NEXT_CYCLE });
    await e.grant({ id: "late", amount_micros: CREDIT });
    await e.debit(costing(2.5));
    await e.debit(costing(1.75, { final: true }));
    const { rows } = await e.get("grants");
    expect(rows.map((row: Record<string, unknown>) => [row.id, row.drawn_micros])).toEqual([
      ["late", 0],
      ["soon", 0.75 * CREDIT],
    ]);
    expect((await e.gauge()).monthly.remaining_micros).toBe(0);
  });

  it("refunded to a past cycle or an expired grant lapses, and the receipt says so", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: 2 * CREDIT });
    await e.grant({ id: "ends", amount_micros: CREDIT, expires_at: "2026-03-20T00:00:00Z" });
    await e.grant({ id: "stays", amount_micros: CREDIT });
    await e.debit(costing(4));
    await e.moveTo(NEXT_CYCLE);
    const before = await e.gauge();
    const refund = await e.debit(costing(0, { final: true }));
    expect(refund.body).toMatchObject({ charged_micros: -4 * CREDIT, run_total_micros: 0 });
    const after = await e.gauge();
    expect(after).toMatchObject({ used_micros: 0, bonus: { used_micros: 0, remaining_micros: CREDIT } });
    expect(after.monthly).toEqual(before.monthly);
    const cycle = "2026-03-01T00:00:00.000Z";
    expect((await e.receipt("run-1")).meters[0].draws).toEqual([
      { bucket: "monthly", id: cycle, micros: 0, lapsed_micros: 2 * CREDIT },
      { bucket: "grant", id: "ends", micros: 0, lapsed_micros: CREDIT },
    ]);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("refunded to a grant that was voided lapses", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: 0 });
    await e.grant({ id: "g", amount_micros: 5 * CREDIT });
    await e.debit(costing(3));
    const { body } = await operator("POST", `${e.path}/grants/g/void`);
    expect(body).toMatchObject({ state: "voided", drawn_micros: 3 * CREDIT, remaining_micros: 0 });
    await e.debit(costing(1, { final: true }));
    expect(await e.gauge()).toMatchObject({ used_micros: CREDIT, available_micros: 0, bonus: { remaining_micros: 0 } });
    expect((await e.receipt("run-1")).meters[0].draws).toEqual([
      { bucket: "grant", id: "g", micros: CREDIT, lapsed_micros: 2 * CREDIT },
    ]);
    expect(await auditFailures(e)).toEqual([]);
  });

  it("near 2^53−1 can be refunded and charged repeatedly", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: MAX_MICROS });
    for (const round of ["a", "b", "c"]) {
      // Nine charges of 10^15 micros nearly reach 2^53−1.
      const runs = Array.from({ length: 9 }, (_, i) => `${round}${i}`);
      const charged = await e.debit({ reports: runs.map((run) => costing(10 ** 9, { run })) });
      const refunded = await e.debit({ reports: runs.map((run) => costing(0, { run, final: true })) });
      for (const [i] of runs.entries()) {
        expect(charged.body.results[i]).toMatchObject({ charged_micros: 10 ** 15 });
        expect(refunded.body.results[i]).toMatchObject({ charged_micros: -(10 ** 15), run_total_micros: 0 });
      }
    }
    expect(await e.gauge()).toMatchObject({ used_micros: 0, remaining_micros: MAX_MICROS });
    expect(await auditFailures(e)).toEqual([]);
  });
});

describe("a referral", () => {
  const refer = (code: string, referee: string) => operator("POST", "/v1/referrals", { code, referee });
  const codeOf = async ({ path }: { path: string }) => (await operator("GET", path)).body.referral_code;

  it("grants both sides 100 credits, once per referee", async () => {
    const [referrer, referee, late] = [await newEnterprise(), await newEnterprise(), await newEnterprise()];
    const made = await refer(await codeOf(referrer), referee.id);
    expect(made.status).toBe(201);
    for (const side of [referrer, referee]) {
      expect((await side.gauge()).bonus.remaining_micros).toBe(100 * CREDIT);
      expect((await side.get("grants")).rows).toMatchObject([{ source: "referral", amount_micros: 100 * CREDIT }]);
    }
    expectProblem(await refer(await codeOf(referrer), referee.id), 409, "already_referred");
    expectProblem(await refer(await codeOf(late), referee.id), 409, "already_referred");
    expect((await refer(await codeOf(referrer), late.id)).status).toBe(201);
    expect((await referrer.gauge()).bonus.remaining_micros).toBe(200 * CREDIT);
    expect((await referee.gauge()).bonus.remaining_micros).toBe(100 * CREDIT);
    expect((await refer(await codeOf(referee), referrer.id)).status).toBe(201);
  });

  it("is granted once when sent eight times at once", async () => {
    const [referrer, referee] = [await newEnterprise(), await newEnterprise()];
    const code = await codeOf(referrer);
    const answers = await Promise.all(Array.from({ length: 8 }, () => refer(code, referee.id)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, ...Array(7).fill(409)]);
    for (const side of [referrer, referee]) expect((await side.gauge()).bonus.remaining_micros).toBe(100 * CREDIT);
  });

  it("is refused for oneself, with an unknown code, and for an unknown referee", async () => {
    const [e, other] = [await newEnterprise(), await newEnterprise()];
    const code = await codeOf(e);
    expectProblem(await refer(code, e.id), 422, "self_referral");
    for (const unknown of ["x", "~", `${code}x`, code.slice(0, -1), code.replace(e.id, other.id), `${e.id}~`]) {
      expectProblem(await refer(unknown, other.id), 404, "referral_code_unknown");
    }
    expectProblem(await refer(code, freshId()), 404, "not_found");
    expect(invalidPaths(await refer(7 as unknown as string, ".."))).toEqual(["code", "referee"]);
    expect((await other.gauge()).bonus.remaining_micros).toBe(0);
  });
});
