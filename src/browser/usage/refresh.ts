/**
 * Refreshes the usage page. Loads the changed regions from the server, because the server formats every number. The
 * balance comes from the ledger and is refreshed at once. The chart and the tables come from the copy in D1, which can
 * be some seconds behind. This file knows which state the page shows and which one is the newest. It does not know
 * about sockets.
 */
import { PartsQueue } from "./parts-queue.ts";
import { copyLagMs, copyParts, findPill, isCopyUnreadable, isSignedOut, shownSeq } from "./regions.ts";

/**
 * How long after a change to refresh the chart and the tables. While a page is open, the copy lags at most a second.
 */
const COPY_MS = 2_000;
/** A copy that lags by more than this has a problem. The page then refreshes its regions less and less often. */
const COPY_IN_TROUBLE_MS = 10_000;
const MAX_COPY_PAUSE_MS = 30_000;
const RETRY_MS = 1_000;
/** A page sends at most one request in this time, however often the balance changes. The last change is never skipped. */
const MIN_REFRESH_INTERVAL_MS = 1_000;

// A newly loaded page is up to date, so the state starts empty.
/** The sequence number of the newest state that the ledger has announced. */
let newestSeq = 0;
let lastRefreshAtMs = Date.now();
let lastChangeAtMs = 0;
let copyPauseMs = COPY_MS;
let isCopyRefreshing = false;
let copyTimer: ReturnType<typeof setTimeout> | null = null;

// Two queues, so that a slow copy does not delay the balance. They share the interval between requests.
const balanceQueue = new PartsQueue(findPill);
const copyQueue = new PartsQueue(() => document.getElementById("content"));
let lastRequestAtMs = Number.NEGATIVE_INFINITY;
let requestTimer: ReturnType<typeof setTimeout> | null = null;

/** Records the sequence number of the state that the ledger has announced. */
export function noteSeq(seq: number): void {
  newestSeq = seq;
}

/** Whether the page shows the newest state that the ledger has announced. */
export function isCurrent(): boolean {
  return shownSeq() >= newestSeq;
}

export function msSinceRefresh(): number {
  return Date.now() - lastRefreshAtMs;
}

/** Refreshes the balance. Repeats until the balance is current, as long as `keepTrying` returns true. */
export async function refreshBalance(keepTrying: () => boolean): Promise<void> {
  lastRefreshAtMs = Date.now();
  await fetchParts(balanceQueue, ["now"]);
  if (keepTrying() && !isCurrent()) setTimeout(() => refreshBalance(keepTrying), RETRY_MS);
}

/** Records a change in the ledger. Schedules a refresh of the chart and the tables for when the copy should have it. */
export function noteChange(): void {
  lastChangeAtMs = Date.now();
  refreshCopyIn(COPY_MS);
}

/** Refreshes the chart and the tables. Repeats until they show all changes in the ledger. */
export async function refreshCopy(): Promise<void> {
  if (isCopyRefreshing || copyTimer !== null) return;
  isCopyRefreshing = true;
  await fetchParts(copyQueue, copyParts());
  isCopyRefreshing = false;
  const lagMs = copyLagMs();
  const inTrouble = lagMs > COPY_IN_TROUBLE_MS || isCopyUnreadable();
  copyPauseMs = inTrouble ? Math.min(MAX_COPY_PAUSE_MS, 2 * copyPauseMs) : COPY_MS;
  // A very recent change may not be in the copy yet.
  if (inTrouble || lagMs > 0 || Date.now() - lastChangeAtMs < COPY_MS) refreshCopyIn(copyPauseMs);
}

function refreshCopyIn(ms: number): void {
  if (isCopyRefreshing || copyTimer !== null || document.hidden || isSignedOut()) return;
  copyTimer = setTimeout(() => {
    copyTimer = null;
    refreshCopy();
  }, ms);
}

/** Loads parts of the page as soon as the interval between requests allows. Ends when they are loaded. */
function fetchParts(queue: PartsQueue, parts: readonly string[]): Promise<void> {
  const loaded = queue.add(parts);
  sendSoon();
  return loaded;
}

function sendSoon(): void {
  if (requestTimer !== null) return;
  const waitMs = Math.max(0, lastRequestAtMs + MIN_REFRESH_INTERVAL_MS - Date.now());
  requestTimer = setTimeout(() => {
    requestTimer = null;
    send();
  }, waitMs);
}

/** Sends one request. If both queues wait, it loads the parts of both. */
function send(): void {
  for (const queue of [copyQueue, balanceQueue]) queue.giveUp();
  const [queue, other] = [copyQueue, balanceQueue].filter(({ isReady }) => isReady);
  if (queue === undefined) return;
  lastRequestAtMs = Date.now();
  const joined = other === undefined ? null : other.take();
  queue.load(joined).then(() => {
    if (balanceQueue.isReady || copyQueue.isReady) sendSoon();
  });
}
