/** An enterprise as the operator sees it: identity, settings, spend cap, gauge and links. */
import type { Books, Settings } from "../../ledger/books.ts";
import type { Gauge } from "../../ledger/gauge.ts";
import type { Micros } from "../../ledger/micros.ts";
import type { AlertLinks } from "../../wire/links.ts";
import type { Identity } from "./enterprise-row.ts";

export type EnterpriseState = {
  identity: Identity;
  settings: Settings;
  capMicros: Micros | null;
  gauge: Gauge;
  links: AlertLinks;
};

type Known = { books: Books; identity: Identity; gauge(): Gauge; links(): AlertLinks };

/** Returns the state of an enterprise as a change or the ledger knows it. */
export function stateOf(known: Known): EnterpriseState {
  const { settings, capMicros } = known.books;
  return { identity: known.identity, settings, capMicros, gauge: known.gauge(), links: known.links() };
}
