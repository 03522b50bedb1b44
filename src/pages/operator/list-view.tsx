/**
 * The list of enterprises: the search, the table with each enterprise's use and conditions, and what replaces both while
 * the copy cannot be read.
 */
import type { FC } from "hono/jsx";
import type { Gauge } from "../../ledger/gauge.ts";
import { isId } from "../../wire/fields.ts";
import { countOf, formatAmount, formatCount, formatPercent } from "../kit/format.ts";
import { Name, PartLink, Region } from "../kit/parts.tsx";
import { type Condition, conditionsOf } from "./condition.ts";
import { type Column, Row, Table, Utc } from "./frame.tsx";
import { type Counts, type EnterprisesProps, Filters, type Listed, listHref, textsOf } from "./list-filters.tsx";
import { enterpriseHref } from "./session.tsx";
import { OPERATOR_PATH } from "./sign-in.tsx";

const COLUMNS: readonly Column[] = [
  { title: "Enterprise" },
  { title: "Plan" },
  { title: "Used" },
  { title: "Left", num: true },
  { title: "State" },
  { title: "As of (UTC)" },
];

const MAX_PRESSING = 3;

/** The notice that the list is incomplete, for example because D1 was lost. */
export const Missing: FC<{ count: number }> = ({ count }) => (
  <p class="notice conflict">
    Of the newest enterprises, {formatCount(count)} {count === 1 ? "is" : "are"} missing from this list, because the
    copy has no row of {count === 1 ? "it" : "them"}. An enterprise that was just created appears within seconds. After
    a loss of D1, each one appears again once its object has rebuilt its copy. Until then, open it by its id.
  </p>
);

/** The most pressing of the enterprises that need attention, above the list of all. */
export const Pressing: FC<{ listed: Listed }> = ({ listed: { rows, next } }) => (
  <section class="card" aria-labelledby="pressing-title">
    <h2 id="pressing-title">Most pressing</h2>
    <ul class="pressing">
      {rows.slice(0, MAX_PRESSING).map(({ id, gauge, suspended }) => (
        <li>
          <a href={enterpriseHref(id)}>
            <Name>{gauge.name}</Name>
          </a>{" "}
          <Badges conditions={conditionsOf(gauge, suspended)} />
        </li>
      ))}
    </ul>
    {(next !== null || rows.length > MAX_PRESSING) && (
      <p class="more">
        <a href={`${OPERATOR_PATH}?show=attention`}>All that need attention</a>
      </p>
    )}
  </section>
);

export const Enterprises: FC<EnterprisesProps> = ({ listed, counts, plans }) => (
  <>
    <section class="card table">
      <div class="head">
        <Search search={listed.search} />
        <p class="toggle">
          <a href={OPERATOR_PATH} aria-current={isAll(listed) ? "true" : undefined}>
            All <small>{counts === null ? "" : formatCount(counts.total)}</small>
          </a>
          <a href={`${OPERATOR_PATH}?show=attention`} aria-current={listed.attention ? "true" : undefined}>
            Need attention <small>{counts === null ? "" : pressingText(counts)}</small>
          </a>
        </p>
      </div>
      <Filters listed={listed} counts={counts} plans={plans} />
      <Table id="rows-enterprises" columns={COLUMNS} {...textsOf(listed)}>
        {listed.rows.length > 0 && <Rows {...listed} />}
      </Table>
      <More {...listed} />
      {listed.search !== "" && isId(listed.search) && !listed.rows.some(({ id }) => id === listed.search) && (
        <p class="muted">
          An enterprise that was created a moment ago is not in the list yet. Open it by its id:{" "}
          <a href={enterpriseHref(listed.search)}>{listed.search}</a>
        </p>
      )}
    </section>
    <p class="muted as-of">
      The list is read from the copy: each row shows the enterprise's last change. An enterprise's page is read from its
      ledger.
    </p>
  </>
);

/** The answer to Show more: the rows to append, and the line below them. */
export const EnterprisesPage: FC<Listed> = (listed) => (
  <>
    <Region id="rows-enterprises" swap="beforeend">
      <Rows {...listed} />
    </Region>
    <Region id="line-enterprises">
      <More {...listed} />
    </Region>
    <Region id="status-region" swap="innerHTML">
      {countOf(listed.rows.length, "more enterprise")} shown.
    </Region>
  </>
);

export const WithoutCopy: FC<{ search: string; ids: readonly string[] }> = ({ search, ids }) => (
  <>
    <section class="card">
      <p class="notice conflict">
        The copy cannot be read right now, so there are no numbers and no search. The ledgers are not affected. You can
        open every enterprise by its id.
      </p>
      <OpenForm id={search} />
      {ids.length > 0 && (
        <>
          <h2>Newest enterprises</h2>
          <ul>
            {ids.map((id) => (
              <li>
                <a href={enterpriseHref(id)}>{id}</a>
              </li>
            ))}
          </ul>
        </>
      )}
    </section>
  </>
);

export const Badges: FC<{ conditions: readonly Condition[] }> = ({ conditions }) => (
  <>
    {conditions.length === 0 && <span class="muted">OK</span>}
    {conditions.map(({ level, text }) => (
      <>
        <span class={`badge ${level}`}>{text}</span>{" "}
      </>
    ))}
  </>
);

/** How much is used, with a small bar if there is a total. */
const Used: FC<{ gauge: Gauge }> = ({ gauge }) => {
  const { usedMicros: used, totalMicros: total, unit } = gauge;
  if (total === null) return <>{formatAmount(used, unit)} spent</>;
  const width = Math.min(100, gauge.usedPercent ?? 0);
  return (
    <>
      {formatPercent(used, total)} <span class="muted">of {formatAmount(total, unit)}</span>
      <svg class="mini" width="100%" height="4" aria-hidden="true" focusable="false">
        <rect class="track-fill" width="100%" height="4" />
        <rect width={`${width}%`} height="4" />
      </svg>
    </>
  );
};

/** The form that opens an enterprise by its id. */
export const OpenForm: FC<{ id: string }> = ({ id }) => (
  <form class="search" method="get" action={`${OPERATOR_PATH}/open`}>
    <label>
      <span class="unseen">Id of the enterprise</span>
      <input type="search" name="id" value={id} placeholder="Id of the enterprise" maxlength={128} />
    </label>{" "}
    <button class="button" type="submit">
      Open
    </button>
  </form>
);

export const Heading: FC<{ mayCreate: boolean }> = ({ mayCreate }) => (
  <div class="heading">
    <h1>Enterprises</h1>
    {mayCreate && (
      <a class="button menus" href={`${OPERATOR_PATH}/new`}>
        New enterprise
      </a>
    )}
  </div>
);

const Search: FC<{ search: string }> = ({ search }) => (
  <form class="search" method="get" action={OPERATOR_PATH} role="search">
    <label>
      <span class="unseen">Search by id or name</span>
      <input type="search" name="q" value={search} placeholder="Search by id or name" maxlength={100} />
    </label>{" "}
    <button class="button plain" type="submit">
      Search
    </button>
  </form>
);

/** Whether the list shows all enterprises. */
export function isAll({ search, attention, plan, state, billing }: Listed): boolean {
  return search === "" && !attention && plan === "" && state === null && billing === null;
}

function pressingText({ pressing }: Counts): string {
  return pressing === null ? "over 1,000" : formatCount(pressing);
}

const Rows: FC<Listed> = ({ rows }) => (
  <>
    {rows.map(({ id, gauge, suspended }) => (
      <Row
        columns={COLUMNS}
        cells={[
          <>
            <a href={enterpriseHref(id)}>
              <Name>{gauge.name}</Name>
            </a>
            <small class="muted name">{id}</small>
          </>,
          // One element: on a phone the row is a grid, and the text would be a separate line.
          <span>
            <Name>{gauge.plan}</Name>
            {gauge.spend !== null && ", own model"}
          </span>,
          <Used gauge={gauge} />,
          gauge.remainingMicros === null ? "—" : formatAmount(gauge.remainingMicros, gauge.unit),
          <Badges conditions={conditionsOf(gauge, suspended)} />,
          <Utc atMs={gauge.asOfMs} />,
        ]}
      />
    ))}
  </>
);

const More: FC<Listed> = ({ later, next, ...list }) => (
  <p id="line-enterprises" class="more">
    {next !== null && (
      <PartLink id="more-enterprises" part="rows" push={false} href={listHref(list, next)}>
        Show more
      </PartLink>
    )}
    {later && <a href={listHref(list, null)}>Show the first</a>}
  </p>
);
