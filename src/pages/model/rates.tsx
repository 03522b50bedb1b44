/**
 * The current rates: dollars per million tokens, and for an enterprise on credits also credits per thousand. Lists the
 * models of the newest runs, or those in the price book that match a search.
 */
import type { FC } from "hono/jsx";
import type { PriceBook } from "../../catalog/price-book.ts";
import { fillEntry, type ModelPrice } from "../../catalog/price-entry.ts";
import type { Unit } from "../../ledger/micros.ts";
import { ANY_MODEL } from "../../ledger/price-list.ts";
import { parseRate } from "../../ledger/prices.ts";
import { countOf, formatCount, formatExactDecimal, formatRateUsd } from "../kit/format.ts";
import { Name, Unreadable } from "../kit/parts.tsx";
import { MODEL_PATH } from "./cap-form.tsx";

export const RATES_PAGE = 25;
const KINDS = ["input", "output", "cache_read", "cache_write"] as const;
const TITLES: Record<(typeof KINDS)[number], string> = {
  input: "Input",
  output: "Output",
  cache_read: "Cache read",
  cache_write: "Cache write",
};
const MAX_ALIASES = 3;
/** A rate per million tokens has six decimals, so a rate per thousand has nine. */
const PER_THOUSAND_DIGITS = 9;

/** `all` lists the whole price book if nothing is searched for, instead of the models in use. */
type RatesQuery = { search: string; rows: number; all: boolean };

type Props = { book: PriceBook | null; usedModels: readonly string[]; unit: Unit; query: RatesQuery };

export const Rates: FC<Props> = ({ book, usedModels, unit, query }) => (
  <section id="rates" class="card table" aria-labelledby="rates-title">
    <h2 id="rates-title">Current rates</h2>
    {book === null ? (
      <Unreadable what="The price book" retry={MODEL_PATH} />
    ) : (
      <RatesTable book={book} found={findModels(book, usedModels, query)} unit={unit} query={query} />
    )}
  </section>
);

type Found = { models: ModelPrice[]; total: number; title: string };

function findModels(book: PriceBook, usedModels: readonly string[], { search, rows, all }: RatesQuery): Found {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length === 0 && !all) {
    const used = book.models.filter(({ id, aliases }) => [id, ...aliases].some((name) => usedModels.includes(name)));
    if (used.length > 0) return { models: used, total: used.length, title: "Models of the most recent runs" };
  }
  const matching = book.models.filter(({ id, aliases }) => {
    const text = [id, ...aliases].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const title = words.length === 0 ? "All models" : `Models matching “${search}”`;
  return { models: matching.slice(0, rows), total: matching.length, title };
}

const RatesTable: FC<{ book: PriceBook; found: Found; unit: Unit; query: RatesQuery }> = ({
  book,
  found,
  unit,
  query,
}) => (
  <>
    <p class="muted">
      Price book {formatCount(book.version)}
      {unit === "credits" && `, ${formatCount(book.credits_per_usd)} credits per dollar`}. A run keeps the prices of its
      first report.
    </p>
    <form class="search" method="get" action={`${MODEL_PATH}#rates`} role="search">
      <label>
        <span class="unseen">Search the {formatCount(book.models.length)} models</span>
        <input
          type="search"
          name="q"
          value={query.search}
          placeholder={`Search ${formatCount(book.models.length)} models`}
          maxlength={100}
        />
      </label>{" "}
      <button class="button plain" type="submit">
        Search
      </button>
    </form>
    <div class="scroll" role="region" aria-label="Table of rates" tabindex={0}>
      <table class="rates">
        <caption>
          {found.title}: {unit === "credits" ? "credits per 1,000 tokens, and $ per million" : "$ per million tokens"}
        </caption>
        <thead>
          <tr>
            <th scope="col">Model</th>
            {KINDS.map((kind) => (
              <th scope="col" class="num">
                {TITLES[kind]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {found.models.length === 0 && (
            <tr>
              <td colspan={5} class="muted">
                No model matches the search.
              </td>
            </tr>
          )}
          {found.models.map((model) => (
            <tr>
              <th scope="row">
                <Name>{model.id === ANY_MODEL ? "any other model" : model.id}</Name>
                {model.aliases.length > 0 && (
                  <small class="muted">
                    <Name>{aliasesOf(model)}</Name>
                  </small>
                )}
              </th>
              {KINDS.map((kind) => (
                <td class="num">
                  {unit === "credits" ? (
                    <>
                      {creditsPerThousand(fillEntry(model)[kind], book.credits_per_usd)}
                      <small class="muted">{formatRateUsd(fillEntry(model)[kind])}</small>
                    </>
                  ) : (
                    formatRateUsd(fillEntry(model)[kind])
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
    <p class="more">
      <span class="muted">
        {found.models.length === found.total
          ? `All ${formatCount(found.total)} shown`
          : `${formatCount(found.models.length)} of ${formatCount(found.total)} shown`}
      </span>{" "}
      {found.models.length < found.total && (
        <a href={ratesHref({ ...query, rows: query.rows + RATES_PAGE })}>Show more</a>
      )}{" "}
      {found.total < book.models.length && (
        <a href={ratesHref({ search: "", rows: RATES_PAGE, all: true })}>All models</a>
      )}
    </p>
  </>
);

function aliasesOf({ aliases }: ModelPrice): string {
  const names = aliases.slice(0, MAX_ALIASES).join(", ");
  return aliases.length > MAX_ALIASES ? `${names} and ${countOf(aliases.length - MAX_ALIASES, "more name")}` : names;
}

/** Credits per thousand tokens, exact: the rate in $ per million × credits per $ ÷ 1,000. */
function creditsPerThousand(rate: string, creditsPerUsd: number): string {
  return formatExactDecimal(BigInt(parseRate(rate) ?? 0) * BigInt(creditsPerUsd), PER_THOUSAND_DIGITS);
}

function ratesHref({ search, rows, all }: RatesQuery): string {
  const params = new URLSearchParams({ q: search, rows: String(rows), ...(all ? { models: "all" } : {}) });
  return `${MODEL_PATH}?${params}#rates`;
}
