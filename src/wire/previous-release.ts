/**
 * Reports and answers between the Worker and an object while a deployment replaces one of them. The last release knew
 * four usage kinds under other names, and neither tiers nor estimates. A new Worker adds the old names to an ordinary
 * report, so an old object can decide it. An old object fails on any other report and stores nothing, so its sender
 * retries. A new object reads the reports of an old Worker. Delete this file in the release after the next.
 */
import type { Report } from "../ledger/debit.ts";
import { MIN_REPORT_AFTER_MS } from "../ledger/pace.ts";
import { NO_MULTIPLIER, type Price, resolveRates } from "../ledger/prices.ts";
import { isRefusal, type Refused } from "../ledger/refusals.ts";
import { STANDARD_TIER } from "../ledger/tiers.ts";
import type { DebitAnswerJson } from "./debit-answer.ts";

type FourKinds = { input: number; output: number; cacheRead: number; cacheWrite: number };
type OldPrice = { bookVersion: number; creditsPerUsd: number; rates: FourKinds };
type OldReport = Omit<Report, "usage" | "tier" | "estimated" | "price"> & { tokens: FourKinds; price: OldPrice | null };

/** A report as either release sends it. */
export type SentReport = (Report & { tokens?: FourKinds }) | OldReport;

const FOUR = new Set(["input", "output", "cache_read", "cache_write"]);
/** One object for each price, so that a batch of reports at one price contains it once. */
const sentPrices = new WeakMap<Price, Price>();

/** Adds what an object of the last release needs, if it can decide the report. */
export function forPreviousObject(report: Report): SentReport {
  const { usage, tier, estimated } = report;
  const ordinary = tier === STANDARD_TIER && !estimated && Object.keys(usage).every((kind) => FOUR.has(kind));
  if (!ordinary || report.price === null || report.price.multiplierMillionths !== NO_MULTIPLIER) return report;
  const { input = 0, output = 0, cache_read: cacheRead = 0, cache_write: cacheWrite = 0 } = usage;
  return { ...report, price: sentPrice(report.price), tokens: { input, output, cacheRead, cacheWrite } };
}

/** Reads a report of either release. */
export function fromPreviousWorker(sent: SentReport): Report {
  if ("usage" in sent) return sent;
  const { tokens, price, ...report } = sent;
  return {
    ...report,
    tier: STANDARD_TIER,
    estimated: false,
    usage: {
      input: tokens.input,
      output: tokens.output,
      cache_read: tokens.cacheRead,
      cache_write: tokens.cacheWrite,
    },
    price: price && {
      bookVersion: price.bookVersion,
      creditsPerUsd: price.creditsPerUsd,
      multiplierMillionths: NO_MULTIPLIER,
      rates: resolveRates({
        input: price.rates.input,
        output: price.rates.output,
        cache_read: price.rates.cacheRead,
        cache_write: price.rates.cacheWrite,
      }),
    },
  };
}

/** Adds what an object of the last release leaves out of its answer. */
export function completeAnswer(answer: DebitAnswerJson | Refused): DebitAnswerJson | Refused {
  if (isRefusal(answer)) return answer;
  const { tier = STANDARD_TIER, priced = true, report_after_ms } = answer as Partial<DebitAnswerJson>;
  if (report_after_ms !== undefined) return answer;
  return { ...answer, tier, priced, report_after_ms: MIN_REPORT_AFTER_MS };
}

function sentPrice(price: Price): Price {
  const known = sentPrices.get(price);
  if (known !== undefined) return known;
  const { cache_read: cacheRead, cache_write: cacheWrite } = price.rates;
  const sent = { ...price, rates: { ...price.rates, cacheRead, cacheWrite } };
  sentPrices.set(price, sent);
  return sent;
}
