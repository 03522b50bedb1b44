/**
 * Runs every command of the runbook and of the recipes, in their order, against a deployment that has what each alert is
 * about. Checks that the runbook is complete: it has every alert, every metric and every problem code.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parser } from "@prometheus-io/lezer-promql";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { PROBLEMS } from "../../src/wire/problem-catalogue.ts";
import { type Block, blocksOf } from "./blocks.ts";
import { testRecipes } from "./recipes.ts";
import { OPERATOR_KEY, ROOT, type Server, startServer } from "./server.ts";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");
const RUNBOOK = read("docs/runbook.md");
const WHERE = { surface: "cli", workspace: "w", user: "u", started_at: new Date().toISOString() };
const REPORT = { run: "r1", usage: { input_tokens: 1000, output_tokens: 10 }, ...WHERE };

const [prelude, ...commands] = blocksOf("docs/runbook.md") as [Block, ...Block[]];

let server: Server;
let debitKey: string;
let JOB: string;

beforeAll(async () => {
  server = await startServer();
  const { key } = await server.newEnterprise("acme", { webhook_url: "https://hooks.example.com/usage" });
  debitKey = key;
  for (const model of ["claude-sonnet-4-6", "new-model-1"]) {
    const { body } = await server.call(key, "POST", "/v1/enterprises/acme/debits", { ...REPORT, model });
    expect(body.priced).toBe(model !== "new-model-1");
  }
  await server.newEnterprise("former");
  JOB = (await server.call(OPERATOR_KEY, "DELETE", "/v1/enterprises/former?confirm=former")).body.job;
});
afterAll(() => server?.stop());

const metric = async (name: string) => {
  const { body } = await server.call(OPERATOR_KEY, "GET", "/metrics");
  return Number(new RegExp(`^${name} (\\S+)$`, "m").exec(body)?.[1]);
};
const operator = async (path: string) => (await server.call(OPERATOR_KEY, "GET", path)).body;

/** Runs a block after the block that sets the variables, as somebody on call copies them. */
async function run({ code }: Block): Promise<string> {
  const variables = prelude.code.replace("https://fuelgauge.example.com", server.url).replace("…", OPERATOR_KEY);
  const { status, out, err } = await server.shell(`${variables}\n${code.replace("export JOB=…", `export JOB=${JOB}`)}`);
  expect([status, err]).toEqual([0, ""]);
  expect(out).not.toContain("urn:fuelgauge:problem");
  return out;
}

describe("docs/runbook.md", () => {
  it("begins with the variables that the commands use", () => {
    expect(prelude.code.match(/(?<=export )\w+/g)).toEqual(["URL", "OPERATOR_KEY", "E"]);
  });

  /** What a command must have done, by a part of its text. Every other command must print something. */
  const OUTCOMES: Record<string, (out: string) => Promise<void> | void> = {
    "-o metrics.txt": (out) => expect(out).toMatch(/200$/m),
    '"name": "prometheus"': async (out) => {
      const { key } = JSON.parse(out);
      expect((await server.call(key, "GET", "/metrics")).status).toBe(200);
      expect((await server.call(key, "POST", "/v1/enterprises/acme/rebuild")).body.code).toBe("scope_denied");
    },
    "/runs?limit=20": (out) => expect(JSON.parse(out).rows).toMatchObject([{ run: "r1" }]),
    "tee audit.json": (out) => expect(JSON.parse(out)).toMatchObject({ ok: true }),
    "/rebuild": (out) => expect(JSON.parse(out)).toMatchObject({ batches: expect.any(Number) }),
    '"suspended": true': async (out) => {
      expect(JSON.parse(out)).toMatchObject({ suspended: true });
      await server.call(OPERATOR_KEY, "PUT", "/v1/enterprises/acme", { suspended: false });
    },
    "^fuelgauge_cop(y|ies)_": (out) => expect(out).toContain("fuelgauge_copies_late 0\n"),
    "^fuelgauge_unpriced": (out) =>
      expect(out).toContain('fuelgauge_unpriced_names{name="new-model-1",tier="standard"} 1\n'),
    "/v1/price-book": async () => {
      // The command as it is written adds one entry, and all others stay.
      const before = await operator("/v1/price-book?version=1");
      const { models } = await operator("/v1/price-book");
      expect(models.length).toBe(before.models.length + 1);
      await expect.poll(() => metric("fuelgauge_unpriced_meters"), { interval: 500 }).toBe(0);
      const { meters } = await operator("/v1/enterprises/acme/runs/r1");
      // 1,000 input tokens at 2 USD and 10 output tokens at 8 USD per million; 100 credits per USD.
      expect(meters).toContainEqual(expect.objectContaining({ model: "new-model-1", charged_micros: 208_000 }));
    },
    "^fuelgauge_job'": (out) => expect(out).toContain('fuelgauge_jobs{name="rebuild",state="failed"} 0\n'),
    "/v1/jobs/": (out) => expect(JSON.parse(out)).toMatchObject({ job: JOB, name: "delete" }),
    deliveries_failed: (out) => expect(out).toContain("fuelgauge_deliveries_failed_total 0\n"),
    "/webhooks/test": (out) => expect(JSON.parse(out)).toEqual({ queued: true }),
  };

  it.each(commands.map((block) => [`${block.heading}: ${block.code.split("\n")[0]}`, block] as const))(
    "%s",
    async (_, block) => {
      expect(block.language).toBe("sh");
      const out = await run(block);
      expect(out).not.toBe("");
      const found = Object.keys(OUTCOMES).filter((part) => block.code.includes(part));
      for (const part of found) await OUTCOMES[part]?.(out);
      if (found.length === 0) expect(out).toMatch(/ok|fuelgauge_/);
    },
  );

  it("records usage while an enterprise is suspended, as it says", async () => {
    await server.call(OPERATOR_KEY, "PUT", "/v1/enterprises/acme", { suspended: true });
    const report = { ...REPORT, run: "r2", model: "claude-sonnet-4-6" };
    const { body } = await server.call(debitKey, "POST", "/v1/enterprises/acme/debits", report);
    expect(body).toMatchObject({ action: "stop", reason: "enterprise_suspended", priced: true });
  });

  it("says for every problem code what the operator does, and names no other code", () => {
    const table = /^## Problem codes$.*?^## /ms.exec(RUNBOOK)?.[0] ?? "";
    const named = [...table.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, codes = ""]) => codes.match(/\w+/g) ?? []);
    expect(named.toSorted()).toEqual(Object.keys(PROBLEMS).toSorted());
  });

  it("explains every metric that is served, and no other", async () => {
    const table = /^## Metrics$.*?^## /ms.exec(RUNBOOK)?.[0] ?? "";
    const explained = [...new Set(table.match(/\bfuelgauge_\w+/g))];
    const withSeries = explained.filter((name) => !/^fuelgauge_enterprise_(?!deliveries)/.test(name));
    expect(withSeries.toSorted()).toEqual((await servedMetrics()).toSorted());
  });
});

describe("docs/alert-rules.yml", () => {
  type Rule = { alert: string; expr: string; for?: string; labels: object; annotations: Record<string, string> };
  const { groups } = parse(read("docs/alert-rules.yml")) as { groups: { name: string; rules: Rule[] }[] };
  const rules = groups.flatMap((group) => group.rules);

  /** The metrics that an expression names, and the values of its labels; throws if it is not PromQL. */
  function partsOf(expression: string): { metrics: string[]; labels: string[] } {
    const [metrics, labels]: [string[], string[]] = [[], []];
    parser.parse(expression).iterate({
      enter: ({ name, type, from, to }) => {
        const text = expression.slice(from, to);
        if (type.isError) throw new Error(`not PromQL: ${expression}`);
        if (name === "Identifier") metrics.push(text);
        if (name === "UnquotedLabelMatcher") labels.push(text);
      },
    });
    return { metrics, labels };
  }

  it("has rules that Prometheus can read", () => {
    expect(rules.length).toBeGreaterThan(10);
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    for (const { alert, expr, for: pause = "1m", labels, annotations, ...rest } of rules) {
      expect(alert).toMatch(/^Fuelgauge[A-Za-z]+$/);
      expect(partsOf(expr).metrics.length).toBeGreaterThan(0);
      expect(pause).toMatch(/^\d+[smh]$/);
      expect(labels).toEqual({ severity: expect.stringMatching(/^(page|ticket)$/) });
      expect([alert, Object.keys(annotations).sort(), rest]).toEqual([alert, ["runbook", "summary"], {}]);
    }
    expect(() => partsOf("sum(rate(x[5m)) > 0")).toThrow("not PromQL");
  });

  it("names only metrics and label values that are served", async () => {
    const { body } = await server.call(OPERATOR_KEY, "GET", "/metrics");
    const served = await servedMetrics();
    for (const { alert, expr } of rules) {
      const { metrics, labels } = partsOf(expr);
      expect([alert, metrics.filter((name) => !served.includes(name))]).toEqual([alert, []]);
      // An audit that was not ok, and a failed job, have series only when there is one. Their counts always have.
      expect([alert, labels.filter((label) => !body.includes(label))]).toEqual([alert, []]);
    }
  });

  it("says in each summary only what the alert has: its value, and labels that its metric has", () => {
    for (const { alert, expr, annotations } of rules) {
      const [, by, metric = ""] = /(?:\bby \(([^)]*)\) .*?)?\b(fuelgauge_\w+)/.exec(expr) ?? [];
      const labels = new RegExp(`\`${metric}\\{([^}]*)\\}`).exec(RUNBOOK)?.[1]?.split(", ") ?? [];
      const kept = by === undefined ? labels : by.split(/, */);
      expect([alert, kept.filter((label) => !labels.includes(label))]).toEqual([alert, []]);
      const named = [...(annotations.summary ?? "").matchAll(/\{\{ *(.*?) *\}\}/g)].map(([, text]) => text);
      const known = ["$value", ...kept.map((label) => `$labels.${label}`)];
      expect([alert, named.filter((text) => !known.includes(text ?? ""))]).toEqual([alert, []]);
    }
  });

  it("leads from every alert to its section of the runbook, and has an alert for every section", () => {
    const sections = [...RUNBOOK.matchAll(/^### (Fuelgauge\w+)$/gm)].map(([, name]) => name);
    expect(rules.map(({ alert }) => alert)).toEqual(sections);
    for (const { alert, annotations } of rules) {
      expect(annotations.runbook).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
    }
  });
});

describe("docs/recipes.md", () => {
  beforeAll(() => server.call(OPERATOR_KEY, "PUT", "/v1/enterprises/acme", { suspended: false }));
  testRecipes(() => ({ server, key: debitKey }));
});

async function servedMetrics(): Promise<string[]> {
  const { body } = await server.call(OPERATOR_KEY, "GET", "/metrics");
  return [...body.matchAll(/^# TYPE (\w+)/gm)].map(([, name]) => name as string);
}
