/**
 * Keeps the usage page live. htmx connects the element "pill" to the ledger with a socket. Each message is the gauge
 * after a change, and the page then refreshes. Without a socket, a visible page refreshes every 30 seconds. The pill
 * shows whether the page is live. Screen readers are notified only of new alerts, and of a lost or restored connection.
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
/** After this many failures the pill says "Not live" instead of "Reconnecting". */
const MAX_RECONNECTS_SHOWN = 4;
/** The lowest code with which the ledger closes a socket on purpose. htmx does not reconnect after such a code. */
const FIRST_LEDGER_CODE = 4000;

let isLive = false;
let failures = 0;
let isLossSpoken = false;
let lossTimer: ReturnType<typeof setTimeout> | undefined;
let pongTimer: ReturnType<typeof setTimeout> | undefined;
/** The socket that was still connecting at the last ping. */
let connecting: WebSocket | undefined;
/** The codes of the warnings and critical alerts in the last message; null before the first message. */
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
 * Returns the socket of htmx's WebSocket extension. htmx has no public API for it, so this function reads htmx's
 * private fields. No other code does: look here first if an update of htmx breaks the live page.
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
  // Every message after the first reports a change. Some changes, such as a suspension, keep the sequence number.
  if (isLive || !isCurrent()) {
    noteChange();
    await refreshNow();
  }
  if (findSocket()?.readyState === WebSocket.OPEN && isCurrent()) becomeLive();
}

/** Announces an alert when it first appears. Does not announce alerts that existed when the page was opened. */
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
    // Browsers hide why a socket was refused. If the session has ended, the response to a refresh changes the pill.
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

/** Opens a new socket at once, even if htmx has given up or is waiting. Replaces the pill, which makes htmx connect. */
function reopen(): void {
  const pill = findPill();
  if (pill === null || isSignedOut() || findSocket()?.readyState === WebSocket.OPEN) return;
  const fresh = pill.cloneNode(true) as HTMLElement;
  pill.replaceWith(fresh);
  htmx.process(fresh);
}

/** Detects a dead connection, and closes a socket that is still connecting after a whole ping interval. */
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

/**
 * Refreshes a page that is not live. Refreshes a live page rarely, because its remaining days change without a debit.
 */
function check(): void {
  if (document.hidden || isSignedOut()) return;
  if (isLive && msSinceRefresh() <= REFRESH_LIVE_MS) return;
  refreshNow();
  refreshCopy();
}

/** Stops refreshing while the page is hidden; htmx closes the socket. Refreshes once when the page is visible again. */
function followVisibility(): void {
  isLive = false;
  if (document.hidden) return;
  failures = 0;
  check();
  lossTimer = setTimeout(() => {
    if (!isLive) showLoss();
  }, SHOW_LOSS_MS);
}
