/**
 * <usage-bar enterprise base theme="light | dark" size="full | compact">: an enterprise's usage, live, on any page.
 * The host sets the property `getToken`, a function that resolves to a fresh embed token. Served as it stands here: no
 * build, no dependency, no inline style, no markup from text; ≤ 6 KB of brotli, so its words are few.
 * Events: usage-change (detail: the gauge), usage-threshold ({threshold, gauge}), usage-action ({action, url}).
 */
(() => {
  if (customElements.get("usage-bar")) return;

  const HOME = new URL("/", document.currentScript?.src ?? location.href).href;
  const THRESHOLDS = [50, 75, 90, 100];
  const TOKEN_REFUSED = 4401;
  const GRACE_MS = 2_000;
  const ANSWER_WITHIN_MS = 8_000;
  const PING_EVERY_MS = 25_000;
  const STEADY_AFTER_MS = 5_000;
  const LONGEST_PAUSE_MS = 30_000;
  const SLEEP_AFTER_MS = 30_000;
  /** Then it is opened anew: the days that remain change without any debit. */
  const SOCKET_LIFE_MS = 3_600_000;

  const style = new CSSStyleSheet();
  style.replaceSync(`
:host{display:block;color-scheme:light dark;font:.875rem/1.5 var(--usage-bar-font,system-ui,sans-serif);
  --text:var(--usage-bar-text,light-dark(#1A1F27,#E8ECF2));--muted:var(--usage-bar-muted,light-dark(#5A6472,#A3AFBE));
  --background:var(--usage-bar-background,light-dark(#FFFFFF,#161B22));
  --line:var(--usage-bar-line,light-dark(#DDE2E9,#303946));--track:var(--usage-bar-track,light-dark(#DDE2E9,#303946));
  --monthly:var(--usage-bar-monthly,light-dark(#0B4AA2,#5E9EF5));
  --bonus:var(--usage-bar-bonus,light-dark(#0E8F7E,#7BE3CF));
  --accent:var(--usage-bar-accent,light-dark(#0A469B,#7DB6FF));
  --critical:var(--usage-bar-critical,light-dark(#A8201A,#FF9D94))}
:host([theme=light]){color-scheme:light}
:host([theme=dark]){color-scheme:dark}
:host([hidden]),[hidden]{display:none}
[part=base]{position:relative;display:flex;flex-wrap:wrap;align-items:center;gap:.375rem .75rem;
  padding:.625rem .75rem;color:var(--text);background:var(--background);border:1px solid var(--line);
  border-radius:var(--usage-bar-radius,12px);font-variant-numeric:tabular-nums}
[part=label]{flex:1 1 15rem;min-inline-size:0;overflow:hidden;white-space:nowrap;text-overflow:ellipsis}
.out{color:var(--critical);font-weight:600}
.note{color:var(--muted)}
.actions{display:grid;gap:.5rem;margin-inline-start:auto}
.actions>*{grid-area:1/2}
[part=upgrade]{grid-column:1}
[part=raise]{grid-column:1/3;justify-self:end}
a{visibility:hidden;padding:0 .625rem;line-height:1.5rem;border:1px solid;border-radius:1rem;
  color:var(--accent);text-align:center;text-decoration:none;white-space:nowrap}
a[href]{visibility:visible}
a:hover{text-decoration:underline}
a:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
[part=meter]{position:relative;flex:1 1 100%;block-size:.5rem;overflow:hidden;background:var(--track);
  border-radius:.25rem}
[part=meter]>*{position:absolute;inset-block:0;inset-inline-start:0;inline-size:0;transition:inline-size .4s}
[part=monthly]{background:var(--monthly)}
[part=bonus]{background:repeating-linear-gradient(135deg,var(--bonus) 0 4px,var(--background) 4px 6px)}
[role=status]{position:absolute;inline-size:1px;block-size:1px;margin:0;overflow:hidden;clip-path:inset(50%)}
::slotted(*){margin-inline-start:.5rem}
:host([size=compact]){font-size:.8125rem}
:host([size=compact]) [part=base]{padding:.125rem .5rem;border-radius:var(--usage-bar-radius,8px)}
:host([size=compact]) [part=meter]{order:-1;flex:none;inline-size:5rem}
:host([size=compact]) [part=label]{flex-basis:11rem}
:host([size=compact]) .note:not(.lost){display:none}
@media (prefers-reduced-motion:reduce){[part=meter]>*{transition:none}}
@media (forced-colors:active){
  [part=meter]{outline:1px solid;outline-offset:-1px}
  [part=meter]>*{forced-color-adjust:none;background:Highlight}
  [part=bonus]{background:repeating-linear-gradient(135deg,Highlight 0 4px,Canvas 4px 6px)}}`);

  // ---- words, as on the dashboard

  const print = (value, decimals) =>
    value.toLocaleString("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });

  /** Credits: whole from 100 on, else one decimal. USD: cents. What is above zero is never printed as zero. */
  function amount(micros, unit) {
    const [step, perUnit, decimals, sign] = unit === "usd" ? [1e4, 100, 2, "$"] : [1e5, 10, 1, ""];
    const steps = Math.round(micros / step);
    if (micros && !steps) return `<${sign}${1 / perUnit}`;
    if (unit === "usd" || (steps && steps < 1e3)) return sign + print(steps / perUnit, decimals);
    return print(Math.round(micros / 1e6), 0);
  }

  /** Used ÷ total in per cent; null without a cap. */
  const percentOf = ({ used_micros: used, total_micros: total }) =>
    total === null ? null : total === 0 ? 100 : (used * 100) / total;

  function resets({ as_of, cycle: { ends_at, days_remaining: days } }) {
    const hours = Math.max(1, Math.ceil((Date.parse(ends_at) - Date.parse(as_of)) / 3_600_000));
    const [count, noun] = days > 1 ? [days, "day"] : [hours, "hour"];
    return `resets in ${count} ${noun}${count === 1 ? "" : "s"}`;
  }

  function headline(gauge, isOut = gauge.remaining_micros === 0) {
    const { unit, used_micros, total_micros, cycle } = gauge;
    const used = amount(used_micros, unit);
    if (total_micros === null) return `${used} spent`;
    const total = amount(total_micros, unit);
    if (!isOut) return `${used} of ${total} ${unit === "usd" ? "cap" : "credits"}`;
    // A cycle ends at midnight of a zone from UTC−11 to UTC+13: thirteen hours later it is the same date in UTC.
    const [, day, month] = new Date(Date.parse(cycle.ends_at) + 46_800_000).toUTCString().split(" ");
    return `${unit === "usd" ? `Cap of ${total} reached` : "Out of credits"} until ${+day} ${month}`;
  }

  // ---- the connection

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  /** The one connection of a page to an enterprise, however many bars show it. */
  class Feed {
    bars = new Set();
    /** The newest state; when it was last known to be the newest; whether the bars say that it may not be. */
    gauge = null;
    freshAtMs = 0;
    isLost = false;
    isAdmin = false;
    /** Where actions lead: an alert that gives way to a higher one leaves its link here. */
    links = {};
    /** Aborted while nothing tries to connect. */
    #watch = new AbortController();
    /** Asks an open socket whether it lives; null without one. */
    #ping = null;
    #grace = 0;
    #rest = 0;

    constructor(base, enterprise) {
      this.base = base;
      this.url = `${base}v1/enterprises/${encodeURIComponent(enterprise)}`;
      this.#watch.abort();
    }

    join(bar) {
      this.bars.add(bar);
      if (this.#watch.signal.aborted) this.#keepWatching();
    }

    leave(bar) {
      this.bars.delete(bar);
      // A bar that is only moved is back at once.
      queueMicrotask(() => this.bars.size || this.#watch.abort());
    }

    /** The page is seen again, or the network is back. */
    wake() {
      clearTimeout(this.#rest);
      if (this.#ping) this.#ping();
      else this.#keepWatching();
    }

    /** Nobody looks: after a while nobody needs to be told. */
    sleep() {
      this.#rest = setTimeout(() => this.stop(), SLEEP_AFTER_MS);
    }

    stop() {
      this.#watch.abort();
      this.#sayLost();
    }

    /** The network is said to be gone: true until the socket answers. */
    doubt() {
      this.#sayLost();
      this.#ping?.();
    }

    /** Connects again and again, each time with a fresh token; at once where only the old one was refused. */
    async #keepWatching() {
      this.#watch.abort();
      const watch = (this.#watch = new AbortController());
      for (let failures = 0; !watch.signal.aborted; failures++) {
        this.#expectNews();
        const bar = [...this.bars].find(({ getToken }) => getToken);
        if (!bar || document.hidden) return watch.abort();
        const { code, openMs } = await this.#connect(bar, watch.signal).catch(() => ({ openMs: 0 }));
        if (openMs > STEADY_AFTER_MS) failures = 0;
        const pauseMs = Math.min(LONGEST_PAUSE_MS, 1_000 * 2 ** failures) * (0.5 + Math.random() / 2);
        if (code !== TOKEN_REFUSED || failures > 0) await pause(pauseMs);
      }
    }

    /** One socket from opening to end. Where none opens, asks once over HTTP. */
    async #connect(bar, signal) {
      const token = await Promise.race([bar.getToken(), pause(ANSWER_WITHIN_MS)]);
      if (!token || signal.aborted) throw new Error("no token");
      const { role, inv } = claimsOf(token);
      this.isAdmin = role === "admin";
      if (inv) this.links.invite = { label: ACTIONS.invite.label, url: inv };
      const end = await this.#listen(token, signal);
      if (end.openMs || signal.aborted) return end;
      const headers = { Authorization: `Bearer ${token}` };
      const answer = await fetch(`${this.url}/gauge`, { headers, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
      const gauge = await answer.json();
      if (answer.ok && !signal.aborted) this.#take(gauge);
      return end;
    }

    #listen(token, signal) {
      return new Promise((ended) => {
        const socket = new WebSocket(`${this.url.replace(/^http/, "ws")}/live`, ["fuelgauge", token]);
        let openedAtMs = 0;
        let timer = 0;
        const wait = (act, ms) => {
          clearTimeout(timer);
          timer = setTimeout(act, ms);
        };
        const end = (code) => {
          clearTimeout(timer);
          socket.onmessage = socket.onclose = socket.onerror = this.#ping = null;
          socket.close();
          this.#expectNews();
          ended({ code, openMs: openedAtMs && Date.now() - openedAtMs + 1 });
        };
        const ping = () => {
          if (Date.now() - openedAtMs > SOCKET_LIFE_MS) return end(TOKEN_REFUSED);
          socket.send("ping");
          wait(end, ANSWER_WITHIN_MS);
        };
        socket.onmessage = ({ data }) => {
          openedAtMs ||= Date.now();
          this.#ping = ping;
          wait(ping, PING_EVERY_MS);
          this.#grace = clearTimeout(this.#grace);
          this.isLost = false;
          this.#take(data === "pong" ? this.gauge : JSON.parse(data));
        };
        // What a policy blocks only errs.
        socket.onclose = socket.onerror = ({ code }) => end(code);
        signal.onabort = () => end();
        wait(end, ANSWER_WITHIN_MS);
      });
    }

    /** Without news soon, the bars say so. */
    #expectNews() {
      this.#grace ||= setTimeout(() => this.#sayLost(), GRACE_MS);
    }

    #sayLost() {
      this.isLost = true;
      for (const bar of this.bars) bar.render();
    }

    #take(gauge) {
      const before = this.gauge;
      this.gauge = gauge;
      this.freshAtMs = Date.now();
      const isUsd = gauge.unit === "usd";
      if (isUsd) this.links = {};
      for (const { code, action } of gauge.alerts) {
        const kind = isUsd ? "raise" : /^(usage_50|bonus_in_use)$/.test(code) ? "invite" : "upgrade";
        if (action) this.links[kind] = action;
      }
      const passed = gauge === before ? [] : newlyPassed(this.url, gauge);
      [...this.bars].forEach((bar, i) => {
        bar.render();
        if (gauge !== before) bar.tell("usage-change", gauge);
        for (const threshold of passed) bar.tell("usage-threshold", { threshold, gauge });
        // Said once, and not of what was so when the page was opened.
        if (i === 0 && before && passed.length) bar.say(`${passed.at(-1)} % used: ${headline(gauge)}`);
      });
    }
  }

  /** Role and invitation in an embed token. Only for what to show: the server believes the signature. */
  function claimsOf(token) {
    try {
      return JSON.parse(atob(token.split(".")[1].replace(/-/g, "+").replace(/_/g, "/")));
    } catch {
      return {};
    }
  }

  const notes = {};

  /** The thresholds passed for the first time in this cycle; more credit rearms those that it lifts usage below. */
  function newlyPassed(url, gauge) {
    const key = `usage-bar ${url}`;
    const percent = percentOf(gauge);
    if (percent === null) return [];
    try {
      notes[key] = localStorage.getItem(key) ?? notes[key];
    } catch {}
    const total = gauge.total_micros;
    const cycle = gauge.cycle.starts_at;
    let note = JSON.parse(notes[key] ?? "{}");
    if (note.cycle !== cycle) note = { passed: 0 };
    if (total > note.total) note.passed = Math.min(note.passed, percent);
    const passed = THRESHOLDS.filter((threshold) => threshold > note.passed && threshold <= percent);
    notes[key] = JSON.stringify({ cycle, total, passed: Math.max(note.passed, ...passed) });
    try {
      localStorage.setItem(key, notes[key]);
    } catch {}
    return passed;
  }

  const feeds = new Map();

  function feedOf(base, enterprise) {
    const home = new URL(base ?? HOME, location.href).href.replace(/\/?$/, "/");
    const key = `${home} ${enterprise}`;
    if (!feeds.has(key)) feeds.set(key, new Feed(home, enterprise));
    return feeds.get(key);
  }

  const each = (act) => {
    for (const feed of feeds.values()) feed[act]();
  };
  document.addEventListener("visibilitychange", () => each(document.hidden ? "sleep" : "wake"));
  addEventListener("online", () => each("wake"));
  addEventListener("offline", () => each("doubt"));
  // An open socket would keep the page out of the back-forward cache.
  addEventListener("pagehide", () => each("stop"));
  addEventListener("pageshow", ({ persisted }) => persisted && each("wake"));

  // ---- the element

  function make(tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const name in attributes) element.setAttribute(name, attributes[name]);
    element.append(...children);
    return element;
  }

  /** What an action says and where it leads, unless an alert names something better. */
  const ACTIONS = {
    upgrade: { label: "Upgrade plan", url: "settings/usage" },
    invite: { label: "Invite", url: "settings/usage" },
    raise: { label: "Raise cap", url: "settings/model" },
  };

  class UsageBar extends HTMLElement {
    static observedAttributes = ["enterprise", "base"];
    #feed = null;
    #getToken = null;
    #headline = make("span");
    #note = make("span");
    #fallback = make("slot");
    #label = make("span", { part: "label" }, this.#headline, this.#note, this.#fallback);
    #monthly = make("div", { part: "monthly" });
    #bonus = make("div", { part: "bonus" });
    #meter = make("div", { part: "meter", role: "meter", "aria-label": "Usage" }, this.#bonus, this.#monthly);
    #links = Object.keys(ACTIONS).map((action) => this.#makeLink(action));
    #said = make("p", { role: "status" });

    constructor() {
      super();
      // Set before this script came, it would hide the accessor.
      this.#getToken = Object.getOwnPropertyDescriptor(this, "getToken")?.value;
      delete this.getToken;
      const root = this.attachShadow({ mode: "open" });
      root.adoptedStyleSheets = [style];
      const actions = make("div", { class: "actions" }, ...this.#links);
      root.append(make("div", { part: "base" }, this.#label, actions, this.#meter, this.#said));
    }

    get getToken() {
      return this.#getToken;
    }

    set getToken(getToken) {
      this.#getToken = getToken;
      this.#feed?.join(this);
    }

    connectedCallback() {
      const enterprise = this.getAttribute("enterprise");
      const feed = enterprise && feedOf(this.getAttribute("base"), enterprise);
      if (feed !== this.#feed) this.disconnectedCallback();
      this.#feed = feed;
      this.render();
      feed?.join(this);
    }

    disconnectedCallback() {
      this.#feed?.leave(this);
      this.#feed = null;
    }

    attributeChangedCallback() {
      if (this.isConnected) this.connectedCallback();
    }

    /** Sends an event; false when the host cancelled it. */
    tell(type, detail, cancelable = false) {
      return this.dispatchEvent(new CustomEvent(type, { detail, cancelable, bubbles: true, composed: true }));
    }

    /** Speaks to those who do not see. */
    say(text) {
      this.#said.textContent = text;
    }

    /** Shows what the feed knows. */
    render() {
      const { gauge, isLost, freshAtMs, isAdmin, links, base } = this.#feed ?? {};
      this.#fallback.hidden = !!gauge;
      this.#meter.ariaValueNow = 0;
      if (!gauge) {
        this.#meter.ariaValueText = this.#headline.textContent = isLost ? "Usage not available yet" : "Loading usage …";
        return;
      }
      const { unit, plan, monthly, bonus, used_micros, total_micros, remaining_micros } = gauge;
      const percent = percentOf(gauge);
      const isOut = remaining_micros === 0;
      const time = new Date(freshAtMs).toTimeString().slice(0, 5);
      const note = isLost ? `not live, as of ${time}` : isOut ? "" : resets(gauge);
      this.#headline.textContent = headline(gauge);
      this.#headline.className = isOut ? "out" : "";
      this.#note.textContent = note && ` · ${note}`;
      this.#note.className = isLost ? "note lost" : "note";
      this.#label.title = this.#label.textContent;

      const share = percent > 0 && percent < 1 ? "less than 1" : Math.floor(percent);
      this.#meter.style.visibility = percent === null ? "hidden" : "";
      this.#meter.ariaValueNow = Math.min(100, percent);
      this.#meter.ariaValueText = `${headline(gauge, false)} used, ${share} %, ${note || resets(gauge)}`;
      const draw = (segment, micros) => {
        segment.style.inlineSize = micros ? `max(2px, ${Math.min(100, (micros * 100) / total_micros)}%)` : 0;
      };
      // The bonus lies under the monthly part and reaches beyond it: nothing moves when they grow.
      draw(this.#monthly, monthly ? monthly.used_micros : used_micros);
      draw(this.#bonus, bonus?.used_micros && used_micros);

      const isUsd = unit === "usd";
      const offered = {
        upgrade: !isUsd && (percent >= 75 || plan === "free"),
        invite: !isUsd && percent >= 50,
        raise: isUsd && isAdmin,
      };
      for (const link of this.#links) {
        const { label, url } = links[link.part] ?? ACTIONS[link.part];
        link.textContent = label;
        if (offered[link.part]) link.href = new URL(url, base);
        else link.removeAttribute("href");
      }
    }

    #makeLink(action) {
      const { label } = ACTIONS[action];
      const link = make("a", { part: action, target: "_blank", rel: "noopener" }, label);
      link.onclick = () => this.tell("usage-action", { action, url: link.href }, true);
      return link;
    }
  }

  customElements.define("usage-bar", UsageBar);
})();
