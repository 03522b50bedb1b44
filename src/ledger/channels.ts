/**
 * Channels: where people and programs of an enterprise get messages about its balance. A channel chooses its messages by
 * code, and the percentages of the balance at which it gets one. This file does not know how a message looks or is sent.
 */
import type { AtMs } from "./time.ts";

export const CHANNEL_KINDS = ["slack", "email", "webhook"] as const;
export type ChannelKind = (typeof CHANNEL_KINDS)[number];

export const MAX_CHANNELS = 50;
export const DEFAULT_THRESHOLDS: readonly number[] = [50, 75, 90, 100];

/** The codes of messages, apart from `usage_NN` and `cap_NN`, which follow from the thresholds. */
const CHANNEL_CODES = [
  "on_track_to_run_out",
  "exhausted",
  "recovered",
  "bonus_expiring",
  "budget_75",
  "budget_90",
  "budget_reached",
  "cycle_report",
] as const;

const THRESHOLD_CODE = /^(usage|cap)_([1-9][0-9]?|100)$/;

export type Channel = {
  id: string;
  kind: ChannelKind;
  /** A Slack or webhook URL, or an email address. A Slack URL is a secret. */
  target: string;
  /** The codes that it gets; null: all. */
  events: readonly string[] | null;
  /** Percentages of the balance, ascending. */
  thresholds: readonly number[];
  /** False if an admin has paused it. */
  active: boolean;
  /** When the recipient of an email channel has confirmed its address; null for the other kinds. */
  confirmedAtMs: AtMs | null;
};

/** Whether the channel gets messages: it is not paused, and the recipient of its emails has agreed. */
export function isActive({ active, kind, confirmedAtMs }: Pick<Channel, "active" | "kind" | "confirmedAtMs">): boolean {
  return active && (kind !== "email" || confirmedAtMs !== null);
}

export function isChannelCode(code: string): boolean {
  return (CHANNEL_CODES as readonly string[]).includes(code) || isThresholdCode(code);
}

/** Whether the code says that a share of the balance is used: `usage_75`, `cap_75`. */
function isThresholdCode(code: string): boolean {
  return THRESHOLD_CODE.test(code);
}

export function wantsCode({ events }: Pick<Channel, "events">, code: string): boolean {
  return events === null || events.includes(code);
}
