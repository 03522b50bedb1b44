/**
 * Cases of usage as providers state it, and what it means in the interface's disjoint kinds. The numbers come from documentation
 * and public bug reports. A case has the responses of one stream: usually one, several for a loop of tools.
 */
import type { Usage } from "../../packages/client/src/fuelgauge.ts";

export type Api = "chat" | "responses" | "anthropic" | "google" | "bedrock";

export type Means = Partial<Usage>;

export type UsageCase = {
  name: string;
  api: Api;
  model: string;
  /** The usage of each response. */
  usages: object[];
  /** Fields of the response, or of a chat's last chunk, beside the usage. */
  more?: object;
  /** Where a chat states its usage. Default: in a separate chunk after the last choice. */
  place?: "x_groq" | "choice" | "last choice" | "every chunk" | "chunk with an empty choice";
  /** The meaning, by tier. */
  means: Record<string, Means>;
};

/** A case with one response at the standard tier. */
export const one = (
  name: string,
  api: Api,
  model: string,
  usage: object,
  means: Means,
  rest: Partial<UsageCase> = {},
) => {
  return { name, api, model, usages: [usage], means: { standard: means }, ...rest } satisfies UsageCase;
};
