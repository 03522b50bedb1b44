/**
 * Golden cases: events as the providers document them, and the usage that they have stated after each event. A case is
 * one stream. If the SDK makes several requests for it, each has its own list in `responses`.
 */
import type { Usage } from "../../packages/client/src/fuelgauge.ts";
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

/** By model and tier: tokens of input, output, cache reads and cache writes, then the further kinds if there are any. */
export type Expected = Record<string, (number | object)[]>;

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

export function asExpected(totals: Record<string, Usage>): Expected {
  return Object.fromEntries(
    Object.entries(totals).map(([meter, usage]) => {
      const { input_tokens, output_tokens, cache_read_tokens = 0, cache_write_tokens = 0, ...others } = usage;
      const further = Object.fromEntries(Object.entries(others).filter(([, quantity]) => quantity !== 0));
      const main = [input_tokens, output_tokens, cache_read_tokens, cache_write_tokens];
      return [meter, Object.keys(further).length === 0 ? main : [...main, further]];
    }),
  );
}
