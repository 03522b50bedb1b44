/**
 * The filters as chips, each of which can be removed, and what is used of the selection in the cycle. Every number below
 * belongs to the selection; the balance above always belongs to the whole enterprise.
 */
import type { FC } from "hono/jsx";
import { filtersOf } from "../../copy/selection.ts";
import type { Micros, Unit } from "../../ledger/micros.ts";
import { countOf, formatCharge, formatShare } from "../kit/format.ts";
import { idName, Name, PartLink, Unreadable } from "../kit/parts.tsx";
import { isEarly, type UsageData } from "./data.ts";
import { TooEarly } from "./early.tsx";
import { FILTERED_PARTS, type Filter, type UsageQuery, usageHref, withFilter, withoutPaging } from "./query.ts";

const WORDS: Record<Filter, string> = {
  user: "User",
  group: "Group",
  workspace: "Workspace",
  model: "Model",
  surface: "Surface",
};
const SURFACE_NAMES: Record<string, string> = { web: "Web", cli: "CLI" };

type Props = {
  data: Pick<UsageData, "selected" | "selection">;
  query: UsageQuery;
  unit: Unit;
  onlyUser: string | null;
  /** What the whole enterprise used in the cycle. */
  cycleMicros: Micros;
};

export const SelectionCard: FC<Props> = (props) => {
  const { data, onlyUser } = props;
  const { selected, selection } = data;
  const filters = filtersOf(selection);
  if (filters.length === 0) return <div id="selection" hidden></div>;
  const query = withoutPaging(props.query);
  const names = selected === null || isEarly(selected) ? {} : selected.names;
  return (
    <section id="selection" class="card selection" aria-labelledby="selection-title">
      <h2 id="selection-title" class="unseen">
        Filters
      </h2>
      <ul class="chips" aria-label="Filters">
        {filters.map(([filter, value]) => (
          <li>
            <Chip {...{ filter, value, query }} name={names[filter]} fixed={filter === "user" && onlyUser !== null} />
          </li>
        ))}
      </ul>
      {(onlyUser === null || filters.length > 1) && (
        <PartLink id="clear-filter" part={FILTERED_PARTS} href={usageHref(query, { selection: {} })}>
          Show all
        </PartLink>
      )}
      <Summary {...props} />
    </section>
  );
};

const Chip: FC<{ filter: Filter; value: string; name: string | undefined; query: UsageQuery; fixed: boolean }> = ({
  filter,
  value,
  name,
  query,
  fixed,
}) => {
  const label = (
    <>
      {WORDS[filter]} <Name>{filter === "surface" ? SURFACE_NAMES[value] : idName(filter, value, name ?? null)}</Name>
    </>
  );
  if (fixed) return <span class="chip">{label}</span>;
  return (
    <PartLink
      id={`chip-${filter}`}
      class="chip"
      part={FILTERED_PARTS}
      href={usageHref(query, { selection: withFilter(query.selection, filter, undefined) })}
    >
      {label}
      <span class="unseen">, remove this filter</span>
      <span class="cross" aria-hidden="true">
        ×
      </span>
    </PartLink>
  );
};

const Summary: FC<Props> = ({ data, query, unit, cycleMicros }) => {
  const { selected } = data;
  if (selected === null) return <Unreadable what="The total" retry={usageHref(withoutPaging(query))} />;
  if (isEarly(selected)) return <TooEarly early={selected} query={query} />;
  return (
    <p>
      {formatCharge(selected.micros, unit)} in this cycle, {formatShare(selected.micros, cycleMicros)} of all, in{" "}
      {countOf(selected.requests, "request")}. Every number below belongs to this selection.
    </p>
  );
};
