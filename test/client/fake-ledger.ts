/**
 * A ledger on this machine that accepts everything and remembers it, for tests of what the client sends. Tests choose the
 * tiers of models, and can change any answer.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { createFuelgauge, type FuelgaugeOptions, type Run, type Trouble } from "../../packages/client/src/fuelgauge.ts";
import type { Report } from "../../packages/client/src/wire.ts";

type Tiers = Record<string, { above_input_tokens?: number }>;
type Change = (report: Report) => Record<string, unknown>;

export async function startFakeLedger(tiersOf: (model: string) => Tiers | null | "broken") {
  const reports: Report[] = [];
  const asked: string[] = [];
  const clients: { close(): void }[] = [];
  const troubles: Trouble[] = [];
  const state: { change: Change } = { change: () => ({}) };

  const answer = (path: string, body: { run?: string; reports?: Report[] }): [number, object] => {
    const name = /^\/v1\/price-book\/models\/(.+)$/.exec(path)?.[1];
    if (name !== undefined) {
      const model = decodeURIComponent(name);
      asked.push(model);
      const tiers = tiersOf(model);
      if (tiers === "broken") return [503, { code: "ledger_busy", detail: "busy" }];
      return tiers === null ? [404, { code: "unknown_model" }] : [200, { name: model, id: model, tiers }];
    }
    if (!path.endsWith("/debits")) return [201, { run: body.run, admitted: true, hold: null, gauge: GAUGE }];
    const results = (body.reports ?? []).map((report) => {
      reports.push(report);
      const { run, model, tier = "standard" } = report;
      return { run, model, tier, priced: true, ...ANSWER, ...state.change(report) };
    });
    return [200, { results }];
  };

  const server = createServer(async (request, response) => {
    let body = "";
    for await (const chunk of request) body += chunk;
    const [status, json] = answer(request.url ?? "", JSON.parse(body || "{}"));
    response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(json));
  });
  await new Promise<void>((ready) => server.listen(0, "127.0.0.1", ready));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let runs = 0;

  const connect = (options: Partial<FuelgaugeOptions> = {}) => {
    const onTrouble = (trouble: Trouble) => void troubles.push(trouble);
    const client = createFuelgauge({ url, enterprise: "acme", key: "k", onTrouble, ...options });
    clients.push(client);
    return client;
  };

  return {
    reports,
    connect,
    /** The models whose price-book entries were asked for. */
    asked,
    troubles,
    state,
    async startRun(client = connect(), totals = {}): Promise<Run> {
      const who = { surface: "cli", workspace: "w1", user: "u1" } as const;
      const started = await client.startRun({ run: `run-${++runs}`, ...who, totals });
      if (!started.admitted) throw new Error(started.refusal.detail);
      return started.run;
    },
    /** The usage of a run's final reports, by model and tier. */
    finals(run: Run) {
      const finals = reports.filter((report) => report.run === run.id && report.final === true);
      return Object.fromEntries(
        finals.map(({ model, tier, usage }) => [tier === undefined ? model : `${model} ${tier}`, usage]),
      );
    },
    close() {
      for (const client of clients) client.close();
      server.closeAllConnections();
      server.close();
    },
  };
}

const GAUGE = { as_of: "2026-11-27T00:00:00.000Z" };
const ANSWER = {
  charged_micros: 1,
  run_total_micros: 1,
  unit: "credits",
  remaining_micros: 1_000,
  available_micros: 1_000,
  used_percent: 1,
  action: "continue",
  reason: null,
  seq: 1,
};
