/** What the usage cube lacks: usage that was recorded before the object had a cube. */
import { dayEnd } from "../../ledger/calendar.ts";
import type { CubeGap } from "../answers.ts";
import type { Ledger } from "../books/ledger.ts";
import { getProgress } from "../books/progress.ts";

/** Returns the time for which debits are missing from the cube, up to the end of a local day; null if none is missing. */
export function cubeGap({ sql, store, books }: Ledger): CubeGap | null {
  const lastMs = getProgress(sql, "before_cube_ms");
  if (lastMs === 0) return null;
  const fromMs = store.loadFirstCycleStartMs() ?? books.cycle.startsAtMs;
  return { fromMs, untilMs: dayEnd(lastMs, books.cycle.timeZone) };
}
