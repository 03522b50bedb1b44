/** Which thresholds usage has just passed. Each counts once per cycle and browser, across pages and reloads. */
import type { GaugeJson } from "../../wire/gauge.ts";
import { percentOf } from "./words.ts";

/** What the browser remembers of an enterprise: the highest percentage that counts as passed in a cycle. */
type Memory = { cycle: string; total: number; passed: number };

const THRESHOLDS = [50, 75, 90, 100];

/** For pages that may not use the browser's storage. */
const memories = new Map<string, string>();

/**
 * The thresholds passed for the first time in this cycle. When new credit takes usage back below some of them, those
 * count again.
 * @param feedUrl identifies the enterprise: another Fuelgauge may have one of the same name
 */
export function newlyPassed(feedUrl: string, gauge: GaugeJson): number[] {
  const percent = percentOf(gauge);
  const total = gauge.total_micros;
  if (percent === null || total === null) return [];
  const key = `usage-bar ${feedUrl}`;
  const cycle = gauge.cycle.starts_at;
  const memory = recall(key);
  const isRearmed = memory !== null && total > memory.total;
  const passedBefore = memory?.cycle !== cycle ? 0 : isRearmed ? Math.min(memory.passed, percent) : memory.passed;
  const passed = THRESHOLDS.filter((threshold) => threshold > passedBefore && threshold <= percent);
  remember(key, { cycle, total, passed: Math.max(passedBefore, ...passed) });
  return passed;
}

function recall(key: string): Memory | null {
  return JSON.parse(readStorage(key) ?? memories.get(key) ?? "null");
}

function remember(key: string, memory: Memory): void {
  const text = JSON.stringify(memory);
  memories.set(key, text);
  try {
    localStorage.setItem(key, text);
  } catch {
    // Storage is full or forbidden: the page remembers until it is closed.
  }
}

function readStorage(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
