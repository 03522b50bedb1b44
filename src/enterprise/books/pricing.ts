/**
 * Prices meters that have waited for a price, and drops those that have waited too long (rule R13). Each call handles a
 * limited number of meters in one change, and may run again: a meter that is priced or gone is passed over.
 */
import type { Meter } from "../../ledger/books.ts";
import { type DebitAnswer, decidePricing, type Report } from "../../ledger/debit.ts";
import { owesWithCredit } from "../../ledger/debt.ts";
import { BY_CLOCK, type EntryFacts } from "../../ledger/entries.ts";
import { isKept } from "../../ledger/meter.ts";
import type { Price } from "../../ledger/prices.ts";
import { isRefusal, type Refused } from "../../ledger/refusals.ts";
import type { Change } from "./change.ts";
import { debitItem } from "./outbox.ts";
import { waitingNameOf } from "./waiting.ts";

/** The name of the job that prices meters that have waited; see jobs/price-waiting.ts. */
export const PRICE_WAITING = "price_waiting";

/** What prices a meter now; the price is null if nothing does. */
type Quote = (meter: Meter) => { model: string; price: Price | null };

/** The key of a waiting meter. */
export type WaitingKey = { run: string; key: string };

type PricedPage = {
  /** The last meter that was looked at; null if the page was empty. */
  last: WaitingKey | null;
  priced: number;
  dropped: number;
  /** The runs whose last meter was dropped. */
  emptied: string[];
};

/** A run may have a thousand meters, and a decision loads all of them. A page ends at the run that passes this limit. */
const MAX_LOADED = 1_000;

type PricedFacts = Extract<EntryFacts, { type: "usage_priced" }>;
type DroppedFacts = Extract<EntryFacts, { type: "usage_dropped" }>;

/** Prices or drops what it can of these meters, in order. It may stop early; then `last` says where. */
export function priceWaiting(change: Change, waiting: readonly Meter[], quote: Quote): PricedPage {
  const priced = new Map<string, PricedFacts>();
  const dropped = new Map<string, DroppedFacts>();
  const page: PricedPage = { last: null, priced: 0, dropped: 0, emptied: [] };
  const loaded = new Set<string>();
  let meters = 0;
  for (const { run: name, key } of waiting) {
    if (!loaded.has(name)) {
      if (meters > MAX_LOADED) break;
      change.load([name]);
      change.attributeTo(name);
      loaded.add(name);
      meters += change.metersOf(name).length;
    }
    page.last = { run: name, key };
    const run = change.run(name);
    const meter = change.metersOf(name).find((known) => known.key === key);
    if (run === null || meter === undefined || meter.price !== null) continue;
    if (!isKept(meter, run.startedAtMs, change.nowMs)) {
      if (change.dropMeter(meter)) page.emptied.push(name);
      page.dropped += 1;
      addDropped(dropped, meter);
      continue;
    }
    const { model, price } = quote(meter);
    if (price === null) continue;
    const known = { books: change.books, run, meters: change.metersOf(name) };
    const debit = decidePricing(known, meter, { model, price }, change.nowMs);
    if (debit === null) continue;
    change.books = debit.books;
    if (debit.run !== run) change.putRun(debit.run);
    change.putMeter(debit.meter);
    change.addItem(debitItem(debit, change.metersOf(name)));
    if (owesWithCredit(change.books, change.nowMs)) change.payDebt();
    page.priced += 1;
    addPriced(priced, meter, model, debit.chargedMicros);
  }
  for (const facts of [...priced.values(), ...dropped.values()]) {
    change.takeSeq();
    change.record([{ atMs: change.nowMs, by: BY_CLOCK, facts }]);
  }
  return page;
}

/** Whether a report that got no price was looked up in an older book than the latest known one. */
export function isPricedByOlderBook(
  reports: readonly Report[],
  answers: readonly (DebitAnswer | Refused)[],
  knownVersion: number,
): boolean {
  return answers.some((answer, i) => {
    if (isRefusal(answer) || answer.priced) return false;
    return (reports[i]?.book?.bookVersion ?? 0) < knownVersion;
  });
}

function addPriced(sums: Map<string, PricedFacts>, meter: Meter, model: string, chargedMicros: number): void {
  const reportedAs = waitingNameOf(meter);
  const key = `${reportedAs} ${meter.tier} ${model}`;
  const facts = sums.get(key) ?? {
    type: "usage_priced",
    reportedAs,
    tier: meter.tier,
    model,
    meters: 0,
    creditsMicros: 0,
    usdMicros: 0,
  };
  facts.meters += 1;
  facts[meter.unit === "credits" ? "creditsMicros" : "usdMicros"] += chargedMicros;
  sums.set(key, facts);
}

function addDropped(sums: Map<string, DroppedFacts>, meter: Meter): void {
  const reportedAs = waitingNameOf(meter);
  const key = `${reportedAs} ${meter.tier}`;
  const facts = sums.get(key) ?? { type: "usage_dropped", reportedAs, tier: meter.tier, meters: 0 };
  facts.meters += 1;
  sums.set(key, facts);
}
