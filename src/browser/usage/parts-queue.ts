/**
 * A queue of parts of the page that wait to be loaded. It loads all waiting parts with one request, one request at a
 * time. It does not know when to load: refresh.ts does.
 */
import { isSignedOut } from "./regions.ts";

type Batch = { parts: string[]; loaded: (() => void)[] };

/** The header of these requests. Its value is the address of the page, which the server does not read. */
const REFRESH_HEADER = "Fuelgauge-Refresh";

// What was loaded for an earlier address must not be shown: it belongs to other filters. It is loaded again.
document.addEventListener("htmx:after:request", (event) => {
  const address = event.detail.ctx.request.headers[REFRESH_HEADER];
  if (address !== undefined && address !== location.href) event.preventDefault();
});

export class PartsQueue {
  #parts = new Set<string>();
  #loaded: (() => void)[] = [];
  #isLoading = false;
  #findSource: () => HTMLElement | null;

  /** @param findSource returns the element that the requests of this queue come from */
  constructor(findSource: () => HTMLElement | null) {
    this.#findSource = findSource;
  }

  get isReady(): boolean {
    return this.#parts.size > 0 && !this.#isLoading && mayLoad() && this.#findSource() !== null;
  }

  /** Adds parts. The promise ends when they have been loaded, or at once if nothing may be loaded now. */
  add(parts: readonly string[]): Promise<void> {
    for (const part of parts) this.#parts.add(part);
    return mayLoad() ? new Promise((resolve) => this.#loaded.push(resolve)) : Promise.resolve();
  }

  /** Empties the queue, for a request of another queue. */
  take(): Batch {
    const batch = { parts: [...this.#parts], loaded: this.#loaded };
    this.#parts.clear();
    this.#loaded = [];
    return batch;
  }

  /** Loads everything that waits, and the parts of the other queue. */
  async load(other: Batch | null): Promise<void> {
    const source = this.#findSource();
    if (source === null) return;
    const own = this.take();
    const address = location.href;
    const url = new URL(address);
    url.searchParams.set("part", [...new Set([...own.parts, ...(other?.parts ?? [])])].join(","));
    const options = { source, swap: "none", headers: { [REFRESH_HEADER]: address } };
    this.#isLoading = true;
    // Regions that could not be loaded stay as they are.
    await htmx.ajax("GET", url.pathname + url.search, options).catch(() => {});
    this.#isLoading = false;
    if (location.href !== address) {
      for (const part of [...own.parts, ...(other?.parts ?? [])]) this.#parts.add(part);
    }
    for (const resolve of [...own.loaded, ...(other?.loaded ?? [])]) resolve();
  }

  /** Ends all promises if nothing may be loaded now, so that nobody waits for a page that is hidden. */
  giveUp(): void {
    if (mayLoad()) return;
    for (const resolve of this.#loaded.splice(0)) resolve();
  }
}

function mayLoad(): boolean {
  return !document.hidden && !isSignedOut();
}
