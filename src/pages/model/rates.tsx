/**
 * The rates in force: dollars per million tokens, and for an enterprise on credits also credits per thousand, with its
 * overrides and multiplier. Lists the models of the newest runs, or those that match a search: each with its tiers, and
 * with the rates of further kinds that differ from what they fall back to.
 */
import type { FC } from "hono/jsx";
import { fillEntry, type ModelPrice, type RateTexts } from "../../catalog/price-entry.ts";
import { KINDS as ALL_KINDS, type Kind } from "../../ledger/kinds.ts";
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
/** The kinds that have no column. */
const FURTHER_TITLES: Partial<Record<Kind, string>> = {
  cache_write_1h: "1-hour cache write",
  input_audio: "audio input",
  cache_audio_read: "cached audio",
  output_audio: "audio output",
  input_image: "image input",
  cache_image_read: "cached images",
  output_image: "image output",
  web_searches: "web searches",
  storage_searches: "file searches",
};
const MAX_ALIASES = 3;
/** A rate per million tokens and the multiplier have six decimals each, so a rate per thousand has fifteen. */
const PER_THOUSAND_DIGITS = 15;

/** `all` lists the whole price book if nothing is searched for, instead of the models in use. */
type RatesQuery = { search: string; rows: number; all: boolean };

/** The prices of one enterprise. `own` are the ids that its overrides price. `multiplier` is a decimal string. */
export type PricesInForce = {
  version: number;
  credits_per_usd: number;
  models: readonly ModelPrice[];
  own: ReadonlySet<string>;
  multiplier: string;
};

type Props = { book: PricesInForce | null; usedModels: readonly string[]; unit: Unit; query: RatesQuery };

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

function findModels(book: PricesInForce, usedModels: readonly string[], { search, rows, all }: RatesQuery): Found {
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

const RatesTable: FC<{ book: PricesInForce; found: Found; unit: Unit; query: RatesQuery }> = ({
  book,
  found,
  unit,
  query,
}) => (
  <>
    <p class="muted">
      Price book {formatCount(book.version)}
      {unit === "credits" && `, ${formatCount(book.credits_per_usd)} credits per dollar`}
      {unit === "credits" && book.multiplier !== "1" && `, multiplied by ${book.multiplier}`}. A run keeps the prices of
      its first report.
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
      {/* With explicit roles it stays a table for screen readers when CSS lays its rows out as a grid. */}
      <table class="rates" role="table">
        <caption>
          {found.title}: {unit === "credits" ? "credits per 1,000 tokens, and $ per million" : "$ per million tokens"}
        </caption>
        <thead role="rowgroup">
          <tr role="row">
            <th scope="col" role="columnheader">
              Model
            </th>
            {KINDS.map((kind) => (
              <th scope="col" role="columnheader" class="num">
                {TITLES[kind]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {found.models.length === 0 && (
            <tr role="row">
              <td role="cell" colspan={5} class="muted">
                No model matches the search.
              </td>
            </tr>
          )}
          {found.models.map((model) => (
            <>
              <tr role="row">
                <th scope="row" role="rowheader">
                  <Name>{model.id === ANY_MODEL ? "any other model" : model.id}</Name>
                  {book.own.has(model.id) && <small class="muted">price of this enterprise</small>}
                  {model.aliases.length > 0 && (
                    <small class="muted aliases">
                      <Name>{aliasesOf(model)}</Name>
                    </small>
                  )}
                  <FurtherRates listed={model} book={book} unit={unit} />
                </th>
                <RateCells rates={fillEntry(model)} book={book} unit={unit} />
              </tr>
              {Object.entries(fillEntry(model).tiers).map(([name, tier]) => (
                <tr role="row" class="tier">
                  <th scope="row" role="rowheader">
                    <small>{tierTitle(name, tier.above_input_tokens)}</small>
                    <FurtherRates listed={model.tiers?.[name] ?? {}} book={book} unit={unit} />
                  </th>
                  <RateCells rates={tier} book={book} unit={unit} />
                </tr>
              ))}
            </>
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

const RateCells: FC<{ rates: Record<(typeof KINDS)[number], string>; book: PricesInForce; unit: Unit }> = ({
  rates,
  book,
  unit,
}) => (
  <>
    {KINDS.map((kind) => (
      <td role="cell" class="num">
        {unit === "credits" ? (
          <>
            {creditsPerThousand(rates[kind], book)}
            <small class="muted">{formatRateUsd(rates[kind])}</small>
          </>
        ) : (
          formatRateUsd(rates[kind])
        )}
      </td>
    ))}
  </>
);

/** The listed rates of the kinds without a column. A kind that is not listed costs what it falls back to. */
const FurtherRates: FC<{ listed: RateTexts; book: PricesInForce; unit: Unit }> = ({ listed, book, unit }) => {
  const further = ALL_KINDS.flatMap(({ kind, per }) => {
    const [title, rate] = [FURTHER_TITLES[kind], listed[kind]];
    if (title === undefined || rate === undefined) return [];
    const usd = `${formatRateUsd(rate)} per ${per === "million" ? "million" : "1,000"}`;
    // Dollars per million tokens make credits per thousand; dollars per thousand searches make credits for each.
    const credits = `${creditsPerThousand(rate, book)} ${per === "million" ? "per 1,000" : "each"}`;
    return [`${title} ${unit === "credits" ? `${credits} (${usd})` : usd}`];
  });
  return further.length === 0 ? null : <small class="muted">{further.join(", ")}</small>;
};

function tierTitle(name: string, aboveInputTokens: number | undefined): string {
  return aboveInputTokens === undefined
    ? `tier ${name}`
    : `prompts above ${formatCount(aboveInputTokens)} tokens (${name})`;
}

function aliasesOf({ aliases }: ModelPrice): string {
  const names = aliases.slice(0, MAX_ALIASES).join(", ");
  return aliases.length > MAX_ALIASES ? `${names} and ${countOf(aliases.length - MAX_ALIASES, "more name")}` : names;
}

/** Credits per thousand, exact: the rate in $ per million × credits per $ × multiplier ÷ 1,000. */
function creditsPerThousand(rate: string, { credits_per_usd, multiplier }: PricesInForce): string {
  const [scaled, factor] = [BigInt(parseRate(rate) ?? 0), BigInt(parseRate(multiplier) ?? 0)];
  return formatExactDecimal(scaled * BigInt(credits_per_usd) * factor, PER_THOUSAND_DIGITS);
}

function ratesHref({ search, rows, all }: RatesQuery): string {
  const params = new URLSearchParams({ q: search, rows: String(rows), ...(all ? { models: "all" } : {}) });
  return `${MODEL_PATH}?${params}#rates`;
}
