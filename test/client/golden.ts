/**
 * Golden cases: events as the providers document them, and the usage that they have stated after each event. A case is
 * one stream. If the SDK makes several requests for it, each has its own list in `responses`.
 */
import aiSdk from "./golden/ai-sdk.json" with { type: "json" };
import anthropic from "./golden/anthropic.json" with { type: "json" };
import google from "./golden/google.json" with { type: "json" };
import openaiChat from "./golden/openai-chat.json" with { type: "json" };
import openaiResponses from "./golden/openai-responses.json" with { type: "json" };

export const GOLDEN = {
  anthropic,
  "openai-chat": openaiChat,
  "openai-responses": openaiResponses,
  google,
  "ai-sdk": aiSdk,
};

export type ProviderName = keyof typeof GOLDEN;

/** Tokens of input, output, cache reads and cache writes, by model. */
export type Expected = Record<string, number[]>;

export type GoldenCase = {
  name: string;
  model: string | null;
  responses: object[][];
  counts: { after: number; usage: Expected }[];
};

export function casesOf(provider: ProviderName): GoldenCase[] {
  type Written = { name: string; model?: string; events?: object[]; responses?: object[][]; counts: unknown };
  return (GOLDEN[provider].cases as Written[]).map(
    ({ name, model = null, events = [], responses = [events], counts }) => {
      return { name, model, responses, counts: counts as GoldenCase["counts"] };
    },
  );
}

/** The usage stated after this number of events. */
export function expectedAfter({ counts }: GoldenCase, events: number): Expected {
  return counts.findLast(({ after }) => after <= events)?.usage ?? {};
}

/** The first events of a case, grouped by response. */
export function firstEvents({ responses }: GoldenCase, events: number): object[][] {
  let left = events;
  const taken = responses.map((response) => {
    const part = response.slice(0, Math.max(0, left));
    left -= response.length;
    return part;
  });
  return taken.filter((part) => part.length > 0);
}

export function sizeOf({ responses }: GoldenCase): number {
  return responses.flat().length;
}

type Usage = { input_tokens: number; output_tokens: number; cache_read_tokens?: number; cache_write_tokens?: number };

export function asExpected(totals: Record<string, Usage>): Expected {
  return Object.fromEntries(
    Object.entries(totals).map(([model, usage]) => [
      model,
      [usage.input_tokens, usage.output_tokens, usage.cache_read_tokens ?? 0, usage.cache_write_tokens ?? 0],
    ]),
  );
}
