/**
 * Code that the adapters share. A fold reads a provider's events one by one and always knows the usage stated so far. A
 * metered stream passes the events through and reports that usage to the run. Nothing is estimated: a stream that is
 * cut off counts what the provider had stated by then.
 */
import type { Run } from "./run.ts";
import type { Totals } from "./totals.ts";

/** The usage of one model. */
export type Counted = { model: string; usage: Totals };

export type Fold<Event> = {
  add(event: Event): void;
  /** The running totals so far, by model; empty until the provider has stated a usage. */
  counted(): Counted[];
};

export type MeterOptions = {
  /** The name to report the model under, if the price book does not have the provider's name for it. */
  model?: string;
};

/** Passes a stream's events through and reports their usage, until the stream ends or fails or the reader stops. */
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

/** Reports the usage of a complete response, and returns the response. */
export function recordResponse<Response>(response: Response, run: Run, fold: Fold<NoInfer<Response>>): Response {
  const call = run.call();
  fold.add(response);
  for (const { model, usage } of fold.counted()) call.update(model, usage);
  call.end();
  return response;
}

/** Returns a provider's number as a token count, or 0 if it is missing or not a positive integer. */
export function countOf(value: unknown): number {
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : 0;
}

/** Splits a prompt's total into uncached tokens, tokens read from the cache and tokens written to it. */
export function splitPrompt(
  prompt: number,
  cached: number,
  written: number,
): Pick<Totals, "input_tokens" | "cache_read_tokens" | "cache_write_tokens"> {
  const read = Math.min(cached, prompt);
  const write = Math.min(written, prompt - read);
  return { input_tokens: prompt - read - write, cache_read_tokens: read, cache_write_tokens: write };
}
