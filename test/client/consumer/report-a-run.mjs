// Reports a run through every entry of the package, to a ledger that this file imitates, and prints what came of it.
// It is run as it is, as CommonJS, and as a bundle for browsers, so it names nothing that only one of them has.
import { createFuelgauge, RunStopped } from "@fuelgauge/client";
import { fuelgaugeMiddleware } from "@fuelgauge/client/ai-sdk";
import { record as recordAnthropic } from "@fuelgauge/client/anthropic";
import { record as recordGoogle } from "@fuelgauge/client/google";
import { record as recordOpenAI } from "@fuelgauge/client/openai";
import { socketTransport } from "@fuelgauge/client/socket";

const DEBIT = { charged_micros: 1, unit: "credits", remaining_micros: 0, available_micros: 0, used_percent: 100 };

async function fetch(url, { body = "{}" }) {
  const { run, reports = [] } = JSON.parse(body);
  const stop = { action: "stop", reason: "credits_exhausted", run_total_micros: reports.length, seq: 1 };
  const results = reports.map((report) => ({ run: report.run, model: report.model, ...DEBIT, ...stop }));
  const started = { run, admitted: true, hold: null, gauge: { as_of: "2026-01-01T00:00:00Z" } };
  const answer = url.endsWith("/debits") ? { results } : started;
  return { status: 200, headers: { get: () => null }, text: async () => JSON.stringify(answer) };
}

async function main() {
  const transport = socketTransport(() => Promise.reject(new Error("no socket here")));
  const fuelgauge = createFuelgauge({ url: "https://ledger.example", enterprise: "e", key: "k", fetch, transport });
  const started = await fuelgauge.startRun({ run: "r", surface: "cli", workspace: "w", user: "u", totals: {} });
  if (!started.admitted) throw new Error(started.refusal.detail);
  const { run } = started;
  const usage = { input_tokens: 1, output_tokens: 2 };
  recordAnthropic({ type: "message", model: "claude", usage }, run);
  recordOpenAI({ object: "response", model: "gpt", usage }, run);
  recordGoogle({ modelVersion: "gemini", usageMetadata: { promptTokenCount: 1, candidatesTokenCount: 2 } }, run);
  await fuelgaugeMiddleware(run).wrapGenerate({
    doGenerate: async () => ({ usage: { inputTokens: { total: 1 }, outputTokens: { total: 2 } } }),
    model: { modelId: "any" },
  });
  const { delivered, charged_micros } = await run.finish();
  const stopped = run.signal.reason instanceof RunStopped;
  console.log(JSON.stringify({ delivered, charged_micros, stopped, models: Object.keys(run.totals) }));
  fuelgauge.close();
}

main();
