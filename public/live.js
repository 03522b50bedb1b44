// Keeps the usage page current. The pill holds htmx's socket to the ledger: each message is the gauge after a change,
// and the page asks the server for the regions that moved, so every number comes from one formatter. Without a socket
// it asks every 30 seconds, while it is seen. The live regions speak of thresholds and of the connection only.
(() => {
  const CHECK_MS = 30_000;
  const REFRESH_LIVE_MS = 300_000;
  /** The copy follows the ledger within a second while somebody watches; then chart and tables follow it. */
  const COPY_MS = 2_000;
  const SPEAK_LOSS_MS = 5_000;
  const PING_MS = 25_000;
  const PONG_MS = 10_000;
  const PAGE_ROWS = 10;
  const TABLES = ["workspace", "group", "user", "runs"];

  let live = false;
  let failures = 0;
  let lastRefreshMs = Date.now();
  let lastChangeMs = 0;
  let copyTimer = null;
  let lossTimer = null;
  let pongTimer = null;
  let lossSpoken = false;
  let alerts = null;

  const pill = () => document.getElementById("pill");

  function say(state, text) {
    const shown = pill();
    if (shown === null || shown.dataset.state === "out") return;
    shown.dataset.state = state;
    if (shown.textContent.trim() !== text) shown.textContent = text;
  }

  function speak(region, text) {
    document.getElementById(`${region}-region`).textContent = text;
  }

  /** As of when the numbers on the page are. */
  const asOf = () => /\d+:\d\d:\d\d/.exec(document.getElementById("as-of")?.textContent ?? "")?.[0] ?? "";

  /** A table under the pointer, with focus in it, or paged on, stays as it is. */
  function mayMove(part) {
    const table = document.getElementById(part === "runs" ? "runs" : `top-${part}`);
    const rows = document.getElementById(`rows-${part}`);
    if (table === null || table.matches(":hover, :focus-within")) return false;
    return rows === null || rows.childElementCount <= PAGE_ROWS;
  }

  const wanted = new Set();
  let asking = false;

  /** Asks for these regions; what is wanted while an answer is on its way is asked for after it. */
  async function refresh(...parts) {
    for (const part of parts) wanted.add(part);
    if (asking || document.hidden) return;
    asking = true;
    while (wanted.size > 0 && pill() !== null) {
      const url = new URL(location.href);
      url.searchParams.set("part", [...wanted].join(","));
      wanted.clear();
      lastRefreshMs = Date.now();
      await htmx.ajax("GET", url.pathname + url.search, { source: pill(), swap: "none" }).catch(() => {});
    }
    asking = false;
  }

  function refreshCopy() {
    // A change that came just now may not be in the copy yet: then once more.
    copyTimer = Date.now() - lastChangeMs < COPY_MS ? setTimeout(refreshCopy, COPY_MS) : null;
    refresh("chart", ...TABLES.filter(mayMove));
  }

  /** A threshold that was not crossed before is spoken once. */
  function speakAlerts(gauge) {
    const pressing = gauge.alerts.filter(({ level }) => level !== "info");
    const fresh = alerts === null ? [] : pressing.filter(({ code }) => !alerts.has(code));
    alerts = new Set(pressing.map(({ code }) => code));
    for (const { level, message } of fresh.slice(0, 1)) speak(level === "critical" ? "alert" : "status", message);
  }

  function connected() {
    live = true;
    failures = 0;
    clearTimeout(lossTimer);
    say("live", "Live");
    if (lossSpoken) speak("status", "Connected again; the numbers are current.");
    lossSpoken = false;
  }

  function received({ detail }) {
    clearTimeout(pongTimer);
    if (typeof detail.message.data !== "string" || !detail.message.data.startsWith("{")) return;
    const gauge = JSON.parse(detail.message.data);
    speakAlerts(gauge);
    const shown = pill();
    if (shown === null || String(gauge.seq) === shown.dataset.seq) return;
    shown.dataset.seq = gauge.seq;
    refresh("now");
    lastChangeMs = Date.now();
    if (copyTimer === null) copyTimer = setTimeout(refreshCopy, COPY_MS);
  }

  function lost() {
    if (document.hidden) return;
    live = false;
    failures += 1;
    clearTimeout(pongTimer);
    say("lost", failures > 4 ? "Not live (checks every 30 s)" : `Reconnecting (numbers as of ${asOf()})`);
    if (failures > 1) {
      // A browser does not say why a socket was refused; a page does: whoever was signed out learns of it here.
      refresh("now");
      return;
    }
    lossTimer = setTimeout(() => {
      lossSpoken = true;
      speak("alert", `Connection lost; the numbers are as of ${asOf()}.`);
    }, SPEAK_LOSS_MS);
  }

  /** A connection that died without a word is found by asking it. */
  function ping() {
    const socket = pill()?._htmx?.ws?.connection?.socket;
    if (socket?.readyState !== WebSocket.OPEN) return;
    socket.send("ping");
    pongTimer = setTimeout(() => socket.close(), PONG_MS);
  }

  function check() {
    if (document.hidden) return;
    // Live or not, days go by: what remains of the cycle changes without any debit.
    if (!live || Date.now() - lastRefreshMs > REFRESH_LIVE_MS) refresh("now", "chart", ...TABLES.filter(mayMove));
  }

  document.addEventListener("htmx:ws:after:connection", connected);
  document.addEventListener("htmx:ws:before:message:incoming", received);
  document.addEventListener("htmx:ws:close", lost);
  document.addEventListener("visibilitychange", check);
  setInterval(check, CHECK_MS);
  setInterval(ping, PING_MS);
})();
