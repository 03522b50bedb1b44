/**
 * The names under which usage waits for a price, on /operator/prices: how much waits, and what it would cost if a name
 * meant a given model. The operator names the model, else the model with the most similar name is taken as an example.
 */
import type { FC } from "hono/jsx";
import type { PriceIndex } from "../../catalog/price-book.ts";
import type { WaitingSummary } from "../../catalog/waiting-usage.ts";
import { ANY_MODEL } from "../../ledger/price-list.ts";
import { costOf } from "../../ledger/prices.ts";
import { STANDARD_TIER } from "../../ledger/tiers.ts";
import { countOf, formatCount, formatExact } from "../kit/format.ts";
import { type Column, Row, Table } from "./frame.tsx";

const COLUMNS: readonly Column[] = [
  { title: "Name" },
  { title: "Meters", num: true },
  { title: "Enterprises", num: true },
  { title: "Input", num: true },
  { title: "Output", num: true },
  { title: "Would cost", num: true },
];
/** Fewer equal characters at the start of two names say nothing. */
const MIN_SIMILAR = 4;

type Props = {
  summary: WaitingSummary;
  prices: PriceIndex;
  /** The model that the names are taken for; empty if the operator has named none. */
  as: string;
  path: string;
};

export const WaitingSection: FC<Props> = ({ summary, prices, as, path }) => {
  const { meters, enterprises, names } = summary;
  if (meters === 0) return null;
  const known = as !== "" && prices.find(as).price !== null;
  return (
    <section class="card table" aria-labelledby="waiting-title">
      <h2 id="waiting-title">Waiting for a price</h2>
      <p>
        {countOf(meters, "meter")} in {countOf(enterprises, "enterprise")} {meters === 1 ? "has" : "have"} usage that
        nothing prices. It is kept and charged within a minute of your giving a name its price: add the name to the
        aliases of a model, or add a model.
      </p>
      <form class="search" method="get" action={path}>
        <label>
          <span class="unseen">Show what the usage would cost as this model</span>
          <input type="search" name="as" value={as} placeholder="Show the cost as this model" maxlength={128} />
        </label>{" "}
        <button class="button plain" type="submit">
          Show
        </button>
      </form>
      {as !== "" && !known && (
        <p role="status">
          The price book has no price for <span class="name">{as}</span>.
        </p>
      )}
      <Table
        id="rows-waiting"
        caption={`${countOf(names.length, "name")}, those with the most meters first; what each would cost in USD at today's book, without rounding each meter up`}
        columns={COLUMNS}
        empty="The names follow within seconds."
      >
        {names.map(({ name, tier, meters: count, enterprises: inEnterprises, usage }) => {
          const model = known ? prices.find(as).model : nearestModel(name, prices);
          const price = model === null ? null : prices.find(model, tier).price;
          const cost = price === null ? null : costOf(usage, price, "usd");
          return (
            <Row
              columns={COLUMNS}
              cells={[
                <>
                  <a class="name" href={`${path}?${new URLSearchParams({ model: name })}`}>
                    {name}
                  </a>
                  {tier !== STANDARD_TIER && ` (${tier})`}
                </>,
                formatCount(count),
                formatCount(inEnterprises),
                formatCount(usage.input ?? 0),
                formatCount(usage.output ?? 0),
                model === null || cost === null ? (
                  "—"
                ) : (
                  <>
                    {formatExact(cost, "usd")} as{" "}
                    <a class="name" href={`${path}?${new URLSearchParams({ model, alias: name })}`}>
                      {model}
                    </a>
                  </>
                ),
              ]}
            />
          );
        })}
      </Table>
    </section>
  );
};

/** Returns the model whose name starts most like this one; null if none is similar. */
function nearestModel(name: string, { book }: PriceIndex): string | null {
  const last = name.slice(name.lastIndexOf("/") + 1).toLowerCase();
  let nearest: string | null = null;
  let longest = MIN_SIMILAR - 1;
  for (const { id, aliases } of book.models) {
    if (id === ANY_MODEL) continue;
    for (const known of [id, ...aliases]) {
      const length = commonStart(last, known.slice(known.lastIndexOf("/") + 1).toLowerCase());
      if (length <= longest) continue;
      longest = length;
      nearest = id;
    }
  }
  return nearest;
}

function commonStart(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length += 1;
  return length;
}
