// The alert rules for Prometheus name only metrics that the Worker has.
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";

const read = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), "utf8");

it("names only metrics that exist", () => {
  const rules = read("docs/alert-rules.yml");
  const source = read("src/api/metrics.ts");
  const named = [...new Set(rules.match(/\bfuelgauge_[a-z_]+/g))];
  const has = (metric: string) => {
    const short = metric.replace("fuelgauge_", "");
    const audit = /^audit_(oldest|latest)_timestamp_seconds$/.exec(short)?.[1];
    return source.includes(metric) || source.includes(`"${audit ?? short}"`);
  };
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((metric) => !has(metric))).toEqual([]);
});

it("has instructions for every alert in the runbook", () => {
  const runbook = read("docs/operate.md");
  const alerts = [...read("docs/alert-rules.yml").matchAll(/- alert: (\w+)/g)].map(([, name]) => name as string);
  expect(alerts.filter((name) => !runbook.includes(`\`${name}\``))).toEqual([]);
});
