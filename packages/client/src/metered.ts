/**
 * Code that the adapters share. A fold reads a provider's events one by one and always knows the usage stated so far. A
 * metered stream passes the events through and reports that usage to the run. Nothing in here throws into the stream, and
 * no event waits for anything. Unless the caller asks for an estimate, a stream that is cut off counts what the provider
 * had stated by then.
 */
import type { Counted, Uncounted } from "./counted.ts";
import type { Run } from "./run.ts";

export type Fold<Event> = {
  add(event: Event): void;
  /** The running totals so far, one entry per response; empty until the provider has stated a usage. */
  counted(): readonly Counted[];
  /** The name of the model, if it is known. */
  model(): string | undefined;
  /** Whether the provider's last event has arrived. */
  ended(): boolean;
  /** Whether the provider has stated the usage of everything so far. */
  stated(): boolean;
  /** What has been counted, and an estimate of the rest. */
  estimated(promptTokens: number): readonly Counted[];
};

export type MeterOptions = {
  /** The name to report the model under. Needed if the provider's responses do not name their model. */
  model?: string;
  /** The service tier, if the responses do not state it: `batch` for the results of a batch. */
  tier?: string;
  /**
   * Estimates the usage of a stream that is cut off before the provider has stated it. One token is counted for four
   * ASCII characters, and one for any other character. `prompt` is the number of the prompt's tokens, or what was sent as
   * the prompt. Without it, a prompt that the provider did not state counts as nothing.
   */
  estimate?: boolean | { prompt?: unknown };
  /** What to tell the caller if a complete response states no usage. */
  hint?: string;
};

type Metered<Event> = {
  add(event: Event): void;
  end(how: { left: true } | { error: unknown } | "ended"): void;
};

/** Reports one call's usage to the run, event by event. */
export function meterCall<Event>(run: Run, fold: Fold<Event>, options: MeterOptions = {}): Metered<Event> {
  const call = run.call();
  let events = 0;
  let problem: string | null = null;
  const guard = <T>(work: () => T, otherwise: T): T => {
    try {
      return work();
    } catch (error) {
      problem ??= String(error);
      return otherwise;
    }
  };
  return {
    add(event) {
      events += 1;
      guard(() => {
        fold.add(event);
        call.set(fold.counted());
      }, undefined);
    },
    end(how) {
      const partial = guard(() => fold.counted().length > 0, false);
      const model = guard(() => fold.model() ?? options.model ?? null, null);
      const complete = guard(() => fold.ended() && fold.stated() && (partial || model !== null), false);
      let uncounted: Uncounted | null = null;
      if (problem !== null) uncounted = { reason: "adapter_failed", model, partial, detail: problem };
      else if (!complete) uncounted = { ...causeOf(how, run, fold, model, options), model, partial };
      if (uncounted !== null && options.estimate && events > 0 && model !== null && !complete) {
        const estimated = guard(() => estimatedBy(fold, options.estimate), []);
        if (estimated.length > 0) {
          guard(() => call.set(estimated), undefined);
          if (problem === null) uncounted = null;
        }
      }
      call.end(uncounted ?? undefined);
    },
  };
}

function estimatedBy(fold: Fold<never>, estimate: MeterOptions["estimate"]): readonly Counted[] {
  const prompt = typeof estimate === "object" ? estimate.prompt : undefined;
  const tokens = typeof prompt === "number" ? countOf(prompt) : estimateTokens(textLength(prompt));
  return fold.estimated(tokens).map((one) => ({ ...one, estimated: true }));
}

function causeOf(
  how: { left: true } | { error: unknown } | "ended",
  run: Run,
  fold: Fold<never>,
  model: string | null,
  { hint = "the provider's response states no usage" }: MeterOptions,
): Pick<Uncounted, "reason" | "detail"> {
  if (fold.stated() && model === null) {
    return { reason: "no_model", detail: "the response does not name its model: pass {model} to the adapter" };
  }
  if (typeof how === "object" && "error" in how) {
    const { error } = how;
    if (run.signal.aborted || isAbort(error)) return ABORTED;
    return { reason: "failed", detail: `the stream failed before its usage arrived: ${error}` };
  }
  if (how !== "ended") {
    const detail = "the stream was left before its usage arrived, for example by break: read it to its end";
    return run.signal.aborted ? ABORTED : { reason: "left_early", detail };
  }
  if (fold.ended()) return { reason: "not_stated", detail: hint };
  if (run.signal.aborted) return ABORTED;
  return { reason: "cut_off", detail: "the stream ended before its usage arrived: it was aborted or cut off" };
}

const ABORTED = { reason: "aborted", detail: "the stream was aborted before its usage arrived" } as const;

/** Whether this is the error of an aborted request. OpenAI's SDK names only the error's class for it. */
function isAbort(error: unknown): boolean {
  const { name, constructor: type } = (error ?? {}) as { name?: unknown; constructor?: { name?: unknown } };
  return /abort/i.test(`${name} ${type?.name}`);
}

/** Passes a stream's events through and reports their usage, until the stream ends or fails or the reader stops. */
export async function* meterStream<Event>(
  stream: AsyncIterable<Event>,
  run: Run,
  fold: Fold<NoInfer<Event>>,
  options: MeterOptions = {},
): AsyncGenerator<Event, void, undefined> {
  const metered = meterCall(run, fold, options);
  let how: Parameters<typeof metered.end>[0] = { left: true };
  try {
    for await (const event of stream) {
      metered.add(event);
      yield event;
    }
    how = "ended";
  } catch (error) {
    how = { error };
    throw error;
  } finally {
    metered.end(how);
  }
}

/** Reports the usage of a complete response, and returns the response. */
export function recordResponse<Response>(
  response: Response,
  run: Run,
  fold: Fold<NoInfer<Response>>,
  options: MeterOptions = {},
): Response {
  const whole: Fold<Response> = { ...fold, ended: () => true };
  const metered = meterCall(run, whole, { ...options, estimate: false });
  metered.add(response);
  metered.end("ended");
  return response;
}

/** Returns a provider's number as a count, or 0 if it is missing or not a positive integer. */
export function countOf(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/** Returns the largest of several places at which providers state the same number. */
export function largestOf(...values: unknown[]): number {
  return Math.max(0, ...values.map(countOf));
}

/** Returns the fields that an event states. A null does not replace an earlier number, and neither does a 0. */
export function mergeStated<T>(before: T, stated: unknown): T {
  const merged = { ...before } as Record<string, unknown>;
  for (const [name, value] of Object.entries(stated ?? {})) {
    const known = merged[name];
    if (value === null || value === undefined || (value === 0 && countOf(known) > 0)) continue;
    merged[name] = isRecord(value) && isRecord(known) ? mergeStated(known, value) : value;
  }
  return merged as T;
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

const STANDARD_NAMES = /^(|auto|default|standard|standard_only|on_demand|(.*_)?unspecified)$/;

/** Returns the price tier that a provider's name of a service tier stands for; undefined for the standard tier. */
export function serviceTier(stated: unknown): string | undefined {
  const name = String(stated ?? "").toLowerCase();
  if (STANDARD_NAMES.test(name)) return undefined;
  const tier = name.replace(/^on_demand_/, "").replace(/[^a-z0-9_]/g, "_");
  return /^[a-z][a-z0-9_]{0,31}$/.test(tier) ? tier : undefined;
}

/** Characters of text: ASCII, of which about four make a token, and others. */
type TextLength = { ascii: number; other: number };

export function addText(length: TextLength, text: unknown): void {
  if (typeof text !== "string") return;
  for (const character of text) {
    if (character.charCodeAt(0) < 128) length.ascii += 1;
    else length.other += 1;
  }
}

export function estimateTokens({ ascii, other }: TextLength): number {
  return Math.ceil(ascii / 4) + other;
}

/** Counts the text in a prompt of any shape. */
function textLength(prompt: unknown): TextLength {
  const length = { ascii: 0, other: 0 };
  const visit = (value: unknown, depth: number) => {
    // Files in base64 are not text.
    if (typeof value === "string" && !/^(data:|[\w+/=-]{1000})/.test(value)) addText(length, value);
    else if (typeof value === "object" && value !== null && depth < 20) {
      for (const inner of Object.values(value)) visit(inner, depth + 1);
    }
  };
  visit(prompt, 0);
  return length;
}
