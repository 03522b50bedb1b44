// Ordinary reports are read without the schema. Whatever is read like this, the schema must accept with the same result.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { KINDS } from "../../src/ledger/kinds.ts";
import { MAX_QUANTITY } from "../../src/ledger/prices.ts";
import { readOrdinaryReport } from "../../src/wire/ordinary-report.ts";
import { reportSchema } from "../../src/wire/report.ts";
import { parseUsage } from "../../src/wire/usage.ts";
import { Reporter } from "../../tools/bench/workload.ts";

const oneOf = (...values: unknown[]) => fc.constantFrom(...values);
const WRONG = oneOf(null, 0, -1, 0.5, true, "", "x", [], ["x"], {}, { input_tokens: 1 });

const id = oneOf("run-1", "a/b:c@d_e.f", "x".repeat(128), "x".repeat(129), ".", "..", "...", "a b", "é", "x\n", "");
const quantity = oneOf(0, -0, 1, 900, MAX_QUANTITY, MAX_QUANTITY + 1, -1, 0.5, 2 ** 53, 1e300, "1");
const time = fc.oneof(
  fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
  oneOf(
    "2026-11-23T14:05:12Z",
    "2026-11-23T14:05:12.5Z",
    "2026-11-23T14:05:12.000+02:00",
    "2026-11-23t14:05:12.000z",
    "2026-11-23 14:05:12.000Z",
    "2026-02-30T00:00:00.000Z",
    "2024-02-29T00:00:00.000Z",
    "2026-11-23T24:00:00.000Z",
    "1969-12-31T23:59:59.999Z",
    "1970-01-01T00:00:00.000Z",
    "9999-12-31T23:59:59.999Z",
    "+010000-01-01T00:00:00.000Z",
  ),
);
const flag = oneOf(true, false, "true", 1);

/** Valid values most of the time, so that many reports are valid as a whole. */
const mostly = (valid: fc.Arbitrary<unknown>, often: unknown) =>
  fc.oneof(
    { weight: 40, arbitrary: fc.constant(often) },
    { weight: 3, arbitrary: valid },
    { weight: 1, arbitrary: WRONG },
  );

const quantities = Object.fromEntries(KINDS.map(({ field }) => [field, mostly(quantity, 7)]));
const usage = fc.record<Record<string, unknown>>(
  { ...quantities, other_tokens: quantity },
  { requiredKeys: ["input_tokens"] },
);
const withoutUnknown = usage.map(({ other_tokens: _, ...known }) => known);
const report = fc.record(
  {
    run: mostly(id, "run-1"),
    model: mostly(id, "gpt-5"),
    tier: mostly(oneOf("priority", "Priority", "a".repeat(33), "1x"), "standard"),
    usage: fc.oneof({ weight: 12, arbitrary: withoutUnknown }, { weight: 1, arbitrary: usage }, WRONG),
    surface: mostly(oneOf("web", "ide"), "cli"),
    workspace: mostly(id, "ws"),
    user: mostly(id, "ada"),
    group: mostly(id, "group"),
    started_at: mostly(time, "2026-11-23T14:05:12.000Z"),
    final: mostly(flag, true),
    estimated: mostly(flag, false),
  },
  { requiredKeys: ["run", "model", "usage"] },
);
/** Reports with a field too many or too few, and what is no report at all. */
const broken = fc.oneof(
  report.map((fields) => `{"x":1,${JSON.stringify(fields).slice(1)}`),
  report.map((fields) => `{"__proto__":{"input_tokens":1},${JSON.stringify(fields).slice(1)}`),
  fc
    .tuple(report, oneOf("run", "model", "usage"))
    .map(([fields, name]) => JSON.stringify({ ...fields, [name as string]: undefined })),
  WRONG.map((value) => JSON.stringify(value)),
);
const sent = fc.oneof(
  { weight: 6, arbitrary: report.map((fields) => JSON.stringify(fields)) },
  { weight: 1, arbitrary: broken },
);

describe("reading an ordinary report", () => {
  it("returns what the schema returns, or nothing", () => {
    let read = 0;
    fc.assert(
      fc.property(sent, (text) => {
        const ordinary = readOrdinaryReport(JSON.parse(text));
        if (ordinary === null) return;
        read += 1;
        const { usage: counted, ...fields } = reportSchema.parse(JSON.parse(text));
        expect({ ...ordinary, usage: parseUsage(ordinary.usage) }).toEqual({ ...fields, usage: parseUsage(counted) });
      }),
      { numRuns: 3_000 },
    );
    expect(read).toBeGreaterThan(200);
  });

  it("reads what agents usually send", () => {
    const reporter = new Reporter("r", 7);
    for (let i = 0; i < 70; i++) expect(readOrdinaryReport(JSON.parse(reporter.next()))).not.toBeNull();
  });

  it("leaves times that JavaScript does not write to the schema", () => {
    const valid = {
      run: "r",
      model: "m",
      usage: { input_tokens: 1, output_tokens: 1 },
      started_at: "2026-11-23T14:05:12Z",
    };
    expect(readOrdinaryReport(valid)).toBeNull();
    expect(reportSchema.safeParse(valid).success).toBe(true);
  });
});
