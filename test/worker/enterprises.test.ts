// Creating, changing, reading and listing enterprises as the operator, and their test clocks.
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { describe, expect, it } from "vitest";
import {
  CREDIT,
  costing,
  expectProblem,
  freshId,
  invalidPaths,
  NOON,
  newEnterprise,
  objectOf,
  operator,
  start,
} from "./api.ts";

const DAY_MS = 86_400_000;

describe("PUT of an enterprise", () => {
  it("creates it with defaults and answers all of it with its gauge", async () => {
    const path = `/v1/enterprises/${freshId()}`;
    const beforeMs = Date.now();
    const { status, body } = await operator("PUT", path, { name: "Acme", billing_model: "credits", plan: "team" });
    expect(status).toBe(201);
    const { gauge, referral_code, created_at, ...rest } = body;
    expect(rest).toEqual({
      id: path.split("/").at(-1),
      name: "Acme",
      billing_model: "credits",
      plan: "team",
      time_zone: "UTC",
      anchor_day: 1,
      monthly_allowance_micros: null,
      suspended: false,
      upgrade_url: null,
      referral_url: null,
      webhook_url: null,
      price_multiplier: "1",
      region: null,
      members_see: "all",
      test_clock: null,
    });
    expect(referral_code).toEqual(expect.any(String));
    expect(Math.abs(Date.parse(created_at) - beforeMs)).toBeLessThan(60_000);
    expect(gauge).toMatchObject({ enterprise: rest.id, plan: "team", total_micros: 25_000 * CREDIT, used_micros: 0 });
    expect((await operator("GET", path)).body).toMatchObject({ ...rest, referral_code, created_at });
  });

  it("keeps the fields that a change omits, and clears optional ones with null", async () => {
    const given = {
      time_zone: "Asia/Kolkata",
      anchor_day: 15,
      monthly_allowance_micros: 7 * CREDIT,
      upgrade_url: "https://acme.example/upgrade",
      referral_url: "https://acme.example/invite",
      webhook_url: "https://hooks.acme.example/fuel",
    };
    const { put, path } = await newEnterprise(given);
    const changed = await put({ name: "Acme & Sons" });
    expect(changed.status).toBe(200);
    const whole = { ...given, name: "Acme & Sons", billing_model: "credits", plan: "pro", test_clock: NOON };
    expect(changed.body).toMatchObject(whole);
    expect((await put({})).body).toMatchObject(whole);
    const cleared = { upgrade_url: null, referral_url: null, webhook_url: null, monthly_allowance_micros: null };
    expect((await put(cleared)).body).toMatchObject({ ...whole, ...cleared });
    expect((await operator("GET", path)).body).toMatchObject({ ...whole, ...cleared });
  });

  it("creates it once when sent six times at once", async () => {
    const path = `/v1/enterprises/${freshId()}`;
    const body = { name: "Acme", billing_model: "credits", plan: "pro", test_clock: NOON };
    const answers = await Promise.all(Array.from({ length: 6 }, () => operator("PUT", path, body)));
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 200, 200, 200, 201]);
    expect((await operator("GET", path)).body.gauge.seq).toBe(1);
  });

  it("names all missing fields and creates nothing", async () => {
    const { id } = await newEnterprise();
    const path = `/v1/enterprises/${freshId()}`;
    expect(invalidPaths(await operator("PUT", path, {}))).toEqual(["billing_model", "name", "plan"]);
    expect(invalidPaths(await operator("PUT", path, { name: "Acme", plan: "pro" }))).toEqual(["billing_model"]);
    expectProblem(await operator("GET", path), 404, "not_found");
    const listed = await operator("GET", "/v1/enterprises?limit=1");
    expect(listed.body.rows.map((row: { id: string }) => row.id)).toEqual([id]);
  });

  it("refuses invalid settings by their path and changes nothing", async () => {
    const { put, path } = await newEnterprise();
    const before = (await operator("GET", path)).body;
    for (const [field, values] of Object.entries({
      name: ["", "   ", 7, null, "x".repeat(201), "a\u0000b", "\ud800"],
      billing_model: ["postpaid", null],
      plan: ["gold", "PRO", null],
      time_zone: ["Mars/Olympus", "+02:00", "", 2, null],
      anchor_day: [0, 32, 1.5, "1", -1],
      monthly_allowance_micros: [-1, 0.5, "1", 2 ** 53],
      suspended: ["true", 1, null],
      upgrade_url: ["", "javascript:alert(1)", "acme", "data:text/html,x", 1],
      referral_url: ["javascript:alert(1)"],
      webhook_url: [
        "",
        "acme",
        "http://acme.example/",
        "https://localhost/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://10.1/",
      ],
      test_clock: ["2026-03-10", "soon", 1_773_144_000_000, "2026-03-11T12:00:00Z"],
      colour: ["red"],
    })) {
      for (const value of values) expect(invalidPaths(await put({ [field]: value }))).toEqual([field]);
    }
    expect((await operator("GET", path)).body).toEqual(before);
  });

  it("gives each plan its allowance, and an override, even zero, replaces it", async () => {
    const plans = { free: 500, pro: 5_000, team: 25_000, enterprise: 100_000 };
    for (const [plan, credits] of Object.entries(plans)) {
      const { gauge } = await newEnterprise({ plan });
      expect((await gauge()).monthly).toEqual({
        allowance_micros: credits * CREDIT,
        used_micros: 0,
        remaining_micros: credits * CREDIT,
      });
    }
    const none = await newEnterprise({ monthly_allowance_micros: 0 });
    expect(await none.gauge()).toMatchObject({ total_micros: 0, used_percent: null, available_micros: 0 });
    expectProblem(await none.start(start()), 402, "credits_exhausted");
  });

  it("suspends: debits are recorded and answered stop, and no new run starts", async () => {
    const { debit, gauge, put, start: startRun } = await newEnterprise();
    await startRun(start({ hold_micros: CREDIT }));
    await put({ suspended: true });
    const charged = await debit(costing(0.5));
    expect(charged.body).toMatchObject({ charged_micros: CREDIT / 2, action: "stop", reason: "enterprise_suspended" });
    expect((await gauge()).used_micros).toBe(CREDIT / 2);
    expectProblem(await startRun(start({ run: "run-2" })), 403, "enterprise_suspended");
    await put({ suspended: false });
    expect((await debit(costing(1))).body).toMatchObject({ action: "continue", reason: null });
    expect((await startRun(start({ run: "run-2" }))).status).toBe(201);
  });
});

describe("the list of enterprises", () => {
  it("is newest first, and pages show each enterprise once", async () => {
    const ids: string[] = [];
    for (let i = 0; i < 5; i++) ids.unshift((await newEnterprise()).id);
    const listed: string[] = [];
    let cursor: string | null = "";
    while (cursor !== null && listed.length < 5) {
      const { status, body } = await operator("GET", `/v1/enterprises?limit=2${cursor && `&cursor=${cursor}`}`);
      expect(status).toBe(200);
      expect(body.rows.length).toBeLessThanOrEqual(2);
      for (const row of body.rows) expect(row).toMatchObject({ name: "Acme", gauge: { enterprise: row.id } });
      listed.push(...body.rows.map((row: { id: string }) => row.id));
      cursor = body.next_cursor;
    }
    expect(listed.slice(0, 5)).toEqual(ids);
    for (const query of ["limit=0", "limit=101", "limit=x", "limit=1.5", "cursor=x", "offset=1"]) {
      expectProblem(await operator("GET", `/v1/enterprises?${query}`), 422, "validation_failed");
    }
  });

  it("names an enterprise whose object cannot answer and lists the others", async () => {
    const [first, broken, last] = [await newEnterprise(), await newEnterprise(), await newEnterprise()];
    await runInDurableObject(objectOf(broken.id), (_, { storage }) => {
      storage.sql.exec("UPDATE enterprise SET settings = 'unreadable'");
    });
    await evictDurableObject(objectOf(broken.id));
    const { status, body } = await operator("GET", "/v1/enterprises?limit=3");
    expect(status).toBe(200);
    expect(body.rows.map((row: { id: string }) => row.id)).toEqual([last.id, first.id]);
    expect(body.unreadable).toEqual([broken.id]);
    expect((await operator("GET", "/v1/enterprises?limit=1")).body).not.toHaveProperty("unreadable");
  });
});

describe("the test clock", () => {
  it("stands still until it is moved, and everything follows it", async () => {
    const { gauge, moveTo, debit, get } = await newEnterprise();
    expect((await gauge()).as_of).toBe(NOON);
    expect((await gauge()).as_of).toBe(NOON);
    const moved = await moveTo("2026-03-10T13:30:00+01:00");
    expect(moved.status).toBe(200);
    expect(moved.body).toMatchObject({ test_clock: "2026-03-10T12:30:00.000Z", created_at: NOON });
    expect(moved.body.gauge.as_of).toBe("2026-03-10T12:30:00.000Z");
    await debit(costing(1));
    expect((await get("runs/run-1")).last_report_at).toBe("2026-03-10T12:30:00.000Z");
  });

  it("cannot go backwards; moving it to the same time changes nothing", async () => {
    const { moveTo, gauge } = await newEnterprise();
    const before = await gauge();
    expectProblem(await moveTo("2026-03-10T11:59:59.999Z"), 422, "clock_backwards");
    expect((await moveTo(NOON)).status).toBe(200);
    expect(await gauge()).toEqual(before);
  });

  it("can only be set at creation: a PUT may repeat it but not name another time", async () => {
    const { put, moveTo } = await newEnterprise();
    expect((await put({ test_clock: NOON })).status).toBe(200);
    await moveTo("2026-03-11T00:00:00Z");
    expect((await put({ test_clock: "2026-03-11T00:00:00Z" })).status).toBe(200);
    expect(invalidPaths(await put({ name: "Other", test_clock: "2026-03-12T00:00:00Z" }))).toEqual(["test_clock"]);
    const real = await newEnterprise({ test_clock: undefined });
    expect(invalidPaths(await real.put({ test_clock: NOON }))).toEqual(["test_clock"]);
    expect((await real.moveTo("2099-01-01T00:00:00Z")).status).toBe(422);
    expect(Math.abs(Date.parse((await real.gauge()).as_of) - Date.now())).toBeLessThan(DAY_MS);
  });

  it("works from 1970 to the end of the year 9999", async () => {
    const { moveTo, gauge } = await newEnterprise({ test_clock: "1970-01-01T00:00:00Z", anchor_day: 31 });
    expect((await gauge()).cycle).toMatchObject({
      starts_at: "1969-12-31T00:00:00.000Z",
      ends_at: "1970-01-31T00:00:00.000Z",
    });
    expect((await moveTo("9999-12-30T23:59:59Z")).status).toBe(200);
    expect((await gauge()).cycle.ends_at).toBe("9999-12-31T00:00:00.000Z");
    expect((await moveTo("9999-12-31T23:59:59.999Z")).status).toBe(200);
    expect((await gauge()).monthly.remaining_micros).toBe(5_000 * CREDIT);
  });
});
