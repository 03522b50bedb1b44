// How much work the copy is for each debit: which rows are written, and with FUELGAUGE_COPY_DEBITS how much CPU time the
// object and each statement of D1 take, in plain Node. docs/benchmarks.md has the results.
import { expect, it } from "vitest";
import { CopyWriter } from "../../../src/enterprise/copy/copy-writer.ts";
import { Projector } from "../../../src/enterprise/copy/projector.ts";
import { EnterpriseCore } from "../../../src/enterprise/core.ts";
import { CopyDb } from "../../simulation/copy-db.ts";
import { report, settings } from "../../support/books.ts";
import { stubPlatform } from "../stub-platform.ts";

const { FUELGAUGE_COPY_DEBITS } = process.env;
const DEBITS = Number(FUELGAUGE_COPY_DEBITS ?? 800);
const ROUNDS = FUELGAUGE_COPY_DEBITS === undefined ? 1 : 5;
const WORKSPACES = 40;
const USERS = 200;
const REPORTS = 10;

type Statement = { text: string; params: (string | number | null)[] };

const cpuMs = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1_000;
};

/** What each statement of D1 took, by its start. */
class Costs {
  readonly #byStatement = new Map<string, { calls: number; ms: number }>();

  add(text: string, ms: number): void {
    const name = `${text.includes("CROSS JOIN") ? "only rare columns: " : ""}${text.replace(/\s+/g, " ").slice(0, 40)}`;
    const cost = this.#byStatement.get(name) ?? { calls: 0, ms: 0 };
    this.#byStatement.set(name, { calls: cost.calls + 1, ms: cost.ms + ms });
  }

  get ms(): number {
    return [...this.#byStatement.values()].reduce((sum, { ms }) => sum + ms, 0);
  }

  lines(debits: number): string[] {
    const sorted = [...this.#byStatement].sort(([, a], [, b]) => b.ms - a.ms);
    return sorted.map(
      ([name, { calls, ms }]) => `${((ms * 1_000) / debits).toFixed(2)} µs a debit, ${calls} × ${name}`,
    );
  }
}

/** An object with a copy whose statements are timed one by one. */
function open() {
  const costs = new Costs();
  const platform = stubPlatform({
    defer: (act, delayMs) => {
      if (delayMs < 1_000) queueMicrotask(act);
      return () => {};
    },
  });
  const copy = new CopyDb(async (apply) => apply());
  const written = { runs: 0, totals: 0 };
  const batch = async (statements: Statement[]) =>
    statements.map(({ text, params }) => {
      const startedMs = cpuMs();
      const results = copy.rows(text, ...params);
      costs.add(text, cpuMs() - startedMs);
      if (!text.includes("CROSS JOIN") && typeof params[1] === "string") {
        const rows = /^INSERT INTO (runs|usage_by_dimension|usage_cube) /.exec(text)?.[1];
        if (rows === "runs") written.runs += JSON.parse(params[1]).length;
        else if (rows !== undefined) written.totals += JSON.parse(params[1]).length;
      }
      return { results };
    });
  platform.copy = { prepare: (text: string) => copy.prepare(text), batch } as unknown as D1Database;
  const core = new EnterpriseCore(platform);
  core.management.provision("acme", {}, settings({ allowanceOverrideMicros: 1e12 }), null);
  const writer = new CopyWriter(core.ledger, platform, () => {});
  return { core, costs, written, projector: new Projector(core.ledger, platform, writer, () => {}) };
}

/** Debits in commits of `size` reports, in turn of `width` runs that report ten times each. Returns the number of runs. */
function debitAll({ core }: ReturnType<typeof open>, width: number, size: number, round: number): number {
  const runs = new Set<string>();
  for (let first = 0; first < DEBITS; first += size) {
    const reports = Array.from({ length: Math.min(size, DEBITS - first) }, (_, i) => {
      const number = Math.floor((first + i) / (width * REPORTS)) * width + ((first + i) % width);
      const step = 1 + (Math.floor((first + i) / width) % REPORTS);
      const run = `r${round}-${number}`;
      runs.add(run);
      const ids = { workspace: `w${number % WORKSPACES}`, user: `u${number % USERS}` };
      return report(step * 100, { run, ...ids, model: `m${number % 3}`, final: step === REPORTS });
    });
    core.ledger.debit(reports);
  }
  return runs.size;
}

it.each([
  { what: "debits in batches of 100", width: 80, size: 100 },
  { what: "single debits", width: 32, size: 1 },
])("writes each run and each total about once for all $what that wait", async ({ what, width, size }) => {
  const world = open();
  let objectMs = 0;
  let runs = 0;
  for (let round = 0; round < ROUNDS; round++) {
    runs += debitAll(world, width, size, round);
    const [startedMs, d1Ms] = [cpuMs(), world.costs.ms];
    await world.projector.project();
    objectMs += cpuMs() - startedMs - (world.costs.ms - d1Ms);
  }
  const debits = DEBITS * ROUNDS;
  if (FUELGAUGE_COPY_DEBITS !== undefined) {
    const perDebit = (ms: number) => `${((ms * 1_000) / debits).toFixed(1)} µs`;
    const { costs, written } = world;
    const rows = `${written.runs} rows of runs and ${written.totals} of totals for ${debits} debits of ${runs} runs`;
    console.log(
      [
        `${what}: the object takes ${perDebit(objectMs)} a debit, D1 ${perDebit(costs.ms)}; ${rows}`,
        ...costs.lines(debits),
      ].join("\n"),
    );
    return;
  }
  expect(world.written.runs).toBe(runs);
  // All in all, each workspace and user in one row, each combination in one, and the sum. A portion may end between.
  expect(world.written.totals).toBeLessThan(2 * (runs + runs + WORKSPACES + 2));
});
