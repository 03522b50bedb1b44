/**
 * The list of an enterprise's budgets with what blocks now and the form that sets one. The page of an enterprise's admins
 * and the operator's page share it. Each passes its path, under which the forms are posted.
 */
import { type FC, Fragment } from "hono/jsx";
import type { Caller } from "../../access/callers.ts";
import type { Denied } from "../../access/refusals.ts";
import type { DirectoryName } from "../../copy/read.ts";
import type { EnterpriseObject } from "../../enterprise/object.ts";
import { type BudgetKey, EVERY_ID } from "../../ledger/budget.ts";
import type { Dimension } from "../../ledger/dimensions.ts";
import type { Unit } from "../../ledger/micros.ts";
import { isRefusal, type Refused } from "../../ledger/refusals.ts";
import { type ParsedBudget, parseBudget } from "../../wire/budget.ts";
import { BUDGET_TABS, BudgetForm, BudgetTable, BudgetTabs, isBlocking, parseKey } from "./budgets.tsx";
import type { Form } from "./form.tsx";
import { Moment, Name } from "./parts.tsx";

const PAGE_ROWS = 100;
/** How many of the budgets that block are named. */
const BLOCKING_ROWS = 20;

type Stub = DurableObjectStub<EnterpriseObject>;

type BudgetList = {
  tab: Dimension;
  rows: ParsedBudget[];
  /** Whether more budgets follow the last row. */
  more: boolean;
  /** What refuses new runs now, of every dimension. */
  blocking: ParsedBudget[];
};

/** Loads one page of the budgets of a dimension, and what blocks now. The query may name the budget that it follows. */
export async function loadBudgetList(
  stub: () => Stub,
  caller: Caller,
  tab: Dimension,
  query: Record<string, string | undefined>,
): Promise<BudgetList | Refused | Denied> {
  const after = parseKey({ of: tab, id: query.after_id, period: query.after_period });
  const [listed, ...reached] = await Promise.all([
    stub().budgets(caller, { dimension: tab, after, limit: PAGE_ROWS }),
    ...BUDGET_TABS.map((dimension) => stub().budgetsReached(caller, dimension)),
  ]);
  if (isRefusal(listed)) return listed;
  const rows = listed.slice(0, PAGE_ROWS).map(parseBudget);
  const known = reached.flatMap((budgets) => (isRefusal(budgets) ? [] : budgets.map(parseBudget)));
  return { tab, rows, more: listed.length > PAGE_ROWS, blocking: blockingOf(known, rows) };
}

/** The budget with this key itself, without what is inherited; null if there is none. */
export async function loadBudget(stub: Stub, caller: Caller, key: BudgetKey | null): Promise<ParsedBudget | null> {
  if (key === null) return null;
  const rows = await stub.budgetsOf(caller, key);
  const found = isRefusal(rows) ? undefined : rows.find(({ period, inherited }) => period === key.period && !inherited);
  return found === undefined ? null : parseBudget(found);
}

/** The budgets that refuse new runs now: those that were reached, and those of the table whose rest is held. */
function blockingOf(reached: readonly ParsedBudget[], rows: readonly ParsedBudget[]): ParsedBudget[] {
  const isListed = ({ dimension, id, period }: ParsedBudget) =>
    reached.some((known) => known.dimension === dimension && known.id === id && known.period === period);
  return [...reached, ...rows.filter((row) => row.id !== EVERY_ID && isBlocking(row) && !isListed(row))];
}

type ListProps = {
  path: string;
  list: BudgetList;
  form: Form;
  unit: Unit;
  timeZone: string;
  enterprise: string;
  /** Whether the reader may change budgets. */
  editable: boolean;
  /** Names of the directory, which the form offers. */
  names?: readonly DirectoryName[];
};

export const BudgetListView: FC<ListProps> = ({
  path,
  list,
  form,
  unit,
  timeZone,
  enterprise,
  editable,
  names = [],
}) => {
  const { tab, rows, more, blocking } = list;
  const last = more ? rows.at(-1) : undefined;
  return (
    <>
      <Blocking rows={blocking} timeZone={timeZone} />
      <BudgetTabs path={path} tab={tab} />
      <BudgetTable
        path={path}
        title={`Budgets of ${tab}s`}
        rows={rows}
        timeZone={timeZone}
        editable={editable}
        empty={`No budget is set: nothing but the balance limits a ${tab}.`}
      />
      {last !== undefined && (
        <p>
          <a href={`${path}?${new URLSearchParams({ of: tab, after_id: last.id, after_period: last.period })}`}>
            Show the next ones
          </a>
        </p>
      )}
      {editable && <BudgetForm path={path} tab={tab} form={form} unit={unit} enterprise={enterprise} names={names} />}
    </>
  );
};

/** What refuses new runs now. */
const Blocking: FC<{ rows: readonly ParsedBudget[]; timeZone: string }> = ({ rows, timeZone }) =>
  rows.length === 0 ? null : (
    <p id="blocking" class="notice conflict">
      New runs are refused for{" "}
      {rows.slice(0, BLOCKING_ROWS).map((row, i) => (
        <Fragment>
          {i > 0 && ", "}
          {row.id === EVERY_ID ? (
            restOf(row)
          ) : (
            <>
              {row.dimension} <Name>{row.name}</Name>
            </>
          )}
          {row.limitMicros === 0 ? null : row.usedMicros < (row.limitMicros ?? 0) ? (
            " (the rest is held)"
          ) : (
            <>
              {" "}
              (until <Moment atMs={row.resetsAtMs} timeZone={timeZone} />)
            </>
          )}
        </Fragment>
      ))}
      {rows.length > BLOCKING_ROWS && ` and ${rows.length - BLOCKING_ROWS} more`}.
    </p>
  );

/** The ids that a default limits: those that have no budget for its period. */
function restOf({ dimension, period }: ParsedBudget): string {
  return `every ${dimension} without ${dimension === "user" ? "their" : "its"} own budget for the ${period}`;
}
