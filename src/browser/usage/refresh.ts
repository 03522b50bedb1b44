/**
 * Refreshes the usage page: asks the server for the regions that have changed, so that every number on the page comes
 * from the server's one formatter. The balance follows the ledger at once; chart and tables follow the copy, which is
 * up to a few seconds behind. It knows which state the page shows and which is the newest, but nothing about sockets.
 */
import { copyLagMs, copyParts, findPill, isCopyUnreadable, isSignedOut, shownSeq } from "./regions.ts";

/** While somebody watches, the copy follows the ledger within a second. */
const COPY_MS = 2_000;
/** A copy this far behind has a problem; the page then asks for it less and less often. */
const COPY_IN_TROUBLE_MS = 10_000;
const MAX_COPY_PAUSE_MS = 30_000;
const RETRY_MS = 1_000;

// All of this is lost with the page, and a new page is up to date.
/** The newest state that the ledger has announced. */
let newestSeq = 0;
let lastRefreshAtMs = Date.now();
let lastChangeAtMs = 0;
let copyPauseMs = COPY_MS;
let isCopyRefreshing = false;
let copyTimer: ReturnType<typeof setTimeout> | null = null;

// Two queues: while the copy takes its time, the balance moves on.
const fetchBalance = partsQueue(findPill);
const fetchCopy = partsQueue(() => document.getElementById("content"));

/** The ledger has announced a state. */
export function noteSeq(seq: number): void {
  newestSeq = seq;
}

/** The page shows the newest state that the ledger has announced. */
export function isCurrent(): boolean {
  return shownSeq() >= newestSeq;
}

export function msSinceRefresh(): number {
  return Date.now() - lastRefreshAtMs;
}

/** Refreshes the balance; while `keepTrying` says so, again until it is the newest. */
export async function refreshBalance(keepTrying: () => boolean): Promise<void> {
  lastRefreshAtMs = Date.now();
  await fetchBalance("now");
  if (keepTrying() && !isCurrent()) setTimeout(() => refreshBalance(keepTrying), RETRY_MS);
}

/** After a change in the ledger chart and tables have to follow, once the copy has it. */
export function noteChange(): void {
  lastChangeAtMs = Date.now();
  refreshCopyIn(COPY_MS);
}

/** Refreshes chart and tables, until they have everything that the ledger has. */
export async function refreshCopy(): Promise<void> {
  if (isCopyRefreshing || copyTimer !== null) return;
  isCopyRefreshing = true;
  await fetchCopy(...copyParts());
  isCopyRefreshing = false;
  const lagMs = copyLagMs();
  const inTrouble = lagMs > COPY_IN_TROUBLE_MS || isCopyUnreadable();
  copyPauseMs = inTrouble ? Math.min(MAX_COPY_PAUSE_MS, 2 * copyPauseMs) : COPY_MS;
  // A change of the last moment may not be in the copy yet.
  if (inTrouble || lagMs > 0 || Date.now() - lastChangeAtMs < COPY_MS) refreshCopyIn(copyPauseMs);
}

function refreshCopyIn(ms: number): void {
  if (isCopyRefreshing || copyTimer !== null || document.hidden || isSignedOut()) return;
  copyTimer = setTimeout(() => {
    copyTimer = null;
    refreshCopy();
  }, ms);
}

/** Returns a function that fetches regions, one request at a time; the next request asks for all that were added meanwhile. */
function partsQueue(findSource: () => HTMLElement | null): (...parts: string[]) => Promise<void> {
  const queued = new Set<string>();
  let isFetching = false;
  return async (...parts) => {
    for (const part of parts) queued.add(part);
    if (isFetching || document.hidden) return;
    isFetching = true;
    for (let source = findSource(); queued.size > 0 && source !== null && !isSignedOut(); source = findSource()) {
      const url = new URL(location.href);
      url.searchParams.set("part", [...queued].join(","));
      queued.clear();
      const options = { source, swap: "none", headers: { "Fuelgauge-Refresh": "1" } };
      // A region that cannot be loaded now stays as it is.
      await htmx.ajax("GET", url.pathname + url.search, options).catch(() => {});
    }
    isFetching = false;
  };
}
