/**
 * Sends a batch of reports to the ledger. This file has the transport over HTTP, which works everywhere; socket.ts has
 * one for hosts with many runs. The response has one result per report, in order. Without a
 * response, the batch is sent again.
 */
import type { Clock } from "./clock.ts";
import { type Answer, type Ledger, noAnswer } from "./http.ts";
import type { DebitAnswer, ItemRefusal, Report } from "./wire.ts";

export type Outcome = { results: (DebitAnswer | ItemRefusal)[] } | Answer;

export type Transport = {
  send(reports: Report[]): Promise<Outcome>;
  close(): void;
};

/** Makes a transport for a client. The transport can fall back to `http`. */
export type MakeTransport = (connection: {
  ledger: Ledger;
  clock: Clock;
  /** Returns a number from 0 up to 1, like `Math.random`. */
  random: () => number;
  timeoutMs: number;
  http: Transport;
}) => Transport;

export function httpTransport(ledger: Ledger): Transport {
  return {
    send: async (reports) => {
      const answer = await ledger.call("POST", "/debits", { reports });
      return answer.status === 200 ? outcomeOf(answer.body, reports) : answer;
    },
    close: () => {},
  };
}

/** Reads the results of a batch. A response without one result per report may come from a proxy, so it counts as none. */
export function outcomeOf(body: Record<string, unknown>, reports: readonly Report[]): Outcome {
  const { results } = body;
  const complete = Array.isArray(results) && results.length === reports.length && results.every(isResult);
  return complete ? { results } : noAnswer("the response does not come from a ledger");
}

function isResult(result: unknown): result is DebitAnswer | ItemRefusal {
  if (typeof result !== "object" || result === null) return false;
  return "status" in result || ("model" in result && "action" in result);
}
