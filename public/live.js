// Keeps the usage page current. The pill holds htmx's socket to the ledger: each message is the gauge after a change,
// and the page asks the server for the regions that moved, so every number comes from one formatter. Without a socket
// it asks every 30 seconds, while it is seen. The live regions speak of thresholds and of the connection only.
(() => {
  const CHECK_MS = 30_000;
  const REFRESH_LIVE_MS = 300_000;
  /** The copy follows the ledger within a second while somebody watches; then chart and tables follow it. */
  const COPY_MS = 2_000;
  /** A copy this far behind is in trouble: then it is asked for less and less often. */
  const TROUBLE_MS = 10_000;
  const RETRY_MS = 1_000;
  const SPEAK_LOSS_MS = 5_000;
  const PING_MS = 25_000;
  const PONG_MS = 10_000;
  const PAGE_ROWS = 10;
  const TABLES = ["workspace", "group", "user", "runs"];

  let live = false;
  let failures = 0;
  /** The newest state that the ledger has told of. */
  let newestSeq = 0;
  let lastRefreshMs = Date.now();
  let lastChangeMs = 0;
  let copyPauseMs = COPY_MS;
  let copyTimer = null;
  let lossTimer = null;
  let pongTimer = null;
  let opening = null;
  let lossSpoken = false;
  let alerts = null;

  const pill = () => document.getElementById("pill");
  const asOf = () => document.getElementById("as-of");
  const copyLagMs = () => Number(document.getElementById("copy-as-of")?.dataset.lag ?? 0);
  const asOfTime = () => /\d+:\d\d:\d\d/.exec(asOf()?.textContent ?? "")?.[0] ?? "";
  const socket = () => pill()?._htmx?.ws?.connection?.socket;
  const isOut = () => pill()?.dataset.state === "out";
  const isCurrent = () => Number(asOf()?.dataset.seq) >= newestSeq;

  function say(state, text) {
    const shown = pill();
    if (shown === null || isOut()) return;
    shown.dataset.state = state;
    if (shown.textContent.trim() !== text) shown.textContent = text;
  }

  function speak(region, text) {
    document.getElementById(`${region}-region`).textContent = text;
  }

  /** A table under the pointer, with focus in it, or paged on, stays as it is. */
  function mayMove(part) {
    const table = document.getElementById(part === "runs" ? "runs" : `top-${part}`);
    const rows = document.getElementById(`rows-${part}`);
    if (table === null || table.matches(":hover, :focus-within")) return false;
    return rows === null || rows.childElementCount <= PAGE_ROWS;
  }

  const copyParts = () => ["chart", ...TABLES.filter(mayMove)];

  /** Asks for regions, one request at a time; what is wanted while an answer is on its way is asked for after it. */
  function asker(source) {
    const wanted = new Set();
    let asking = false;
    return async (...parts) => {
      for (const part of parts) wanted.add(part);
      if (asking || document.hidden) return;
      asking = true;
      while (wanted.size > 0 && source() !== null && !isOut()) {
        const url = new URL(location.href);
        url.searchParams.set("part", [...wanted].join(","));
        wanted.clear();
        // What cannot be read at this moment stays as it is on the page.
        const options = { source: source(), swap: "none", headers: { "Fuelgauge-Refresh": "1" } };
        await htmx.ajax("GET", url.pathname + url.search, options).catch(() => {});
      }
      asking = false;
    };
  }

  // Two askers: while the copy takes its time, the balance moves on.
  const askNow = asker(pill);
  const askCopy = asker(() => document.getElementById("content"));

  /** Brings the page to the newest state that is known of, however often that takes. */
  async function refreshNow() {
    lastRefreshMs = Date.now();
    await askNow("now");
    if (live && !isCurrent()) setTimeout(refreshNow, RETRY_MS);
  }

  /** Chart and tables follow the copy until it has everything. */
  async function refreshCopy() {
    copyTimer = -1;
    await askCopy(...copyParts());
    const lagMs = copyLagMs();
    const inTrouble = lagMs > TROUBLE_MS || document.querySelector(".unreadable") !== null;
    copyPauseMs = inTrouble ? Math.min(CHECK_MS, 2 * copyPauseMs) : COPY_MS;
    copyTimer = null;
    // A change that came just now may not be in the copy yet.
    if (inTrouble || lagMs > 0 || Date.now() - lastChangeMs < COPY_MS) refreshCopyIn(copyPauseMs);
  }

  function refreshCopyIn(ms) {
    if (copyTimer === null && !document.hidden && !isOut()) copyTimer = setTimeout(refreshCopy, ms);
  }

  /** A threshold that was not crossed before is spoken once. */
  function speakAlerts(gauge) {
    const pressing = gauge.alerts.filter(({ level }) => level !== "info");
    const fresh = alerts === null ? [] : pressing.filter(({ code }) => !alerts.has(code));
    alerts = new Set(pressing.map(({ code }) => code));
    for (const { level, message } of fresh.slice(0, 1)) speak(level === "critical" ? "alert" : "status", message);
  }

  async function received({ detail }) {
    clearTimeout(pongTimer);
    if (typeof detail.message.data !== "string" || !detail.message.data.startsWith("{")) return;
    const gauge = JSON.parse(detail.message.data);
    newestSeq = gauge.seq;
    speakAlerts(gauge);
    // After the first message each one tells of a change; not all of them take a step (a suspension, another name).
    if (live || !isCurrent()) {
      lastChangeMs = Date.now();
      refreshCopyIn(COPY_MS);
      await refreshNow();
    }
    if (socket()?.readyState === WebSocket.OPEN && isCurrent()) becomeLive();
  }

  function becomeLive() {
    live = true;
    failures = 0;
    clearTimeout(lossTimer);
    say("live", "Live");
    if (lossSpoken) speak("status", "Connected again; the numbers are current.");
    lossSpoken = false;
  }

  async function lost({ detail }) {
    live = false;
    clearTimeout(pongTimer);
    if (document.hidden) return;
    failures += 1;
    sayLost();
    if (failures > 1 || detail.code >= 4000) {
      // A browser does not say why a socket was refused; a page does: whoever was signed out learns of it here.
      await refreshNow();
      if (detail.code >= 4000) reopen();
      return;
    }
    lossTimer = setTimeout(() => {
      lossSpoken = true;
      speak("alert", `Connection lost; the numbers are as of ${asOfTime()}.`);
    }, SPEAK_LOSS_MS);
  }

  function sayLost() {
    say("lost", failures > 4 ? "Not live (checks every 30 s)" : `Reconnecting (numbers as of ${asOfTime()})`);
  }

  /** Opens a new socket at once: where htmx took a close for the last word, and where it waits though the way is free. */
  function reopen() {
    const shown = pill();
    if (shown === null || isOut() || socket()?.readyState === WebSocket.OPEN) return;
    const fresh = shown.cloneNode(true);
    fresh.removeAttribute("data-htmx-powered");
    shown.replaceWith(fresh);
    htmx.process(fresh);
  }

  /** A connection that died without a word is found by asking it, and one that does not come about by its age. */
  function ping() {
    const asked = socket();
    if (asked?.readyState === WebSocket.CONNECTING) {
      if (asked === opening) asked.close();
      opening = asked;
    }
    if (asked?.readyState !== WebSocket.OPEN) return;
    asked.send("ping");
    pongTimer = setTimeout(() => asked.close(), PONG_MS);
  }

  function refreshAll() {
    refreshNow();
    if (copyTimer === null) refreshCopy();
  }

  function check() {
    if (document.hidden || isOut()) return;
    // Live or not, days go by: what remains of the cycle changes without any debit.
    if (!live || Date.now() - lastRefreshMs > REFRESH_LIVE_MS) refreshAll();
  }

  /** Hidden, the page rests and htmx closes its socket. Seen again, it is asked for at once what was missed. */
  function seen() {
    live = false;
    if (document.hidden) return;
    failures = 0;
    check();
    lossTimer = setTimeout(() => live || sayLost(), RETRY_MS);
  }

  document.addEventListener("htmx:ws:before:message:incoming", received);
  document.addEventListener("htmx:ws:close", lost);
  document.addEventListener("visibilitychange", seen);
  addEventListener("online", reopen);
  setInterval(check, CHECK_MS);
  setInterval(ping, PING_MS);
})();
