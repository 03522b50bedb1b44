/**
 * Keeps the usage page live. The pill holds htmx's socket to the ledger: each message is the gauge after a change, and
 * the page then refreshes the regions that changed. Without a socket it checks every 30 seconds while it is visible.
 * The pill says whether the page is live; screen readers hear of thresholds and of the connection, and of nothing else.
 */
import type { GaugeJson } from "../../wire/gauge.ts";
import { isCurrent, msSinceRefresh, noteChange, noteSeq, refreshBalance, refreshCopy } from "./refresh.ts";
import { asOfTime, findPill, isSignedOut, setPill, speak } from "./regions.ts";

const CHECK_MS = 30_000;
const REFRESH_LIVE_MS = 300_000;
const SHOW_LOSS_MS = 1_000;
const SPEAK_LOSS_MS = 5_000;
const PING_MS = 25_000;
const PONG_MS = 10_000;
/** After this many failures the pill no longer promises to reconnect. */
const MAX_RECONNECTS_SHOWN = 4;
/** Close codes from here on are the ledger's decision, which htmx takes as final. */
const FIRST_LEDGER_CODE = 4000;

let isLive = false;
let failures = 0;
let isLossSpoken = false;
let lossTimer: ReturnType<typeof setTimeout> | undefined;
let pongTimer: ReturnType<typeof setTimeout> | undefined;
/** The socket that was still connecting at the last ping. */
let connecting: WebSocket | undefined;
/** The alerts of the last message; null before the first one. */
let alerts: Set<string> | null = null;

export function stayLive(): void {
  document.addEventListener("htmx:ws:before:message:incoming", ({ detail }) => receive(detail.message.data));
  document.addEventListener("htmx:ws:close", ({ detail }) => lose(detail.code ?? 0));
  document.addEventListener("visibilitychange", followVisibility);
  addEventListener("online", reopen);
  setInterval(check, CHECK_MS);
  setInterval(ping, PING_MS);
}

/**
 * The socket of htmx's WebSocket extension. htmx has no public way to it, so this reads htmx's private fields. It is the
 * only function that does: look here first when an update of htmx breaks the live page.
 */
function findSocket(): WebSocket | undefined {
  type Powered = HTMLElement & { _htmx?: { ws?: { connection?: { socket?: WebSocket | null } } } };
  return (findPill() as Powered | null)?._htmx?.ws?.connection?.socket ?? undefined;
}

const refreshNow = () => refreshBalance(() => isLive);

async function receive(data: unknown): Promise<void> {
  clearTimeout(pongTimer);
  if (typeof data !== "string" || !data.startsWith("{")) return;
  const gauge = JSON.parse(data) as GaugeJson;
  noteSeq(gauge.seq);
  speakNewAlert(gauge);
  // Each message after the first is about a change, even if the sequence number is the same (a suspension, a new name).
  if (isLive || !isCurrent()) {
    noteChange();
    await refreshNow();
  }
  if (findSocket()?.readyState === WebSocket.OPEN && isCurrent()) becomeLive();
}

/** Speaks an alert once, when it first appears; not those that were there when the page was opened. */
function speakNewAlert(gauge: GaugeJson): void {
  const pressing = gauge.alerts.filter(({ level }) => level !== "info");
  const [added] = alerts === null ? [] : pressing.filter(({ code }) => !alerts?.has(code));
  alerts = new Set(pressing.map(({ code }) => code));
  if (added !== undefined) speak(added.level === "critical" ? "alert" : "status", added.message);
}

function becomeLive(): void {
  isLive = true;
  failures = 0;
  clearTimeout(lossTimer);
  setPill("live", "Live");
  if (isLossSpoken) speak("status", "Connected again; the numbers are current.");
  isLossSpoken = false;
}

async function lose(code: number): Promise<void> {
  isLive = false;
  clearTimeout(pongTimer);
  if (document.hidden) return;
  failures += 1;
  showLoss();
  const isLedgersDecision = code >= FIRST_LEDGER_CODE;
  if (failures > 1 || isLedgersDecision) {
    // Browsers hide why a socket was refused. A refresh finds out: it says so on the page if the session has ended.
    await refreshNow();
    if (isLedgersDecision) reopen();
    return;
  }
  lossTimer = setTimeout(() => {
    isLossSpoken = true;
    speak("alert", `Connection lost; the numbers are as of ${asOfTime()}.`);
  }, SPEAK_LOSS_MS);
}

function showLoss(): void {
  const reconnecting = `Reconnecting (numbers as of ${asOfTime()})`;
  setPill("lost", failures > MAX_RECONNECTS_SHOWN ? "Not live (checks every 30 s)" : reconnecting);
}

/** Opens a new socket at once, when htmx has given up or still waits: htmx connects for each new element. */
function reopen(): void {
  const pill = findPill();
  if (pill === null || isSignedOut() || findSocket()?.readyState === WebSocket.OPEN) return;
  const fresh = pill.cloneNode(true) as HTMLElement;
  pill.replaceWith(fresh);
  htmx.process(fresh);
}

/** Finds a connection that died silently, and gives up one that has not been established since the last ping. */
function ping(): void {
  const socket = findSocket();
  if (socket?.readyState === WebSocket.CONNECTING) {
    if (socket === connecting) socket.close();
    connecting = socket;
  }
  if (socket?.readyState !== WebSocket.OPEN) return;
  socket.send("ping");
  pongTimer = setTimeout(() => socket.close(), PONG_MS);
}

/** Live or not, time passes: the rest of the cycle gets shorter without any debit. */
function check(): void {
  if (document.hidden || isSignedOut()) return;
  if (isLive && msSinceRefresh() <= REFRESH_LIVE_MS) return;
  refreshNow();
  refreshCopy();
}

/** While the page is hidden it rests, and htmx closes its socket. When it is visible again it loads what it missed. */
function followVisibility(): void {
  isLive = false;
  if (document.hidden) return;
  failures = 0;
  check();
  lossTimer = setTimeout(() => {
    if (!isLive) showLoss();
  }, SHOW_LOSS_MS);
}
