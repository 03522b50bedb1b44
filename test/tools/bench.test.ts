// The parts of the benchmark that its results depend on: what is sent, and how rounds become a ratio.

import { describe, expect, it } from "vitest";
import { formatNumber, markdownOf, type Row, reaches, tableOf } from "../../tools/bench/report.ts";
import { median, percentile, ratiosOf } from "../../tools/bench/stats.ts";
import { Reporter } from "../../tools/bench/workload.ts";
import { requestBytes } from "../../tools/workerd/http-connection.ts";

interface Report {
  run: string;
  usage: Record<string, number>;
  workspace: string;
  user: string;
  surface: string;
  final?: boolean;
}

const reportsOf = (reporter: Reporter, count: number): Report[] =>
  Array.from({ length: count }, () => JSON.parse(reporter.next()) as Report);

describe("the benchmark's reports", () => {
  it("have rising totals in each run, and the last one is final", () => {
    const runs = Map.groupBy(reportsOf(new Reporter("r", 7), 700), ({ run }) => run);
    for (const reports of runs.values()) {
      const totals = reports.map(({ usage }) => Object.values(usage).reduce((sum, tokens) => sum + tokens, 0));
      expect(totals).toEqual(totals.toSorted((a, b) => a - b));
      expect(new Set(totals).size).toBe(totals.length);
      expect(reports.slice(0, -1).some(({ final }) => final === true)).toBe(false);
      expect(new Set(reports.map(({ workspace, user, surface }) => `${workspace} ${user} ${surface}`)).size).toBe(1);
    }
    const closed = [...runs.values()].filter((reports) => reports.at(-1)?.final === true);
    expect(closed.length).toBeGreaterThanOrEqual(60);
  });

  it("are a mix of first, middle and final reports in every batch after the first", () => {
    const reporter = new Reporter("r", 100);
    reporter.nextBatch(100);
    const { reports } = JSON.parse(reporter.nextBatch(100)) as { reports: Report[] };
    expect(reports.filter(({ final }) => final === true)).toHaveLength(10);
    expect(new Set(reports.map(({ run }) => run)).size).toBe(100);
  });

  it("state the length of the body in bytes, not in characters", () => {
    const request = requestBytes("POST", "/x", { authorization: "Bearer k" }, '{"name":"Zürich"}').toString();
    expect(request).toContain("content-length: 18\r\n");
    expect(request.endsWith('\r\n\r\n{"name":"Zürich"}')).toBe(true);
  });
});

describe("the results", () => {
  it("are ratios within each round, and then the median of these", () => {
    // The machine was twice as fast in the second round, but the ratio is the same.
    expect(ratiosOf([100, 200, 100], [50, 100, 50])).toEqual({ median: 2, low: 2, high: 2 });
    expect(ratiosOf([10, 30, 20], [10, 10, 10])).toEqual({ median: 2, low: 1, high: 3 });
  });

  it("use the nearest rank as the percentile and the middle as the median", () => {
    const values = Array.from({ length: 100 }, (_, i) => 100 - i);
    expect(percentile(values, 99)).toBe(99);
    expect(percentile([7], 99)).toBe(7);
    expect(median([3, 1, 2])).toBe(2);
    expect(median([4, 1, 2, 3])).toBe(2.5);
  });

  it("show which targets are met, and nothing for rows without a target", () => {
    expect(reaches(0.75, { atLeast: 0.75 })).toBe(true);
    expect(reaches(6.01, { atMost: 6 })).toBe(false);
    const row: Row = {
      measure: "gauge read",
      against: "empty call",
      sides: "80/s : 100/s",
      result: { median: 0.8, low: 0.7, high: 0.9 },
      unit: "×",
      target: { atLeast: 0.8 },
    };
    const slow = { ...row, result: { median: 0.79, low: 0.7, high: 0.9 } };
    const lines = tableOf([row, slow, { ...row, target: null }, { ...row, result: null }]).split("\n");
    expect(lines.slice(2).map((line) => /(yes|NO)$/.exec(line)?.[0] ?? "")).toEqual(["yes", "NO", "", ""]);
    expect(lines[2]).toContain("0.80 (0.70 – 0.90)");
    expect(markdownOf([slow]).split("\n")[2]).toBe(
      "| gauge read | empty call | 0.79 (0.70 – 0.90); 80/s : 100/s | ≥ 0.8 | no |",
    );
  });

  it("show numbers with about three significant digits", () => {
    expect([0.128, 12.34, 1234.5, Number.NaN].map(formatNumber)).toEqual(["0.13", "12.3", "1,235", "–"]);
  });
});
