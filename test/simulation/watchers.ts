/**
 * Watchers of the gauge over simulated sockets. They must see every last state, at most four pushes a second, and lose
 * their socket when their token expires or the object is evicted.
 */
import type { Caller } from "../../src/access/callers.ts";
import {
  CLOSE_UNAUTHORIZED,
  type Socket,
  type SocketOwner,
  type Sockets,
} from "../../src/enterprise/sockets/sockets.ts";
import { isRefusal } from "../../src/ledger/refusals.ts";
import type { World } from "./world.ts";

const PUSH_INTERVAL_MS = 250;
const DAY_MS = 86_400_000;
/** A push waits for the interval at most; an alarm that closes expired sockets may be a little late. */
const SEEN_WITHIN_MS = 1_000;
const CLOSED_WITHIN_MS = 300_000;

type Watcher = Socket & { seenSeq: number; openedAtMs: number };

export class Watchers {
  readonly sockets: Sockets = {
    countLive: () => this.#open.size,
    live: () => [...this.#open],
    all: () => [...this.#open],
    of: () => [],
    countLiveOf: () => 0,
  };
  readonly #open = new Set<Watcher>();
  #opened = 0;
  /** The last push, by the world's clock and by the platform's. */
  #pushed = { worldMs: Number.NEGATIVE_INFINITY, platformMs: 0 };
  /** The books as they were last checked, and since when they are so. */
  #checked = { seq: 0, sinceMs: 0 };

  constructor(readonly world: World) {}

  /** Somebody opens a page, with a token that may expire. */
  open(): void {
    const { world } = this;
    const { dice } = world;
    const caller: Caller = { kind: "user", user: `watcher-${++this.#opened}`, role: "member" };
    const lifetimeMs = dice.chance(0.7) ? dice.spread(1_000, 5 * DAY_MS) : null;
    const expiresAtMs = lifetimeMs === null ? null : world.platform.nowMs() + lifetimeMs;
    const watcher = this.#newWatcher({ kind: "live", caller, expiresAtMs });
    const opened = world.call(
      `watch until ${expiresAtMs}`,
      ({ core }) => core.openSocket(watcher.owner, () => this.#accept(watcher)) ?? { opened: true },
      () => {},
    );
    if (opened === null || isRefusal(opened)) this.#open.delete(watcher);
    const leavesAfterMs = dice.spread(60_000, 20 * DAY_MS);
    world.later(leavesAfterMs, () => this.#open.delete(watcher));
  }

  /** The object is gone, and with it all sockets. */
  closeAll(): void {
    this.#open.clear();
  }

  /**
   * Call it after each call in a world whose platform works: everybody must see the state that it leaves, unless the books
   * change again, and nobody may watch with an expired token.
   */
  checkSoon(): void {
    this.#check();
    this.world.later(SEEN_WITHIN_MS + 1, () => this.#check());
  }

  #check(): void {
    const { world } = this;
    const { seq } = world.object.ledger.books;
    if (seq !== this.#checked.seq) this.#checked = { seq, sinceMs: world.nowMs };
    const { sinceMs } = this.#checked;
    for (const { owner, seenSeq, openedAtMs } of this.#open) {
      if (world.nowMs - Math.max(sinceMs, openedAtMs) > SEEN_WITHIN_MS && seenSeq !== seq) {
        world.fail(`a watcher has seen seq ${seenSeq}, but not ${seq}`);
      }
      if (owner.expiresAtMs !== null && world.platform.nowMs() - owner.expiresAtMs > CLOSED_WITHIN_MS) {
        world.fail(`a watcher's token has expired at ${owner.expiresAtMs}, but its socket is open`);
      }
    }
    if (this.#open.size > 0) world.count("watchers_found_up_to_date");
  }

  #newWatcher(owner: SocketOwner): Watcher {
    const watcher: Watcher = {
      owner,
      seenSeq: 0,
      openedAtMs: this.world.nowMs,
      send: (message) => {
        if (watcher.seenSeq > 0) this.#checkPace();
        watcher.seenSeq = (JSON.parse(message) as { seq: number }).seq;
      },
      close: (code) => {
        if (code === CLOSE_UNAUTHORIZED) this.world.count("watcher_expired");
        this.#open.delete(watcher);
      },
    };
    return watcher;
  }

  #accept(watcher: Watcher): Watcher {
    this.#open.add(watcher);
    return watcher;
  }

  #checkPace(): void {
    const { world } = this;
    const now = { worldMs: world.nowMs, platformMs: world.platform.nowMs() };
    const gapMs = now.worldMs - this.#pushed.worldMs;
    // One push goes to every watcher at once. The object measures by its own clock, which may be set meanwhile.
    const clockWasSet = gapMs !== now.platformMs - this.#pushed.platformMs;
    if (gapMs > 0 && gapMs < PUSH_INTERVAL_MS && !clockWasSet) world.fail(`pushes are ${gapMs} ms apart`);
    this.#pushed = now;
    world.count("watcher_pushed");
  }
}
