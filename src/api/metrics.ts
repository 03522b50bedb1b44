/**
 * GET /metrics returns the operator's metrics in Prometheus's text format. The Worker runs in many short-lived
 * isolates, so every number comes from the copy in D1 or from the catalog. A series of a single enterprise is limited in
 * number, so that Prometheus does not get more series with every new customer.
 */
import type { AuditSummary } from "../catalog/audit-records.ts";
import { currentPrices } from "../catalog/current-prices.ts";
import { JOB_STATES, type JobCount, RECORDED_JOBS } from "../catalog/job-record.ts";
import { type CatalogAttention, catalogOf } from "../catalog/object.ts";
import type { ObjectSize } from "../catalog/object-sizes.ts";
import type { ShardCount } from "../catalog/placement.ts";
import type { WaitingSummary } from "../catalog/waiting-usage.ts";
import { type EnterpriseSeries, type FleetRow, readBusiest, readFleet } from "../copy/fleet.ts";
import { readDirectories } from "../operations/read-copy.ts";
import { createRoute, declare, newRouter, z } from "./route.ts";

/** How many single enterprises, and how many names without a price, the metrics list at most. */
const MAX_LISTED = 100;
const MAX_NAMES = 20;
/** The largest value of the variable METRICS_ENTERPRISES. */
const MAX_SERIES = 1_000;

const FORMAT = "text/plain; version=0.0.4; charset=utf-8";

type Metric = {
  name: string;
  type: "gauge" | "counter";
  help: string;
  samples: { labels?: Record<string, string>; value: number }[];
};

export const metricRoutes = newRouter();

metricRoutes.openapi(
  createRoute({
    ...declare({
      method: "get",
      path: "/metrics",
      name: "readMetrics",
      summary: "Read metrics in Prometheus's format",
      tag: "Service",
      access: { scope: "operator", operatorScopes: ["metrics"] },
      answers: { 200: { description: "Metrics", schema: z.string(), contentType: "text/plain" } },
    }),
  }),
  async (c) => {
    const directories = readDirectories(c.env);
    const [fleet, busiest, audits, jobs, storage, waiting, late, prices, failed, secrets, attention] =
      await Promise.all([
        readFleet(directories).catch(withoutCopy),
        readBusiest(directories, seriesLimit(c.env)).catch(() => []),
        catalogOf(c.env).auditSummary(),
        catalogOf(c.env).countJobs(),
        catalogOf(c.env).storage(),
        catalogOf(c.env).waitingSummary(MAX_NAMES),
        catalogOf(c.env).countLateCopies(),
        currentPrices(c.env, c.executionCtx),
        catalogOf(c.env).countFailedDeliveries(),
        catalogOf(c.env).webhookSecretsToStore(0),
        catalogOf(c.env).attention(MAX_LISTED),
      ]);
    const metrics = [
      ...fleetMetrics(fleet),
      ...auditMetrics(audits),
      jobMetric(jobs),
      sizeMetric(storage.objects),
      shardMetric(storage.shards),
      ...waitingMetrics(waiting),
      countMetric("copies_late", "Enterprises whose copy is more than a minute behind.", late),
      ...attentionMetrics(attention),
      priceMetric(prices.book.version),
      ...deliveryMetrics(failed, secrets.left),
      ...enterpriseMetrics(busiest),
    ];
    return c.body(formatMetrics(metrics), 200, { "Content-Type": FORMAT });
  },
);

/** Logs the error and returns null. If the copy cannot be read, the other metrics must still appear. */
function withoutCopy(error: unknown): null {
  console.error(JSON.stringify({ event: "copy_unreadable", error: String(error) }));
  return null;
}

/** Formats metrics for Prometheus: https://prometheus.io/docs/instrumenting/exposition_formats/ */
function formatMetrics(metrics: readonly Metric[]): string {
  return metrics
    .flatMap(({ name, type, help, samples }) => [
      `# HELP ${name} ${help}`,
      `# TYPE ${name} ${type}`,
      ...samples.map(({ labels = {}, value }) => `${name}${formatLabels(labels)} ${value}`),
    ])
    .map((line) => `${line}\n`)
    .join("");
}

function formatLabels(labels: Record<string, string>): string {
  const escaped = (text: string) => text.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function fleetMetrics(fleet: readonly FleetRow[] | null): Metric[] {
  const readable: Metric = {
    name: "fuelgauge_copy_readable",
    type: "gauge",
    help: "1 when the copy in D1 could be read for these metrics.",
    samples: [{ value: fleet === null ? 0 : 1 }],
  };
  if (fleet === null) return [readable];
  const of = (name: string, type: Metric["type"], help: string, measure: (row: FleetRow) => number): Metric => ({
    name: `fuelgauge_${name}`,
    type,
    help,
    samples: fleet.map((row) => ({
      labels: { billing_model: row.billing_model, plan: row.plan },
      value: measure(row),
    })),
  });
  return [
    readable,
    of("enterprises", "gauge", "Enterprises.", (row) => row.enterprises),
    of("enterprises_exhausted", "gauge", "Enterprises with nothing available.", (row) => row.exhausted),
    of("ledger_steps_total", "counter", "Debits and other changes that the ledgers recorded.", (row) => row.steps),
    of("used_micros", "gauge", "Used in the current cycles, in micros of the unit.", (row) => row.used_micros),
    of("held_micros", "gauge", "Held for runs, in micros of the unit.", (row) => row.held_micros),
    of("debt_micros", "gauge", "Charges that no credit covered, in micros.", (row) => row.debt_micros),
  ];
}

function auditMetrics({ counts, oldestAtMs, latestAtMs, wrong }: AuditSummary): Metric[] {
  const at = (name: string, help: string, atMs: number | null): Metric => ({
    name: `fuelgauge_audit_${name}_timestamp_seconds`,
    type: "gauge",
    help,
    samples: atMs === null ? [] : [{ value: atMs / 1000 }],
  });
  return [
    {
      name: "fuelgauge_audits",
      type: "gauge",
      help: "Enterprises by the result of their last scheduled audit.",
      samples: Object.entries(counts).map(([state, value]) => ({ labels: { state }, value })),
    },
    {
      name: "fuelgauge_audit_not_ok",
      type: "gauge",
      help: "1 for each enterprise whose last scheduled audit was not ok; the latest 100 of them.",
      samples: wrong.map(({ enterprise, state }) => ({ labels: { enterprise, state }, value: 1 })),
    },
    at("oldest", "The oldest of the last scheduled audits of all enterprises.", oldestAtMs),
    at("latest", "The latest scheduled audit.", latestAtMs),
  ];
}

function jobMetric(counts: readonly JobCount[]): Metric {
  return {
    name: "fuelgauge_jobs",
    type: "gauge",
    help: "Jobs of the last 35 days by name and state.",
    samples: RECORDED_JOBS.flatMap((name) =>
      JOB_STATES.map((state) => ({
        labels: { name, state },
        value: counts.find((count) => count.name === name && count.state === state)?.jobs ?? 0,
      })),
    ),
  };
}

function waitingMetrics({ meters, names }: WaitingSummary): Metric[] {
  return [
    countMetric("unpriced_meters", "Meters whose usage waits for a price.", meters),
    {
      name: "fuelgauge_unpriced_names",
      type: "gauge",
      help: "Meters that wait for a price, by the name and tier that was reported; the 20 names with the most meters.",
      samples: names.map(({ name, tier, meters: value }) => ({ labels: { name, tier }, value })),
    },
  ];
}

function attentionMetrics({ busy, failedJobs, lateCopies, failedDeliveries }: CatalogAttention): Metric[] {
  return [
    {
      name: "fuelgauge_job_failed",
      type: "gauge",
      help: "1 for each job of the last 35 days that has failed; at most 100 of them.",
      samples: failedJobs.map(({ job, name, enterprise }) => ({ labels: { job, name, enterprise }, value: 1 })),
    },
    {
      name: "fuelgauge_copy_late",
      type: "gauge",
      help: "1 for each enterprise whose copy is more than a minute behind; at most 100 of them.",
      samples: lateCopies.map((enterprise) => ({ labels: { enterprise }, value: 1 })),
    },
    {
      name: "fuelgauge_enterprise_deliveries_failed_total",
      type: "counter",
      help: "Messages that were given up, by enterprise; the 100 enterprises with the most.",
      samples: failedDeliveries.map(({ enterprise, failed }) => ({ labels: { enterprise }, value: failed })),
    },
    {
      name: "fuelgauge_ledger_busy_total",
      type: "counter",
      help: "Responses 503 ledger_busy by cause: restart, overload, full or working.",
      samples: Object.entries(busy).map(([cause, value]) => ({ labels: { cause }, value })),
    },
  ];
}

/** Returns how many enterprises have their own series: the variable METRICS_ENTERPRISES, 0 by default. */
function seriesLimit(env: Env): number {
  const wanted = Math.floor(Number("METRICS_ENTERPRISES" in env ? env.METRICS_ENTERPRISES : 0));
  return Number.isNaN(wanted) ? 0 : Math.min(Math.max(wanted, 0), MAX_SERIES);
}

/** The series of the busiest enterprises. Without the variable there are none. */
function enterpriseMetrics(busiest: readonly EnterpriseSeries[]): Metric[] {
  const of = (name: string, type: Metric["type"], help: string, measure: (row: EnterpriseSeries) => number | null) => ({
    name: `fuelgauge_enterprise_${name}`,
    type,
    help,
    samples: busiest.flatMap((row) => {
      const value = measure(row);
      return value === null ? [] : [{ labels: { enterprise: row.enterprise, unit: row.unit }, value }];
    }),
  });
  if (busiest.length === 0) return [];
  return [
    of("ledger_steps_total", "counter", "Changes that the ledger of the enterprise recorded.", (row) => row.steps),
    of("used_micros", "gauge", "Used in the current cycle.", (row) => row.used_micros),
    of("available_micros", "gauge", "Available for new runs; absent without a cap.", (row) => row.available_micros),
    of("debt_micros", "gauge", "Charges that no credit covered.", (row) => row.debt_micros),
  ];
}

function sizeMetric(sizes: readonly ObjectSize[]): Metric {
  return {
    name: "fuelgauge_object_bytes",
    type: "gauge",
    help: "The storage of each enterprise's object that uses more than 7 GB of its 10 GB; the largest 100.",
    samples: sizes.map(({ enterprise, bytes }) => ({ labels: { enterprise }, value: bytes })),
  };
}

function countMetric(name: string, help: string, value: number): Metric {
  return { name: `fuelgauge_${name}`, type: "gauge", help, samples: [{ value }] };
}

function shardMetric(shards: readonly ShardCount[]): Metric {
  return {
    name: "fuelgauge_shard_enterprises",
    type: "gauge",
    help: "Enterprises by the D1 database that has their copy.",
    samples: shards.map(({ name, enterprises }) => ({ labels: { shard: name }, value: enterprises })),
  };
}

function priceMetric(version: number): Metric {
  const help = "The version of the price book in force.";
  return { name: "fuelgauge_price_book_version", type: "gauge", help, samples: [{ value: version }] };
}

function deliveryMetrics(failed: number, secretsLeft: number): Metric[] {
  return [
    {
      name: "fuelgauge_deliveries_failed_total",
      type: "counter",
      help: "Messages to webhooks and channels that were given up.",
      samples: [{ value: failed }],
    },
    {
      name: "fuelgauge_webhook_secrets_to_store",
      type: "gauge",
      help: "Enterprises of an earlier release whose webhook secret may still depend on SIGNING_SECRET.",
      samples: [{ value: secretsLeft }],
    },
  ];
}
