/**
 * Names of models as agents report them, and which parts of a name are removed to find its model. The names are those
 * that clouds, routers and SDKs really use. The price lists are invented; the built-in book is tested with its tool.
 */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { matchName, preferOverride, spellingsOf } from "../../src/ledger/model-names.ts";
import { cases } from "../support/cases.ts";

/** Finds a name in a list of entries, each written as an id and its aliases. */
function find(name: string, ...entries: string[]) {
  const ids = new Map(
    entries.flatMap((entry) => {
      const [id = "", ...aliases] = entry.split(" ");
      return [id, ...aliases].map((each) => [each, id] as const);
    }),
  );
  return matchName(name, (spelling) => ids.get(spelling) ?? null);
}
const model = (id: string, step: number) => ({ kind: "model", id, step });

describe("a model's name", () => {
  it("is found as an id, then as an alias, without removing anything", () => {
    expect(find("gpt-5", "gpt-5 gpt-5-chat")).toEqual(model("gpt-5", 0));
    expect(find("gpt-5-chat", "gpt-5 gpt-5-chat")).toEqual(model("gpt-5", 0));
  });

  it.each([
    ["openai/gpt-5-mini", "gpt-5-mini", 1],
    ["azure/gpt-5", "gpt-5", 1],
    ["azure_ai/gpt-5", "gpt-5", 1],
    ["models/gemini-2.5-flash", "gemini-2.5-flash", 1],
    ["google/gemini-2.5-flash", "gemini-2.5-flash", 1],
    ["gemini/gemini-2.5-flash", "gemini-2.5-flash", 1],
    ["vertex_ai/gemini-2.5-flash", "gemini-2.5-flash", 1],
    ["publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash", 2],
    ["projects/p-1/locations/us-central1/publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash", 3],
    ["vertex_ai/publishers/google/models/gemini-2.5-flash", "gemini-2.5-flash", 3],
    ["openrouter/openai/gpt-5-mini", "gpt-5-mini", 2],
    ["litellm_proxy/openai/responses/gpt-5", "gpt-5", 3],
    ["openai/deployments/gpt-5", "gpt-5", 2],
    ["OpenAI/gpt-5", "gpt-5", 1],
    ["x-ai/grok-4.5", "grok-4.5", 1],
    ["qwen/qwen3-32b", "qwen3-32b", 1],
    ["mistralai/mistral-large-2512", "mistral-large-2512", 1],
  ])("%s loses the paths of routers and vendors and is %s", (name, id, step) => {
    expect(find(name, id)).toEqual(model(id, step));
  });

  it.each([
    ["openai:gpt-5", "gpt-5", 2],
    ["google-gla:gemini-2.5-flash", "gemini-2.5-flash", 2],
    ["groq:llama-3.3-70b-versatile", "groq/llama-3.3-70b-versatile", 1],
    ["openrouter:openai/gpt-5", "openrouter/openai/gpt-5", 1],
  ])("%s has a colon after the provider, as some SDKs write it, and is %s", (name, id, step) => {
    expect(find(name, id)).toEqual(model(id, step));
  });

  it.each([
    ["us.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0", 1],
    ["apac.amazon.nova-pro-v1:0", "amazon.nova-pro", 2],
    ["us-gov.anthropic.claude-sonnet-4-6", "claude-sonnet-4-6", 2],
    ["global.anthropic.claude-sonnet-4-6-v1", "claude-sonnet-4-6", 3],
    ["anthropic.claude-3-sonnet-20240229-v1:0:200k", "claude-3-sonnet-20240229", 2],
    ["anthropic.claude-v2:1", "claude-v2", 2],
    ["nvidia.nemotron-nano-3-30b:0", "nvidia.nemotron-nano-3-30b", 1],
    ["bedrock/us.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0", 2],
    ["bedrock/converse/us.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0", 3],
    ["bedrock/us-east-1/amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0", 2],
    ["arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0", 1],
    ["arn:aws:bedrock:us-east-1:123456789012:inference-profile/us.amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0", 2],
    ["bedrock/arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0", 2],
  ])("%s loses what Bedrock adds and is %s", (name, id, step) => {
    expect(find(name, id)).toEqual(model(id, step));
  });

  it.each([
    ["claude-sonnet-4-6@20260217", "claude-sonnet-4-6", 1],
    ["claude-sonnet-4-6@default", "claude-sonnet-4-6", 1],
    ["claude-3-5-sonnet-v2@20241022", "claude-3-5-sonnet", 2],
    ["gemini-1.5-pro@001", "gemini-1.5-pro", 1],
    ["claude-sonnet-4-6-20260217", "claude-sonnet-4-6", 1],
    ["gpt-5-2026-08-07", "gpt-5", 1],
    ["claude-sonnet-4.6", "claude-sonnet-4-6", 1],
    ["anthropic/claude-sonnet-4.6", "claude-sonnet-4-6", 2],
    ["claude-3.5-haiku", "claude-3-5-haiku", 1],
    ["gpt-5-4-mini", "gpt-5.4-mini", 1],
    ["grok-4-20", "grok-4.20", 1],
    ["ft:gpt-4o-2024-08-06:org::abc", "ft:gpt-4o-2024-08-06", 1],
    ["gpt-4o-mini-2024-07-18.ft-0123abc", "gpt-4o-mini-2024-07-18.ft-", 1],
  ])("%s loses its date or writes its version differently and is %s", (name, id, step) => {
    expect(find(name, id)).toEqual(model(id, step));
  });

  it.each([
    ["openai/gpt-5:free", "gpt-5"],
    ["openai/gpt-5:nitro", "gpt-5"],
    ["openai/gpt-5:online", "gpt-5"],
    ["openai/gpt-5:floor", "gpt-5"],
    ["google/gemini-2.5-flash:thinking", "gemini-2.5-flash"],
    ["groq/gpt-oss-120b", "gpt-oss-120b"],
    ["together/deepseek-v4", "deepseek-v4"],
    ["deepinfra/deepseek-ai/deepseek-v4", "deepseek-v4"],
    ["somebody/gpt-5", "gpt-5"],
    ["azure/eu/gpt-5", "gpt-5"],
    ["bedrock/us-gov-west-1/amazon.nova-pro-v1:0", "amazon.nova-pro-v1:0"],
    ["arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/amazon.nova-pro", "amazon.nova-pro"],
    ["mistral-embed-v2", "mistral-embed"],
    ["llama3:8", "llama3"],
    ["gpt-5-mini", "gpt-5"],
    ["gpt-5-pro", "gpt-5"],
    ["mistral-large-2411", "mistral-large"],
    ["command-r-03-2024", "command-r"],
    ["gemini-2.5-flash-preview-05-20", "gemini-2.5-flash-preview"],
    ["gpt-4-0613", "gpt-4"],
    ["claude-opus-4-20269999", "claude-opus-4"],
    ["ft:gpt-4o-2024-08-06:org::abc", "gpt-4o"],
    ["model-my-fork/gpt-5", "gpt-5"],
  ])("%s may have another price than %s, so it does not match", (name, id) => {
    expect(find(name, id)).toBeNull();
  });

  it("belongs to the entry that needs the fewest removed parts", () => {
    const direct = "claude-sonnet-4-6";
    expect(find("us.anthropic.claude-sonnet-4-6", direct, "bedrock/x us.anthropic.claude-sonnet-4-6")).toEqual(
      model("bedrock/x", 0),
    );
    expect(find("eu.anthropic.claude-sonnet-4-6", direct, "bedrock/x anthropic.claude-sonnet-4-6")).toEqual(
      model("bedrock/x", 1),
    );
    expect(find("openrouter/openai/gpt-5", "gpt-5", "openrouter/openai/gpt-5")).toEqual(
      model("openrouter/openai/gpt-5", 0),
    );
  });

  it("is a tie if different models match at the same step, but not if both spellings mean one model", () => {
    expect(find("openai/m-1.5", "m-1.5", "openai/m-1-5")).toEqual({ kind: "tie", step: 1 });
    expect(find("openai/m-1.5", "m-1.5 openai/m-1-5")).toEqual(model("m-1.5", 1));
    expect(find("openai/m-1.5", "openai/m-1.5", "m-1.5", "openai/m-1-5")).toEqual(model("openai/m-1.5", 0));
  });

  it("asks the overrides first at each step, but a better match in the book wins", () => {
    const one = { kind: "model", id: "own", step: 1 } as const;
    expect(preferOverride(one, { kind: "model", id: "book", step: 1 })).toEqual(one);
    expect(preferOverride(one, { kind: "tie", step: 1 })).toEqual(one);
    expect(preferOverride(one, null)).toEqual(one);
    expect(preferOverride(one, { kind: "model", id: "book", step: 0 })).toMatchObject({ id: "book" });
    expect(preferOverride({ kind: "tie", step: 0 }, { kind: "model", id: "book", step: 1 })).toMatchObject({
      kind: "tie",
    });
    expect(preferOverride(null, null)).toBeNull();
  });

  it("is never emptied, and costs little work however it is made up", () => {
    const part = fc.constantFrom(
      "openai/",
      "us.",
      "anthropic.",
      "models/",
      "4.6",
      "-",
      "-v1:0",
      "@20250101",
      "a",
      "-4-5",
    );
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 18 }), (parts) => {
        const steps = [...spellingsOf(parts.join(""))];
        expect(steps.flat().length).toBeLessThan(1_000);
        expect(steps.flat()).not.toContain("");
        expect(new Set(steps.flat()).size).toBe(steps.flat().length);
      }),
      cases(300),
    );
  });
});
