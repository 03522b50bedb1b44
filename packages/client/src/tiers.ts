/**
 * Decides the price tier of a call. A model may cost more once a call's prompt passes a threshold, and the ledger cannot
 * see single calls. So the client asks the ledger once for a model's tiers and remembers them. It asks again after an
 * hour, because the price book may have changed, and uses what it knows until then.
 */
import { backoffMs, type Clock } from "./clock.ts";
import { type Answer, isTransient, type Ledger } from "./http.ts";

export const STANDARD = "standard";

/** The service tiers of which the price book's built-in entries have prices. */
const SERVICE_TIERS = ["batch", "flex", "priority"];
const KEEP_MS = 60 * 60 * 1_000;

/** The thresholds by name of the tier; null for a tier without a threshold. */
type Thresholds = ReadonlyMap<string, number | null>;

type Entry = { thresholds: Thresholds | null; atMs: number; asking: Promise<Answer | null> | null; failures: number };

export class PriceTiers {
  readonly #ledger: Ledger;
  readonly #clock: Clock;
  readonly #random: () => number;
  readonly #entries = new Map<string, Entry>();

  constructor(ledger: Ledger, clock: Clock, random: () => number) {
    this.#ledger = ledger;
    this.#clock = clock;
    this.#random = random;
  }

  /** Returns the tier of a call, or null if the model's thresholds are not known yet. */
  tierOf(model: string, serviceTier: string | undefined, promptTokens: number): string | null {
    const entry = this.#entries.get(model);
    if (entry === undefined || entry.thresholds === null) return null;
    if (this.#clock.steadyMs() - entry.atMs >= KEEP_MS) void this.ask(model);
    return chooseTier(entry.thresholds, serviceTier ?? STANDARD, promptTokens);
  }

  /** Asks for a model's tiers. Returns null once they are known, else the failed response. */
  ask(model: string): Promise<Answer | null> {
    let entry = this.#entries.get(model);
    if (entry === undefined) {
      entry = { thresholds: null, atMs: Number.NEGATIVE_INFINITY, asking: null, failures: 0 };
      this.#entries.set(model, entry);
    }
    entry.asking ??= this.#ask(model, entry);
    return entry.asking;
  }

  /** Returns how long to wait after the last failure before asking again. */
  pauseMs(model: string): number {
    return backoffMs(this.#entries.get(model)?.failures ?? 0, this.#random);
  }

  async #ask(model: string, entry: Entry): Promise<Answer | null> {
    const answer = await this.#ledger.call("GET", `/v1/price-book/models/${encodeURIComponent(model)}`);
    entry.asking = null;
    entry.atMs = this.#clock.steadyMs();
    // A 404 means that nothing prices the model, or that this version of the ledger has no tiers.
    if (isTransient(answer.status) || answer.status === 401) {
      entry.failures += 1;
      return entry.thresholds === null ? answer : null;
    }
    entry.failures = 0;
    entry.thresholds = answer.status === 200 ? thresholdsOf(answer.body.tiers) : new Map();
    return null;
  }
}

/** Reads the thresholds from a price-book entry's `tiers`. */
function thresholdsOf(tiers: unknown): Thresholds {
  const thresholds = new Map<string, number | null>();
  if (typeof tiers !== "object" || tiers === null) return thresholds;
  for (const [name, tier] of Object.entries(tiers)) {
    const above = (tier as { above_input_tokens?: unknown } | null)?.above_input_tokens;
    thresholds.set(name, typeof above === "number" ? above : null);
  }
  return thresholds;
}

/**
 * Chooses the highest threshold that the prompt exceeds. For a service tier these are the tiers that combine both, such
 * as `batch_above_200000`. Without one, the service tier applies.
 */
export function chooseTier(thresholds: Thresholds, serviceTier: string, promptTokens: number): string {
  const services = new Set(SERVICE_TIERS);
  for (const [name, above] of thresholds) if (above === null) services.add(name);
  let chosen = serviceTier;
  let highest = -1;
  for (const [name, own] of thresholds) {
    const service = [...services].find((prefix) => name.startsWith(`${prefix}_`)) ?? STANDARD;
    if (service !== serviceTier) continue;
    const above = own ?? (service === STANDARD ? null : siblingOf(thresholds, name.slice(service.length + 1)));
    if (above === null || promptTokens <= above || above <= highest) continue;
    highest = above;
    chosen = name;
  }
  return chosen;
}

/** Returns the threshold that a combined tier without its own shares with the standard tier of the same name. */
function siblingOf(thresholds: Thresholds, name: string): number | null {
  const stated = /^above_(\d+)$/.exec(name)?.[1];
  return thresholds.get(name) ?? (stated === undefined ? null : Number(stated));
}
