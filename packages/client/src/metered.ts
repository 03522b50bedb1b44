/**
 * What the adapters share: a fold takes a provider's events one by one and knows at any time what they have said was
 * used; a metered stream passes the events through and tells the run. Only what the provider said is counted: a
 * stream that is cut short counts what had been said by then.
 */
import type { Run } from "./run.ts";
import type { Totals } from "./totals.ts";

/** What one model has used. */
export type Counted = { model: string; usage: Totals };

export type Fold<Event> = {
  add(event: Event): void;
  /** The running totals so far, by model; empty while nothing was said. */
  counted(): Counted[];
};

export type MeterOptions = {
  /** The name to report the model under, where the provider's own is not in the price book. */
  model?: string;
};

/** Passes a stream's events through and reports what they say, to the end, an error, or wherever the reader stops. */
export async function* meterStream<Event>(
  stream: AsyncIterable<Event>,
  run: Run,
  fold: Fold<NoInfer<Event>>,
): AsyncGenerator<Event, void, undefined> {
  const call = run.call();
  try {
    for await (const event of stream) {
      fold.add(event);
      for (const { model, usage } of fold.counted()) call.update(model, usage);
      yield event;
    }
  } finally {
    call.end();
  }
}

/** Reports a response that came in one piece, and gives it back. */
export function recordResponse<Response>(response: Response, run: Run, fold: Fold<NoInfer<Response>>): Response {
  const call = run.call();
  fold.add(response);
  for (const { model, usage } of fold.counted()) call.update(model, usage);
  call.end();
  return response;
}

/** A provider's number as a count of tokens: what is missing, or is none, counts nothing. */
export function countOf(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/** A prompt that is counted as a whole, taken apart: of it so many tokens were read from the cache and written to it. */
export function splitPrompt(
  prompt: number,
  cached: number,
  written: number,
): Pick<Totals, "input_tokens" | "cache_read_tokens" | "cache_write_tokens"> {
  const read = Math.min(cached, prompt);
  const write = Math.min(written, prompt - read);
  return { input_tokens: prompt - read - write, cache_read_tokens: read, cache_write_tokens: write };
}
