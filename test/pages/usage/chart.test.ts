// The data of the usage chart, by bucket and as a running total.
import { describe, expect, it } from "vitest";
import { spansOf } from "../../../src/ledger/calendar.ts";
import { bucketChart, totalChart } from "../../../src/pages/usage/chart-data.ts";
import { daysOf } from "../../../src/pages/usage/chart-spans.ts";
import { outlookOf } from "../../../src/pages/usage/outlook.ts";
import { creditsGauge, UNIT } from "../gauges.ts";

const NOW = Date.parse("2026-11-23T12:00:00.000Z");

function buckets(range: "24h" | "7d" | "30d", webOf: (i: number) => number, cliOf: (i: number) => number) {
  const { granularity, spans } = spansOf(range, NOW, "UTC");
  return {
    granularity,
    buckets: spans.map((span, i) => ({ ...span, webMicros: webOf(i) * UNIT, cliMicros: cliOf(i) * UNIT })),
  };
}

describe("the chart by bucket", () => {
  it("labels every bucket, marks the current one, and sums up in words", () => {
    const week = buckets(
      "7d",
      (i) => i * 10,
      () => 1.5,
    );
    const chart = bucketChart({ ...week, unit: "credits", timeZone: "UTC", window: "the last 7 days", nowMs: NOW });
    expect(chart.labels[0]).toBe("Tue 17 Nov");
    expect(chart.labels[6]).toBe("Mon 23 Nov (so far)");
    expect(chart.partial).toEqual([6]);
    expect(chart.sums?.[6]).toBe("61.5");
    expect(chart.xTicks.map(({ label }) => label)).toContain("Mon\n23");
    expect(chart.series.map(({ texts }) => texts[6])).toEqual(["60.0", "1.5"]);
    expect(chart.summary).toBe(
      "In the last 7 days, 221 credits were used: Web 210, CLI 10.5. Highest: Mon 23 Nov (so far), 61.5 credits.",
    );
  });

  it("has room for a mark at the very start and the very end of its buckets", () => {
    const week = buckets(
      "7d",
      () => 1,
      () => 0,
    );
    const facts = {
      type: "grant_added",
      grant: "g",
      amountMicros: UNIT,
      source: "referral",
      expiresAtMs: null,
      debtPaidMicros: 0,
    } as const;
    const at = [week.buckets[6]!.endsAtMs - 1, week.buckets[0]!.startsAtMs];
    const changes = at.map((atMs, i) => ({ seq: 2 - i, atMs, by: "operator", facts }) as const);
    const chart = bucketChart({
      ...week,
      unit: "credits",
      timeZone: "UTC",
      window: "the last 7 days",
      nowMs: NOW,
      changes,
    });
    expect(chart.marks).toHaveLength(2);
    for (const mark of chart.marks) {
      expect(mark.at).toBeGreaterThanOrEqual(chart.xMin);
      expect(mark.at).toBeLessThanOrEqual(chart.xMax);
    }
  });

  it("shows zeros, and says so if nothing was used", () => {
    const day = buckets(
      "24h",
      () => 0,
      () => 0,
    );
    const chart = bucketChart({ ...day, unit: "usd", timeZone: "UTC", window: "the last 24 hours", nowMs: NOW });
    expect(chart.series[0]?.values).toEqual(Array(24).fill(0));
    expect(chart.summary).toBe("Nothing was spent in the last 24 hours.");
    expect(chart.yTicks.map(({ label }) => label)).toEqual(["$0", "$1"]);
  });

  it("goes below zero if refunds exceed charges", () => {
    const weeks = buckets(
      "30d",
      (i) => (i === 2 ? -30 : 80),
      () => 0,
    );
    const chart = bucketChart({ ...weeks, unit: "credits", timeZone: "UTC", window: "the last 30 days", nowMs: NOW });
    expect(chart.yTicks[0]?.at).toBeLessThanOrEqual(-30);
    expect(chart.yTicks.at(-1)?.at).toBeGreaterThanOrEqual(80);
    expect(chart.series[0]?.texts[2]).toBe("−30.0");
    expect(chart.summary).toMatch(/ Where the chart is below zero, refunds exceeded charges\.$/);
  });

  it("marks the oldest of five weeks, which the window of 30 days cuts, as incomplete", () => {
    const weeks = buckets(
      "30d",
      () => 1,
      () => 0,
    );
    const chart = bucketChart({ ...weeks, unit: "credits", timeZone: "UTC", window: "the last 30 days", nowMs: NOW });
    expect(chart.partial).toEqual([0, 4]);
    expect(chart.labels[0]).toBe("25–26 Oct (part)");
    expect(chart.labels[4]).toBe("17–23 Nov (so far)");
  });

  it("labels the repeated hour at the end of daylight saving with its offsets", () => {
    const { spans } = spansOf("24h", Date.parse("2026-10-25T06:30:00.000Z"), "Europe/Berlin");
    const hours = spans.map((span) => ({ ...span, webMicros: 0, cliMicros: 0 }));
    const { labels } = bucketChart({
      buckets: hours,
      granularity: "hour",
      unit: "credits",
      timeZone: "Europe/Berlin",
      window: "the last 24 hours",
      nowMs: Date.parse("2026-10-25T06:30:00.000Z"),
    });
    expect(labels.slice(16, 20)).toEqual([
      "Sun 25 Oct, 01:00–02:00 UTC+2",
      "Sun 25 Oct, 02:00 UTC+2 – 02:00 UTC+1",
      "Sun 25 Oct, 02:00–03:00 UTC+1",
      "Sun 25 Oct, 03:00–04:00 UTC+1",
    ]);
    expect(new Set(labels).size).toBe(24);
  });
});

describe("the chart of the running total", () => {
  const gauge = creditsGauge({ now: "2026-11-23T12:00:00.000Z", used: 1_184 });
  const outlook = outlookOf(gauge, undefined);
  const days = daysOf(outlook.startsAtMs, outlook.nowMs, "UTC");
  const used = days.map((day, i) => ({ ...day, webMicros: i < 22 ? 50 * UNIT : 84 * UNIT, cliMicros: 0 }));
  const chart = totalChart({ buckets: used, gauge, outlook, timeZone: "UTC", selectedMicros: null });

  it("rises from zero to the used amount and continues at the current pace until the reset", () => {
    const [used, forecast] = chart.series;
    expect(used?.values.slice(0, 3)).toEqual([0, 50, 100]);
    expect(used?.values.at(-2)).toBe(1_184);
    expect(forecast?.values.at(-2)).toBe(1_184);
    expect(forecast?.texts.at(-1)).toBe("1,579");
    expect(chart.x.at(-1)).toBe(30);
    expect(chart.x.at(-2)).toBe(22.5);
    expect(chart.limit).toEqual({ at: 1_500, label: "Limit 1,500" });
  });

  it("marks the next expiry of bonus credits if it is in this cycle", () => {
    const expiring = (at: string) => {
      const bonus = {
        usedMicros: 0,
        remainingMicros: 600 * UNIT,
        nextExpiry: { atMs: Date.parse(at), micros: 600 * UNIT },
      };
      return totalChart({ buckets: used, gauge: { ...gauge, bonus }, outlook, timeZone: "UTC", selectedMicros: null })
        .marks;
    };
    expect(expiring("2026-11-28T12:00:00.000Z")).toEqual([{ at: 27.5, label: "Sat 28 Nov: 600 credits expire" }]);
    expect(expiring("2026-12-01T00:00:01.000Z")).toEqual([]);
  });

  it("shows the previous cycle as a line of its totals, and marks what changed", () => {
    const before = daysOf(Date.parse("2026-10-01T00:00:00.000Z"), Date.parse("2026-10-31T23:00:00.000Z"), "UTC");
    const previous = before.map((day) => ({ ...day, webMicros: 10 * UNIT, cliMicros: 0 }));
    const grant = { type: "grant_added", grant: "g1", amountMicros: 300 * UNIT, source: "referral" } as const;
    const facts = { ...grant, expiresAtMs: null, debtPaidMicros: 0 };
    const changes = [{ seq: 3, atMs: Date.parse("2026-11-02T12:00:00.000Z"), by: "operator", facts } as const];
    const compared = totalChart({
      buckets: used,
      gauge,
      outlook,
      timeZone: "UTC",
      selectedMicros: null,
      previous,
      changes,
    });
    const line = compared.series.find(({ key }) => key === "previous");
    expect(line?.values.slice(0, 3)).toEqual([0, 10, 20]);
    expect(line?.values.at(-2)).toBe(225);
    expect(line?.values.at(-1)).toBe(300);
    expect(compared.marks).toEqual([{ at: 1.5, label: "Mon 2 Nov: grant of 300 credits" }]);
  });

  it("has no forecast for a selection or in the first 24 hours", () => {
    expect(totalChart({ buckets: [], gauge, outlook, timeZone: "UTC", selectedMicros: 20 * UNIT }).series).toHaveLength(
      1,
    );
    const early = creditsGauge({ now: "2026-11-01T05:00:00.000Z", used: 20 });
    expect(
      totalChart({
        buckets: [],
        gauge: early,
        outlook: outlookOf(early, undefined),
        timeZone: "UTC",
        selectedMicros: null,
      }).series,
    ).toHaveLength(1);
  });
});

it("divides a month into local days across both changes of daylight saving", () => {
  for (const [from, to, days] of [
    ["2026-03-01T00:00+01:00", "2026-03-31T12:00+02:00", 31],
    ["2026-10-01T00:00+02:00", "2026-10-31T12:00+01:00", 31],
  ] as const) {
    const spans = daysOf(Date.parse(from), Date.parse(to), "Europe/Berlin");
    expect(spans).toHaveLength(days);
    expect(spans.every(({ startsAtMs }, i) => i === 0 || startsAtMs === spans[i - 1]?.endsAtMs)).toBe(true);
  }
});
