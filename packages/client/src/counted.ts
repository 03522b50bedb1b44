/** What adapters tell a run about a model call: the usage that the provider stated, and what could not be counted. */
import type { Usage } from "./wire.ts";

/** The running totals of one response of a provider, or of one iteration inside it that states its own usage. */
export type Counted = {
  model: string;
  usage: Usage;
  /** The service tier that the response states, such as `flex`; missing for the standard tier. */
  tier?: string | undefined;
  /** The whole prompt as the provider states it. Default: the sum of the usage's input and cache kinds. */
  promptTokens?: number | undefined;
  /** True if a part of the usage is an estimate. */
  estimated?: boolean | undefined;
};

/** Why a call's usage is missing. `partial` means that the provider had stated some of it. */
export type Uncounted = {
  reason: /** The reader left the stream before its end, for example by `break`. */
    | "left_early"
    /** The stream was aborted, by the run's signal or by the caller. */
    | "aborted"
    /** The provider or the network failed. */
    | "failed"
    /** The stream ended without the provider's last event. */
    | "cut_off"
    /** The stream is complete, but states no usage. */
    | "not_stated"
    /** The response does not name its model, and the caller did not either. */
    | "no_model"
    /** The adapter could not read an event. */
    | "adapter_failed";
  model: string | null;
  partial: boolean;
  detail: string;
};
