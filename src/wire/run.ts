/** A run as JSON, as lists and receipts show it. */
import { z } from "@hono/zod-openapi";
import { UNITS } from "../ledger/micros.ts";
import type { RunSummary } from "../ledger/receipt.ts";
import { surface } from "./fields.ts";
import { formatIso, formatIsoOrNull, parseIso, parseIsoOrNull } from "./time.ts";

export const runSchema = z
  .object({
    run: z.string(),
    surface,
    workspace: z.string(),
    group: z.string(),
    user: z.string(),
    started_at: z.iso.datetime(),
    last_report_at: z.iso.datetime().nullable(),
    models: z.array(z.string()),
    charged_micros: z.int(),
    unit: z.enum(UNITS),
    final: z.boolean(),
  })
  .openapi("Run");

export type RunJson = z.infer<typeof runSchema>;

export function showRun(run: RunSummary): RunJson {
  return {
    run: run.run,
    surface: run.surface,
    workspace: run.workspace,
    group: run.group,
    user: run.user,
    started_at: formatIso(run.startedAtMs),
    last_report_at: formatIsoOrNull(run.lastReportAtMs),
    models: run.models,
    charged_micros: run.chargedMicros,
    unit: run.unit,
    final: run.final,
  };
}

export function parseRun(json: RunJson): RunSummary {
  return {
    run: json.run,
    surface: json.surface,
    workspace: json.workspace,
    group: json.group,
    user: json.user,
    startedAtMs: parseIso(json.started_at),
    lastReportAtMs: parseIsoOrNull(json.last_report_at),
    models: json.models,
    chargedMicros: json.charged_micros,
    unit: json.unit,
    final: json.final,
  };
}
