/**
 * /operator/prices: searches the price book, shows and edits one entry, and compares two versions. An entry is edited as
 * the JSON that the API accepts, so that every kind and tier can be changed here. It works without script.
 */
import { Hono } from "hono";
import type { FC } from "hono/jsx";
import { byOf } from "../../access/callers.ts";
import { adoptBook, currentPrices } from "../../catalog/current-prices.ts";
import { catalogOf } from "../../catalog/object.ts";
import type { PriceBook } from "../../catalog/price-book.ts";
import { fillEntry, type ModelPrice } from "../../catalog/price-entry.ts";
import { KINDS } from "../../ledger/kinds.ts";
import { cutPage } from "../../wire/paging.ts";
import { entrySchema } from "../../wire/price-schema.ts";
import { fieldErrors } from "../../wire/problems.ts";
import { Area, errorsOf, type Form, hasErrors, PostForm, readForm } from "../kit/form.tsx";
import { formatCount, formatRateUsd } from "../kit/format.ts";
import { mayOpen } from "./access.ts";
import { comparison } from "./compare-versions.tsx";
import { beforeOf, type Column, Older, operatorPage, Row, Table, Utc } from "./frame.tsx";
import type { OperatorContext, OperatorEnv } from "./session.tsx";
import { WaitingSection } from "./waiting.tsx";

const PATH = "/operator/prices";
const MAX_ROWS = 50;
const VERSIONS = 20;
const NO_FORM: Form = { values: {}, errors: {} };

export const operatorPrices = new Hono<OperatorEnv>()
  .get(PATH, async (c) => pricesPage(c, c.req.query("model") ?? null, NO_FORM))
  .post(PATH, async (c) => {
    const values = await readForm(c);
    const { model = "", version = "" } = values;
    const refuse = (errors: Record<string, string>) => pricesPage(c, model, { values, errors });
    const entry = values.remove === "yes" ? null : parseTyped(values.entry ?? "");
    if (entry !== null && "errors" in entry) return refuse(entry.errors);
    const changed = await catalogOf(c.env).changeBook({
      models: entry === null ? [] : [entry.model],
      remove: entry === null ? [model] : [],
      creditsPerUsd: null,
      knownVersion: /^\d{1,9}$/.test(version) ? Number(version) : null,
      by: byOf(c.var.caller),
    });
    if ("conflict" in changed)
      return refuse({ "": "Somebody else has changed the price book. Save again to apply this." });
    if ("errors" in changed) return refuse({ entry: changed.errors.map(({ message }) => message).join("; ") });
    adoptBook(changed);
    return c.redirect(entry === null ? PATH : hrefOf(entry.model.id), 303);
  });

/** The typed entry, checked as the API checks it. */
function parseTyped(text: string): { model: ModelPrice } | { errors: Record<string, string> } {
  let sent: unknown;
  try {
    sent = JSON.parse(text);
  } catch {
    return { errors: { entry: "The entry is not valid JSON." } };
  }
  const parsed = entrySchema.safeParse(sent);
  if (parsed.success) return { model: parsed.data as ModelPrice };
  const found = fieldErrors(parsed.error).map(({ path, message }) => `${path === "" ? "entry" : path} ${message}`);
  return { errors: errorsOf([{ path: "entry", message: found.join("; ") }]) };
}

async function pricesPage(c: OperatorContext, id: string | null, form: Form) {
  const prices = await currentPrices(c.env, c.executionCtx);
  const { book, find } = prices;
  const summary = await catalogOf(c.env).waitingSummary(MAX_ROWS);
  const search = (c.req.query("q") ?? "").slice(0, 100);
  const entry = id === null ? undefined : book.models.find((model) => model.id === id);
  const listed = await catalogOf(c.env).priceVersions(beforeOf(c), VERSIONS + 1);
  const { rows: versions, last } = cutPage(listed, VERSIONS);
  const meant = search === "" ? null : find(search);
  const body = (
    <>
      <div class="heading">
        <h1>Prices</h1>
        <p class="muted">
          Version {formatCount(book.version)}, {formatCount(book.models.length)} models,{" "}
          {formatCount(book.credits_per_usd)} credits per dollar. A change applies to meters that are first priced
          afterwards.
        </p>
      </div>
      {id !== null ? (
        <EntrySection
          book={book}
          id={id}
          entry={entry}
          form={form}
          alias={(c.req.query("alias") ?? "").slice(0, 128)}
          editable={mayOpen(c.var.caller, `POST ${PATH}`)}
        />
      ) : (
        <>
          <WaitingSection summary={summary} prices={prices} as={(c.req.query("as") ?? "").slice(0, 128)} path={PATH} />
          <SearchSection book={book} search={search} meant={meant?.price === null ? null : (meant?.model ?? null)} />
        </>
      )}
      <section class="card table" aria-labelledby="versions-title">
        <h2 id="versions-title">Versions</h2>
        <Table id="rows-versions" caption="Newest first; times are UTC" columns={VERSION_COLUMNS} empty="None.">
          {versions.map(({ version, createdAtMs, by, added, changed, removed }) => (
            <Row
              columns={VERSION_COLUMNS}
              cells={[
                <a href={`${PATH}?${new URLSearchParams({ from: String(version - 1), to: String(version) })}`}>
                  Version {formatCount(version)}
                </a>,
                createdAtMs === null ? "—" : <Utc atMs={createdAtMs} />,
                by ?? "—",
                added === null ? "—" : formatCount(added),
                changed === null ? "—" : formatCount(changed),
                removed === null ? "—" : formatCount(removed),
              ]}
            />
          ))}
        </Table>
        <Older
          path={PATH}
          before={last === null ? null : String(last.version)}
          later={c.req.query("before") !== undefined}
        />
      </section>
      {await comparison(c)}
    </>
  );
  return c.html(operatorPage(c, { title: "Prices", tab: "prices", children: body }), hasErrors(form) ? 422 : 200);
}

const VERSION_COLUMNS: readonly Column[] = [
  { title: "Version" },
  { title: "Made" },
  { title: "By" },
  { title: "Added", num: true },
  { title: "Changed", num: true },
  { title: "Removed", num: true },
];
const SEARCH_COLUMNS: readonly Column[] = [
  { title: "Model" },
  { title: "Input", num: true },
  { title: "Output", num: true },
  { title: "Tiers" },
];
const ENTRY_COLUMNS: readonly Column[] = [{ title: "Rate" }, { title: "USD", num: true }, { title: "Per" }];

const SearchSection: FC<{ book: PriceBook; search: string; meant: string | null }> = ({ book, search, meant }) => {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  const found = book.models.filter(({ id, aliases }) => {
    const text = [id, ...aliases].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  });
  const shown = [...found.filter(({ id }) => id === meant), ...found.filter(({ id }) => id !== meant)].slice(
    0,
    MAX_ROWS,
  );
  return (
    <section class="card table" aria-labelledby="models-title">
      <h2 id="models-title">Models</h2>
      <form class="search" method="get" action={PATH} role="search">
        <label>
          <span class="unseen">Search by any name of a model</span>
          <input type="search" name="q" value={search} placeholder="Any name of a model" maxlength={100} />
        </label>{" "}
        <button class="button plain" type="submit">
          Search
        </button>{" "}
        <a href={hrefOf("")}>Add a model</a>
      </form>
      {meant !== null && (
        <p>
          Reports under the name <span class="name">{search}</span> are priced as{" "}
          <a class="name" href={hrefOf(meant)}>
            {meant}
          </a>
          .
        </p>
      )}
      <Table
        id="rows-models"
        caption={`${formatCount(shown.length)} of ${formatCount(found.length)} models; USD per million tokens`}
        columns={SEARCH_COLUMNS}
        empty="No model matches the search."
      >
        {shown.map((model) => (
          <Row
            columns={SEARCH_COLUMNS}
            cells={[
              <a class="name" href={hrefOf(model.id)}>
                {model.id}
              </a>,
              formatRateUsd(model.input),
              formatRateUsd(model.output),
              Object.keys(model.tiers ?? {}).join(", ") || "—",
            ]}
          />
        ))}
      </Table>
    </section>
  );
};

type EntryProps = {
  book: PriceBook;
  id: string;
  entry: ModelPrice | undefined;
  form: Form;
  /** A name to add to the aliases; empty for none. */
  alias: string;
  editable: boolean;
};

const EntrySection: FC<EntryProps> = ({ book, id, entry, form, alias, editable }) => {
  const known = entry ?? { id, aliases: [], input: "0", output: "0" };
  const template = alias === "" ? known : { ...known, aliases: [...new Set([...known.aliases, alias])] };
  const text = form.values.entry ?? JSON.stringify(template, null, 2);
  return (
    <section class="card" aria-labelledby="entry-title">
      <h2 id="entry-title">{entry === undefined ? "New entry" : <span class="name">{id}</span>}</h2>
      <p>
        <a href={PATH}>All models</a>
      </p>
      {entry !== undefined && <EntryRates entry={entry} />}
      {editable && (
        <PostForm
          form={form}
          action={PATH}
          submit="Save"
          hidden={{ model: id, version: String(book.version) }}
          more={
            entry !== undefined && (
              <button class="button plain" type="submit" name="remove" value="yes">
                Remove this entry
              </button>
            )
          }
        >
          <Area
            form={{ ...form, values: { entry: text } }}
            name="entry"
            label="The entry as JSON"
            rows={16}
            hint="As in the API: rates in dollars as text, for example “1.25”. Aliases are other names of the model."
          />
        </PostForm>
      )}
    </section>
  );
};

const EntryRates: FC<{ entry: ModelPrice }> = ({ entry }) => {
  const filled = fillEntry(entry);
  const lists = [{ title: "Standard", rates: filled }].concat(
    Object.entries(filled.tiers).map(([title, rates]) => ({ title, rates: { ...filled, ...rates } })),
  );
  return (
    <>
      {lists.map(({ title, rates }) => (
        <Table id={`rows-${title}`} caption={title} columns={ENTRY_COLUMNS} empty="None.">
          {KINDS.map(({ kind, per }) => (
            <Row columns={ENTRY_COLUMNS} cells={[kind, formatRateUsd(rates[kind]), per]} />
          ))}
        </Table>
      ))}
    </>
  );
};

function hrefOf(id: string): string {
  return `${PATH}?${new URLSearchParams({ model: id })}`;
}
