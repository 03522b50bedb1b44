/**
 * Reads an ordinary report without the schema, which costs several times as much: on Workers it cannot be compiled. A
 * report that is not obviously valid is left to the schema, which decides and words the errors. A test compares both.
 */
import { SURFACES, type Surface } from "../ledger/books.ts";
import { KINDS, type UsageField } from "../ledger/kinds.ts";
import { MAX_QUANTITY } from "../ledger/prices.ts";
import { STANDARD_TIER, TIER_PATTERN } from "../ledger/tiers.ts";
import { isId } from "./fields.ts";

/** A valid report, as the schema returns it. Quantities that are absent are 0. */
export type ReportJson = {
  run: string;
  model: string;
  tier: string;
  usage: { [field in UsageField]?: number | undefined };
  surface?: Surface | undefined;
  workspace?: string | undefined;
  user?: string | undefined;
  group?: string | undefined;
  started_at?: number | undefined;
  final: boolean;
  estimated: boolean;
};

const FIELDS: ReadonlySet<string> = new Set(KINDS.map(({ field }) => field));

/** Returns the report if it is valid, but null for some valid ones, too. */
export function readOrdinaryReport(sent: unknown): ReportJson | null {
  if (!isObject(sent)) return null;
  const report: ReportJson = { run: "", model: "", tier: STANDARD_TIER, usage: {}, final: false, estimated: false };
  for (const name of Object.keys(sent)) {
    const value = sent[name];
    switch (name) {
      case "run":
      case "model":
      case "workspace":
      case "user":
      case "group":
        if (typeof value !== "string" || !isId(value)) return null;
        report[name] = value;
        break;
      case "tier":
        if (typeof value !== "string" || !TIER_PATTERN.test(value)) return null;
        report.tier = value;
        break;
      case "usage":
        if (!isUsage(value)) return null;
        report.usage = value;
        break;
      case "surface": {
        const surface = SURFACES.find((known) => known === value);
        if (surface === undefined) return null;
        report.surface = surface;
        break;
      }
      case "started_at": {
        const startedAtMs = parseOwnFormat(value);
        if (startedAtMs === null) return null;
        report.started_at = startedAtMs;
        break;
      }
      case "final":
      case "estimated":
        if (typeof value !== "boolean") return null;
        report[name] = value;
        break;
      default:
        return null;
    }
  }
  return report.run === "" || report.model === "" || !("input_tokens" in report.usage) ? null : report;
}

function isUsage(sent: unknown): sent is ReportJson["usage"] {
  if (!isObject(sent) || !("input_tokens" in sent) || !("output_tokens" in sent)) return false;
  return Object.keys(sent).every((field) => FIELDS.has(field) && isQuantity(sent[field]));
}

function isQuantity(value: unknown): boolean {
  return Number.isInteger(value) && (value as number) >= 0 && (value as number) <= MAX_QUANTITY;
}

/** The form in which JavaScript writes a time, 2026-11-23T14:05:12.000Z, with a day that every month has. */
const OWN_FORMAT =
  /^(?:19[7-9]\d|20\d\d)-(?:0[1-9]|1[0-2])-(?:0[1-9]|1\d|2[0-8])T(?:[01]\d|2[0-3])(?::[0-5]\d){2}\.\d{3}Z$/;

/** Parses a time in the form that JavaScript writes. Null for every other form. */
function parseOwnFormat(text: unknown): number | null {
  if (typeof text !== "string" || text.length !== 24) return null;
  const atMs = Date.parse(text);
  // Writing the time again costs more than the rest of this function.
  if (OWN_FORMAT.test(text)) return atMs;
  return atMs >= 0 && new Date(atMs).toISOString() === text ? atMs : null;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
