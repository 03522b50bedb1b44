// Batches of reports and concurrent reports: one bad report never affects the others.
import { describe, expect, it } from "vitest";
import { auditFailures, CREDIT, costing, expectProblem, invalidPaths, NOON, newEnterprise, report } from "./api.ts";

describe("a batch", () => {
  it("of a thousand reports is answered in order and charged like single reports", async () => {
    const e = await newEnterprise();
    const reports = Array.from({ length: 1_000 }, (_, i) => costing((i % 7) + 1, { run: `r${i % 250}` }));
    const { status, body } = await e.debit({ reports });
    expect(status).toBe(200);
    expect(body.results.map(({ run }: { run: string }) => run)).toEqual(reports.map(({ run }) => run));
    const charged = body.results.reduce(
      (sum: number, result: { charged_micros: number }) => sum + result.charged_micros,
      0,
    );
    // Each run is reported four times. The largest of its four totals counts.
    const largest = Array.from({ length: 250 }, (_, run) =>
      Math.max(...[0, 1, 2, 3].map((k) => ((run + 250 * k) % 7) + 1)),
    );
    expect(charged).toBe(largest.reduce((a, b) => a + b) * CREDIT);
    expect((await e.gauge()).used_micros).toBe(charged);
    expect(body.results.at(-1)).toMatchObject({ remaining_micros: 5_000 * CREDIT - charged });
    expect(await auditFailures(e)).toEqual([]);
  });

  it("answers each invalid report with a status and code, and charges the others", async () => {
    const { debit, gauge } = await newEnterprise();
    await debit(report());
    const { status, body } = await debit({
      reports: [
        costing(1, { run: "a" }),
        costing(1, { workspace: "w2" }),
        costing(1, { run: "b", model: "no-such-model" }),
        { run: "c" },
        null,
        "NaN",
        costing(1, { run: "d", usage: { input_tokens: -1, output_tokens: 0 } }),
        costing(1, { run: "e", started_at: "2026-01-01T00:00:00Z" }),
        costing(1, { run: "f", started_at: "2026-03-11T00:00:00Z" }),
        costing(1, { run: "g", colour: "red" }),
        costing(2, { run: "a" }),
      ],
    });
    expect(status).toBe(200);
    const outcomes = body.results.map((result: Record<string, unknown>) => result.code ?? result.charged_micros);
    expect(outcomes).toEqual([
      CREDIT,
      "run_attribution_conflict",
      0,
      "validation_failed",
      "validation_failed",
      "validation_failed",
      "validation_failed",
      "run_too_old",
      "started_in_future",
      "validation_failed",
      CREDIT,
    ]);
    for (const result of body.results.filter((item: { code?: string }) => item.code !== undefined)) {
      const { status, code, detail, errors, ...rest } = result;
      expect([typeof status, typeof code, typeof detail, rest]).toEqual(["number", "string", "string", {}]);
      expect(errors !== undefined).toBe(code === "validation_failed");
      expect(result.status).toBe({ run_attribution_conflict: 409, run_too_old: 410 }[result.code as string] ?? 422);
    }
    expect((await gauge()).used_micros).toBe(2 * CREDIT + 225_000);
  });

  it("has 1 to 1000 reports and no other field", async () => {
    const { debit, gauge } = await newEnterprise();
    const before = await gauge();
    expect(invalidPaths(await debit({ reports: [] }))).toEqual(["reports"]);
    expect(invalidPaths(await debit({ reports: Array(1_001).fill(report()) }))).toEqual(["reports"]);
    expect(invalidPaths(await debit({ reports: report() }))).toEqual(["reports"]);
    expect(invalidPaths(await debit({ reports: [report()], final: true }))).toEqual(["final"]);
    expect(invalidPaths(await debit({ ...report(), reports: [report()] }))).toContain("run");
    for (const body of [[], [report()], null, "x", 7]) {
      expectProblem(await debit(body === null ? "null" : body === "x" ? '"x"' : body), 422, "validation_failed");
    }
    expect(await gauge()).toEqual(before);
  });

  it("makes a run known with its first report, so that later ones may omit the attribution", async () => {
    const { debit } = await newEnterprise();
    const { surface: _s, workspace: _w, user: _u, started_at: _at, ...bare } = costing(2);
    const { body } = await debit({ reports: [costing(1), bare, { ...bare, run: "other" }] });
    expect(body.results.map((result: Record<string, unknown>) => result.code ?? result.charged_micros)).toEqual([
      CREDIT,
      CREDIT,
      "validation_failed",
    ]);
  });
});

describe("concurrent reports", () => {
  it("are each charged once, and no seq repeats", async () => {
    const e = await newEnterprise();
    const reports = Array.from({ length: 120 }, (_, i) =>
      costing(1 + (i % 3), { run: `r${i % 40}`, started_at: NOON }),
    );
    const answers = await Promise.all(reports.map(e.debit));
    expect(answers.every(({ status }) => status === 200)).toBe(true);
    const moved = answers.filter(({ body }) => body.charged_micros > 0).map(({ body }) => body.seq);
    expect(new Set(moved).size).toBe(moved.length);
    const charged = answers.reduce((sum, { body }) => sum + body.charged_micros, 0);
    expect(charged).toBe(40 * 3 * CREDIT);
    expect((await e.gauge()).used_micros).toBe(charged);
    expect(await auditFailures(e)).toEqual([]);
  });
});
