/**
 * How a batch of reports reaches the ledger. HTTP is the one that works everywhere; a socket is another file, for hosts
 * with many runs. Either way every report is answered in its place, or the whole batch is sent again.
 */
import type { Clock } from "./clock.ts";
import { type Answered, type Ledger, noAnswer } from "./http.ts";
import type { DebitAnswer, ItemRefusal, Report } from "./wire.ts";

export type Outcome = { results: (DebitAnswer | ItemRefusal)[] } | Answered;

export type Transport = {
  send(reports: Report[]): Promise<Outcome>;
  close(): void;
};

/** Makes a transport for a client; `http` is there to fall back to. */
export type MakeTransport = (line: { ledger: Ledger; clock: Clock; timeoutMs: number; http: Transport }) => Transport;

export function httpTransport(ledger: Ledger): Transport {
  return {
    send: async (reports) => {
      const answered = await ledger.call("POST", "/debits", { reports });
      return answered.status === 200 ? outcomeOf(answered.body, reports) : answered;
    },
    close: () => {},
  };
}

/** The results of a batch, where there is one for each report; anything else is no answer at all. */
export function outcomeOf(body: Record<string, unknown>, reports: readonly Report[]): Outcome {
  const { results } = body;
  const whole = Array.isArray(results) && results.length === reports.length && results.every(isResult);
  return whole ? { results } : noAnswer("an answer that is not the ledger's");
}

function isResult(result: unknown): result is DebitAnswer | ItemRefusal {
  if (typeof result !== "object" || result === null) return false;
  return "status" in result || ("model" in result && "action" in result);
}
