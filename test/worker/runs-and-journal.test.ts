// The list of runs, its CSV, and the journal.
import { describe, expect, it } from "vitest";
import {
  CREDIT,
  costing,
  expectProblem,
  NOON,
  newEnterprise,
  operator,
  projectNow,
  readFromCopy,
  readPages,
  start,
} from "./api.ts";

type Row = Record<string, unknown>;

describe("the list of runs", () => {
  it("is newest first, can be filtered, and pages without losing a run", async () => {
    const e = await newEnterprise();
    const at = (i: number) => new Date(Date.parse(NOON) - Math.floor(i / 2) * 60_000).toISOString();
    const runs = Array.from({ length: 12 }, (_, i) =>
      costing(i + 1, {
        run: `r${String(i).padStart(2, "0")}`,
        workspace: `w${i % 2}`,
        user: `u${i % 3}`,
        surface: i % 4 === 0 ? "cli" : "web",
        group: i % 3 === 0 ? "g1" : undefined,
        started_at: at(i),
        final: i === 0,
      }),
    );
    await e.debit({ reports: runs });
    await projectNow(e.id);
    const seen = (await readPages(e, "runs", 5)).flat();
    expect(seen.map(({ run }) => run).sort()).toEqual(runs.map(({ run }) => run));
    const starts = seen.map(({ started_at }) => started_at as string);
    expect(starts).toEqual([...starts].sort().reverse());
    expect(seen.find(({ run }) => run === "r00")).toEqual({
      run: "r00",
      surface: "cli",
      workspace: "w0",
      group: "g1",
      user: "u0",
      started_at: NOON,
      last_report_at: NOON,
      models: ["gpt-5"],
      charged_micros: CREDIT,
      unit: "credits",
      final: true,
    });
    for (const [query, fits] of [
      ["workspace=w1", (i: number) => i % 2 === 1],
      ["user=u2", (i: number) => i % 3 === 2],
      ["surface=cli", (i: number) => i % 4 === 0],
      ["group=g1", (i: number) => i % 3 === 0],
      ["group=none", (i: number) => i % 3 !== 0],
      ["workspace=w0&user=u0&surface=cli&group=g1", (i: number) => i % 12 === 0],
      ["workspace=unheard-of", () => false],
    ] as const) {
      const { rows } = await e.get(`runs?limit=100&${query}`);
      const expected = runs.filter((_, i) => fits(i)).map(({ run }) => run);
      expect([query, rows.map(({ run }: Row) => run).sort()]).toEqual([query, expected]);
    }
    expectProblem(await e.agent("GET", `${e.path}/runs?surface=ide`), 422, "validation_failed");
  });

  it("includes an admitted run that has not reported", async () => {
    const e = await newEnterprise();
    await e.start(start({ hold_micros: CREDIT }));
    expect((await readFromCopy(e, "runs")).rows).toMatchObject([
      { run: "run-1", charged_micros: 0, last_report_at: null, models: [], final: false },
    ]);
  });

  it("as CSV has a name with the local date of the cycle's start", async () => {
    const e = await newEnterprise({ time_zone: "Pacific/Auckland", test_clock: "2026-03-31T23:00:00Z" });
    const { headers } = await e.agent("GET", `${e.path}/runs.csv`);
    expect(headers.get("Content-Disposition")).toContain(`runs-${e.id}-2026-04-01.csv"`);
  });

  it("as CSV adds up to this cycle's use and contains no formula", async () => {
    const e = await newEnterprise({ test_clock: "2026-03-31T23:00:00Z" });
    await e.debit(costing(5, { run: "over-the-turn" }));
    await e.debit(costing(5, { run: "before" }));
    await e.moveTo("2026-04-01T01:00:00Z");
    await e.debit(costing(7, { run: "over-the-turn" }));
    await e.debit(costing(10, { run: "-2/3", workspace: "@SUM", user: "-u" }));
    await e.debit(costing(1, { run: "-2/3", workspace: "@SUM", user: "-u", model: "gpt-4.1" }));
    await projectNow(e.id);
    const answer = await e.agent("GET", `${e.path}/runs.csv`);
    expect(answer.headers.get("Content-Type")).toMatch(/^text\/csv/);
    expect(answer.headers.get("Content-Disposition")).toMatch(/^attachment; filename=".+\.csv"$/);
    const [header = "", ...lines] = answer.text.trimEnd().split("\r\n");
    const columns = header.split(",");
    const rows = lines.map((line) => Object.fromEntries(line.split(",").map((cell, i) => [columns[i], cell])));
    expect(rows.map(({ run, workspace, user, models }) => [run, workspace, user, models]).sort()).toEqual([
      ["'-2/3", "'@SUM", "'-u", "gpt-4.1 gpt-5"],
      ["over-the-turn", "w1", "u1", "gpt-5"],
    ]);
    const sum = rows.reduce((total, { cycle_micros }) => total + Number(cycle_micros), 0);
    expect(sum).toBe((await e.gauge()).used_micros);
    const none = await e.agent("GET", `${e.path}/runs.csv?workspace=unheard-of`);
    expect(none.text.trimEnd().split("\r\n")).toEqual([header]);
  });

  it("as CSV lists a run in every cycle in which it was charged, also if all of that was refunded", async () => {
    const e = await newEnterprise({ test_clock: "2026-03-31T12:00:00Z" });
    const spend = (credits: number, more = {}) =>
      e.debit(costing(credits, { started_at: "2026-03-31T12:00:00Z", ...more }));
    await spend(2, { run: "refunded-in-march" });
    await spend(0, { run: "refunded-in-march", final: true });
    await spend(5);
    await e.moveTo("2026-04-02T12:00:00Z");
    await spend(2, { run: "refunded-in-march", model: "gpt-4.1" });
    await spend(9);
    await spend(5, { final: true });
    const listed = async (cycle: string) => {
      const { text } = await e.agent("GET", `${e.path}/runs.csv?cycle=${cycle}`);
      const [header = "", ...lines] = text.trimEnd().split("\r\n");
      const at = header.split(",").indexOf("cycle_micros");
      return Object.fromEntries(lines.map((line) => [line.split(",")[0], Number(line.split(",")[at])]));
    };
    for (const step of ["written", "rebuilt"]) {
      if (step === "rebuilt") await operator("POST", `${e.path}/rebuild`);
      await projectNow(e.id);
      expect([step, await listed("2026-03-01T00:00:00Z")]).toEqual([
        step,
        { "refunded-in-march": 0, "run-1": 5 * CREDIT },
      ]);
      const april = await listed("2026-04-01T00:00:00Z");
      expect([step, Object.keys(april).sort()]).toEqual([step, ["refunded-in-march", "run-1"]]);
      expect([step, april["run-1"]]).toEqual([step, 0]);
    }
    expect((await e.audit()).ok).toBe(true);
  });
});

describe("the journal", () => {
  it("records what happened, when and by whom, newest first and page by page", async () => {
    const e = await newEnterprise({ plan: "free" });
    const admin = await e.createKey(["admin"]);
    await e.grant({ id: "g1", expires_at: "2026-03-11T00:00:00Z" });
    await e.grant({ id: "g2", amount_micros: CREDIT });
    await operator("POST", `${e.path}/grants/g2/void`);
    await e.put({ plan: "pro" });
    await e.debit(costing(1, { final: true }));
    await e.moveTo("2026-03-11T00:00:00Z");
    await e.put({ billing_model: "byom" });
    await admin.send("PUT", `${e.path}/spend-cap`, { monthly_cap_micros: 9 });
    await e.put({ billing_model: "credits" });
    await e.debit(costing(6_000, { run: "b" }));
    await e.moveTo("2026-04-01T00:00:00Z");
    const entries = await e.entries();
    expect(entries.map(({ type, by, at }) => [type, by, at.slice(0, 13)])).toEqual([
      ["cycle_started", "operator", "2026-03-10T12"],
      ["grant_added", "operator", "2026-03-10T12"],
      ["grant_added", "operator", "2026-03-10T12"],
      ["grant_voided", "operator", "2026-03-10T12"],
      ["plan_changed", "operator", "2026-03-10T12"],
      ["run_closed", "agent", "2026-03-10T12"],
      ["grant_expired", "clock", "2026-03-11T00"],
      ["billing_model_changed", "operator", "2026-03-11T00"],
      ["cap_changed", `key:${admin.id}`, "2026-03-11T00"],
      ["billing_model_changed", "operator", "2026-03-11T00"],
      ["debt_written_off", "clock", "2026-04-01T00"],
      ["cycle_started", "clock", "2026-04-01T00"],
    ]);
    expect(entries[1]).toMatchObject({ grant: "g1", amount_micros: 100 * CREDIT, source: "promotion" });
    expect(entries[3]).toMatchObject({ grant: "g2", amount_micros: CREDIT });
    expect(entries[5]).toMatchObject({ run: "run-1", credits_micros: CREDIT });
    expect(entries[10]).toMatchObject({ amount_micros: 1_001 * CREDIT });
    const seqs = entries.map(({ seq }) => seq);
    expect(seqs).toEqual([...new Set(seqs)].sort((a, b) => a - b));
    const paged = (await readPages(e, "entries", 5)).flat();
    expect(paged.map(({ seq }) => seq)).toEqual(seqs.toReversed());
  });

  it("has one run_closed entry, written when the run's last open meter becomes final", async () => {
    const e = await newEnterprise();
    const closed = async () => (await e.entries()).filter(({ type }) => type === "run_closed").length;
    await e.debit(costing(1));
    await e.debit(costing(1, { model: "gpt-4.1", final: true }));
    expect(await closed()).toBe(0);
    await e.debit(costing(1, { final: true }));
    expect(await closed()).toBe(1);
    await e.debit(costing(2, { final: true }));
    await e.debit(costing(3));
    expect(await closed()).toBe(1);
  });
});
