/**
 * Finds the thresholds that usage has just passed. Each counts once per cycle and browser, across pages and reloads.
 */
import type { GaugeJson } from "../../wire/gauge.ts";
import { percentOf } from "./words.ts";

/** What the browser stores per enterprise. `passed` is the highest percentage that counts as passed in the cycle. */
type Memory = { cycle: string; total: number; passed: number };

const THRESHOLDS = [50, 75, 90, 100];

/** Replaces localStorage on pages where the browser does not allow it. */
const memories = new Map<string, string>();

/**
 * Returns the thresholds that usage passes for the first time in this cycle, and remembers them. If new credit moves
 * usage back below a threshold, this threshold can be passed again.
 * @param feedUrl identifies the enterprise, because another deployment may have an enterprise with the same id
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
    // localStorage is full or forbidden, so only `memories` keeps the value, until the page is closed.
  }
}

function readStorage(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}
