/**
 * One model call within a run. It places the usage of each response in the meter of its model and price tier, and moves
 * it if the tier turns out to be another one. Usage whose tier is not known yet waits in a meter that is not sent.
 */
import type { Counted, Uncounted } from "./counted.ts";
import { isSame, promptOf, sumOf, type Totals } from "./totals.ts";
import type { Usage } from "./wire.ts";

export type CallOptions = {
  /** The service tier that the response states, such as `flex`. Default: the standard tier. */
  tier?: string;
  /** The whole prompt, for prices that depend on its length. Default: the sum of the usage's input and cache kinds. */
  promptTokens?: number;
  /** Whether the usage is an estimate. */
  estimated?: boolean;
};

/** One model call within a run. Its running totals are added to those of the run's other calls. */
export type Call = {
  /** Sets the call's running totals for a model. A call that uses several models updates each of them. */
  update(model: string, usage: Usage, options?: CallOptions): void;
  /** Sets everything that the call has counted so far. Each entry is one response of the provider. */
  set(counted: readonly Counted[]): void;
  /** Ends the call, whether it succeeded or not. The run keeps the call's totals, and ignores later updates. */
  end(uncounted?: Uncounted): void;
};

type CheckedCount = Counted & { usage: Totals };

/** One call's share of a meter. */
export type Part = { model: string; tier: string | null; totals: Totals; estimated: boolean };

/** The part of the run that a call uses. */
export type CallHost = {
  /** Returns the tier of a response, or null if it is not known yet. */
  tierOf(model: string, serviceTier: string | undefined, promptTokens: number): string | null;
  /** Returns what is right in a usage, and reports what is wrong. A wrong count keeps its total of `before`. */
  checkUsage(key: string, model: string, usage: unknown, before: Totals | undefined): Totals;
  setPart(key: string, part: Part): void;
  removePart(key: string, part: Part): void;
  endPart(key: string, part: Part): void;
  /** Calls `settle` once more tiers are known. */
  callWaits(call: CallState): void;
  callEnded(uncounted: Uncounted | null): void;
};

export class CallState {
  readonly #host: CallHost;
  readonly #key: string;
  /** What `set` was last called with, which is what adapters repeat while nothing changes. */
  #given: readonly Counted[] | null = null;
  #counted: readonly CheckedCount[] = [];
  #parts = new Map<string, Part>();
  #ended = false;

  constructor(host: CallHost, key: string) {
    this.#host = host;
    this.#key = key;
  }

  /** Whether the tier of a response is not known yet. */
  get isWaiting(): boolean {
    return [...this.#parts.values()].some(({ tier }) => tier === null);
  }

  update(model: string, usage: Usage, options: CallOptions = {}): void {
    if (this.#ended) return;
    const before = this.#counted.find((other) => other.model === model)?.usage;
    const counted = { ...options, model, usage: this.#host.checkUsage(this.#key, model, usage, before) };
    this.#given = null;
    this.#place([...this.#counted.filter((other) => other.model !== model), counted]);
  }

  set(counted: readonly Counted[]): void {
    if (this.#ended || counted === this.#given) return;
    this.#given = counted;
    const check = ({ model, usage }: Counted, response: number) =>
      this.#host.checkUsage(`${this.#key}.${response}`, model, usage, this.#counted[response]?.usage);
    this.#place(counted.map((one, response) => ({ ...one, usage: check(one, response) })));
  }

  end(uncounted: Uncounted | null | undefined = this.#counted.length > 0 ? null : NO_UPDATE): void {
    if (this.#ended) return;
    this.#ended = true;
    if (!this.isWaiting) this.#endParts();
    this.#host.callEnded(uncounted);
  }

  /** Places waiting usage again, now that more tiers may be known. */
  settle(): void {
    this.#place(this.#counted);
    if (this.#ended && !this.isWaiting) this.#endParts();
  }

  #place(counted: readonly CheckedCount[]): void {
    this.#counted = counted;
    const parts = new Map<string, Part>();
    for (const { model, usage, tier: serviceTier, promptTokens, estimated = false } of counted) {
      const tier = this.#host.tierOf(model, serviceTier, promptTokens ?? promptOf(usage));
      const name = `${model} ${tier}`;
      const other = parts.get(name);
      const totals = sumOf(other === undefined ? [usage] : [other.totals, usage]);
      parts.set(name, { model, tier, totals, estimated: estimated || other?.estimated === true });
    }
    const before = this.#parts;
    this.#parts = parts;
    for (const [name, part] of before) if (!parts.has(name)) this.#host.removePart(this.#key, part);
    for (const [name, part] of parts) {
      const old = before.get(name);
      if (old !== undefined && old.estimated === part.estimated && isSame(old.totals, part.totals)) continue;
      this.#host.setPart(this.#key, part);
    }
    if (this.isWaiting) this.#host.callWaits(this);
  }

  #endParts(): void {
    for (const part of this.#parts.values()) this.#host.endPart(this.#key, part);
    this.#parts.clear();
    this.#counted = [];
  }
}

const NO_UPDATE: Uncounted = {
  reason: "not_stated",
  model: null,
  partial: false,
  detail: "a model call ended without any usage: call.update() was not called",
};
