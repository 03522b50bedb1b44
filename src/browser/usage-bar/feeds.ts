/**
 * Connects the usage bars of a page to the server. All bars of one enterprise share one feed. A feed keeps a socket
 * open while it has a bar and the page is visible. It reconnects with backoff and a fresh token, and polls over HTTP if
 * a socket cannot be opened. It does not know what a bar looks like.
 */
import type { GaugeJson } from "../../wire/gauge.ts";
import { type Action, DEFAULT_LINKS, type Link, linksIn } from "./actions.ts";
import { reconnectPauseMs } from "./pauses.ts";
import { newlyPassed } from "./thresholds.ts";

/** The methods of a bar that a feed calls. */
export interface Bar {
  readonly getToken: GetToken | null;
  render(): void;
  /** Notifies the host page of a new gauge and of newly passed thresholds. */
  report(gauge: GaugeJson, passed: number[]): void;
  /** Announces the highest threshold passed to screen readers. */
  announce(gauge: GaugeJson, passed: number[]): void;
}

export type GetToken = () => Promise<string>;

type SocketEnd = { code?: number | undefined; openMs: number };

const TOKEN_REFUSED = 4401;
const GRACE_MS = 2_000;
const TIMEOUT_MS = 8_000;
const PING_MS = 25_000;
/** A socket that stayed open longer than this resets the count of failures. */
const STEADY_MS = 5_000;
const SLEEP_MS = 30_000;
/**
 * The maximum age of a socket. A new socket sends the current gauge, whose remaining days change even without a debit.
 */
const MAX_SOCKET_MS = 3_600_000;

/** The origin that served this script. A module cannot find out its origin here, so it uses the page's origin. */
const HOME = new URL("/", (document.currentScript as HTMLScriptElement | null)?.src ?? location.href).href;

const feeds = new Map<string, Feed>();

/** Returns an enterprise's feed, which all its bars on the page share. */
export function feedOf(base: string | null, enterprise: string): Feed {
  const home = new URL(base ?? HOME, location.href).href.replace(/\/?$/, "/");
  const key = `${home} ${enterprise}`;
  const feed = feeds.get(key) ?? new Feed(home, enterprise);
  feeds.set(key, feed);
  return feed;
}

/** Makes all feeds react when the page is hidden or shown, and when the network is lost or restored. */
export function followPage(): void {
  const each = (act: (feed: Feed) => void) => feeds.forEach(act);
  const wake = (feed: Feed) => feed.wake();
  document.addEventListener("visibilitychange", () => each(document.hidden ? (feed) => feed.sleep() : wake));
  addEventListener("online", () => each(wake));
  addEventListener("offline", () => each((feed) => feed.doubt()));
  // Browsers put a page into the back/forward cache only if it has no open socket.
  addEventListener("pagehide", () => each((feed) => feed.stop()));
  addEventListener("pageshow", ({ persisted }) => persisted && each(wake));
}

export class Feed {
  readonly base: string;
  readonly url: string;
  readonly bars = new Set<Bar>();
  /** The newest gauge received; null before the first one. */
  gauge: GaugeJson | null = null;
  /** When `gauge` was last known to be current. */
  freshAtMs = 0;
  /** Whether the bars show that `gauge` may be out of date. */
  isLost = false;
  isAdmin = false;
  /** The links of the actions. An alert's link stays here even after a more pressing alert has replaced the alert. */
  links: Partial<Record<Action, Link>> = {};
  /** Aborts the loop that keeps the feed connected. It is in the aborted state while no such loop runs. */
  #watch = new AbortController();
  /** Pings the open socket; null if no socket is open. */
  #ping: (() => void) | null = null;
  #graceTimer: ReturnType<typeof setTimeout> | undefined;
  #sleepTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(base: string, enterprise: string) {
    this.base = base;
    this.url = `${base}v1/enterprises/${encodeURIComponent(enterprise)}`;
    this.#watch.abort();
  }

  join(bar: Bar): void {
    this.bars.add(bar);
    if (this.#watch.signal.aborted) this.#keepWatching();
  }

  leave(bar: Bar): void {
    this.bars.delete(bar);
    // Check later, because a bar that is moved within the page leaves and joins again at once.
    queueMicrotask(() => this.bars.size || this.#watch.abort());
  }

  /** Checks the socket or reconnects. Called when the page becomes visible or the network is back. */
  wake(): void {
    clearTimeout(this.#sleepTimer);
    if (this.#ping) this.#ping();
    else this.#keepWatching();
  }

  /** Closes the socket after SLEEP_MS unless wake() is called first. Called when the page is hidden. */
  sleep(): void {
    this.#sleepTimer = setTimeout(() => this.stop(), SLEEP_MS);
  }

  stop(): void {
    this.#watch.abort();
    this.#showLoss();
  }

  /**
   * Shows that the gauge may be out of date until the socket responds. Called when the browser reports a lost network.
   */
  doubt(): void {
    this.#showLoss();
    this.#ping?.();
  }

  /**
   * Keeps the feed connected, using a fresh token for each attempt. Skips the pause if the old token was refused once.
   */
  async #keepWatching(): Promise<void> {
    this.#watch.abort();
    const watch = (this.#watch = new AbortController());
    for (let failures = 0; !watch.signal.aborted; failures++) {
      this.#expectNews();
      const bar = [...this.bars].find(({ getToken }) => getToken);
      if (!bar || document.hidden) return watch.abort();
      const { code, openMs } = await this.#connect(bar, watch.signal).catch((): SocketEnd => ({ openMs: 0 }));
      if (openMs > STEADY_MS) failures = 0;
      if (code !== TOKEN_REFUSED || failures > 0) await pause(reconnectPauseMs(failures, Math.random()));
    }
  }

  /** Opens one socket and waits until it ends. If the socket does not open, polls once over HTTP. */
  async #connect(bar: Bar, signal: AbortSignal): Promise<SocketEnd> {
    const token = await Promise.race([bar.getToken?.(), pause(TIMEOUT_MS)]);
    if (!token || signal.aborted) throw new Error("no token");
    const { role, inv } = claimsIn(token);
    this.isAdmin = role === "admin";
    if (inv) this.links.invite = { label: DEFAULT_LINKS.invite.label, url: inv };
    const end = await this.#listen(token, signal);
    if (end.openMs || signal.aborted) return end;
    const headers = { Authorization: `Bearer ${token}` };
    const answer = await fetch(`${this.url}/gauge`, { headers, signal: AbortSignal.timeout(TIMEOUT_MS) });
    const gauge: GaugeJson = await answer.json();
    if (answer.ok && !signal.aborted) this.#take(gauge);
    return end;
  }

  #listen(token: string, signal: AbortSignal): Promise<SocketEnd> {
    return new Promise((ended) => {
      const socket = new WebSocket(`${this.url.replace(/^http/, "ws")}/live`, ["fuelgauge", token]);
      let openedAtMs = 0;
      let timer: ReturnType<typeof setTimeout> | undefined;
      const wait = (act: () => void, ms: number) => {
        clearTimeout(timer);
        timer = setTimeout(act, ms);
      };
      const end = (code?: number) => {
        clearTimeout(timer);
        socket.onmessage = socket.onclose = socket.onerror = this.#ping = null;
        socket.close();
        this.#expectNews();
        ended({ code, openMs: openedAtMs && Date.now() - openedAtMs + 1 });
      };
      const ping = () => {
        if (Date.now() - openedAtMs > MAX_SOCKET_MS) return end(TOKEN_REFUSED);
        socket.send("ping");
        wait(end, TIMEOUT_MS);
      };
      socket.onmessage = ({ data }) => {
        openedAtMs ||= Date.now();
        this.#ping = ping;
        wait(ping, PING_MS);
        clearTimeout(this.#graceTimer);
        this.#graceTimer = undefined;
        this.isLost = false;
        this.#take(data === "pong" ? this.gauge : JSON.parse(data));
      };
      socket.onclose = ({ code }) => end(code);
      // A socket that the content security policy blocks reports an error, but does not close.
      socket.onerror = () => end();
      signal.onabort = () => end();
      wait(end, TIMEOUT_MS);
    });
  }

  /** Shows that the gauge may be out of date if no message arrives within GRACE_MS. */
  #expectNews(): void {
    this.#graceTimer ??= setTimeout(() => this.#showLoss(), GRACE_MS);
  }

  #showLoss(): void {
    this.isLost = true;
    for (const bar of this.bars) bar.render();
  }

  #take(gauge: GaugeJson): void {
    const before = this.gauge;
    const isNew = gauge !== before;
    this.gauge = gauge;
    this.freshAtMs = Date.now();
    this.links = { ...(gauge.unit === "usd" ? {} : this.links), ...linksIn(gauge) };
    const passed = isNew ? newlyPassed(this.url, gauge) : [];
    [...this.bars].forEach((bar, i) => {
      bar.render();
      if (isNew) bar.report(gauge, passed);
      // Announce a threshold in one bar only, and not if usage had passed it before the page was opened.
      if (i === 0 && before && passed.length > 0) bar.announce(gauge, passed);
    });
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((done) => setTimeout(done, ms));
}

/**
 * Returns the role and the invitation URL in an embed token, without verifying its signature. They decide only what the
 * bar shows, and the server verifies the token.
 */
function claimsIn(token: string): { role?: string; inv?: string } {
  try {
    return JSON.parse(atob((token.split(".")[1] as string).replace(/-/g, "+").replace(/_/g, "/")));
  } catch {
    return {};
  }
}
