/**
 * Budgets on a page: the table, the form that sets one, and what they are called. The page of an enterprise's admins and
 * the operator's page share it. Each passes its path, under which the forms are posted. This file is long because it has
 * the table, the form and the question.
 */
import type { Child, FC } from "hono/jsx";
import type { DirectoryName } from "../../copy/read.ts";
import {
  BUDGET_ACTIONS,
  BUDGET_PERIODS,
  type BudgetKey,
  type BudgetPeriod,
  type BudgetTerms,
  EVERY_ID,
} from "../../ledger/budget.ts";
import { DIMENSIONS, type Dimension } from "../../ledger/dimensions.ts";
import { MAX_MICROS, type Micros, type Unit } from "../../ledger/micros.ts";
import type { ParsedBudget } from "../../wire/budget.ts";
import { isId } from "../../wire/fields.ts";
import { Question } from "./dialogs.tsx";
import { Choice, Field, type Form, PostForm } from "./form.tsx";
import { formatAmount, formatCharge, formatExactDecimal, formatPercent } from "./format.ts";
import { Moment, Name } from "./parts.tsx";

/** The dimensions in the order of their tabs. */
export const BUDGET_TABS = ["user", "group", "workspace"] as const satisfies readonly Dimension[];

const NOUNS: Record<Dimension, string> = { user: "Users", group: "Groups", workspace: "Workspaces" };
const PERIODS: Record<BudgetPeriod, string> = { day: "a day", cycle: "a cycle" };
const AMOUNT_TEXT = /^(\d{1,3}(?:,\d{3})+|\d{1,10})(?:\.(\d{1,6}))?$/;

/** The dimension of a query parameter; users if it names none. */
export function parseTab(text: string | undefined): Dimension {
  return DIMENSIONS.find((dimension) => dimension === text) ?? "user";
}

/** The key of a budget that a form or a link names; null if it names none. */
export function parseKey({ of, id, period }: Record<string, string | undefined>): BudgetKey | null {
  const dimension = DIMENSIONS.find((known) => known === of);
  const span = BUDGET_PERIODS.find((known) => known === period);
  const trimmed = (id ?? "").trim();
  if (dimension === undefined || span === undefined || !(trimmed === EVERY_ID || isId(trimmed))) return null;
  return { dimension, id: trimmed, period: span };
}

/** Parses the fields of the form. Returns the messages at its fields if they are wrong. */
export function parseBudgetForm(
  values: Record<string, string>,
): { key: BudgetKey; terms: BudgetTerms } | { errors: Record<string, string> } {
  const errors: Record<string, string> = {};
  const key = parseKey(values);
  if (key === null) errors.id = "Enter an id as agents report it, or * for the default.";
  const limitMicros = values.kind === "exempt" ? null : parseLimit(values.limit ?? "");
  if (limitMicros === undefined) errors.limit = "Enter an amount, such as 50 or 12.50.";
  if (values.kind === "exempt" && values.id?.trim() === EVERY_ID) errors.kind = "The default needs a limit.";
  const action = BUDGET_ACTIONS.find((known) => known === values.kind) ?? "block";
  if (key === null || limitMicros === undefined || Object.keys(errors).length > 0) return { errors };
  return { key, terms: { limitMicros, action } };
}

/** The values with which the form shows a budget. */
export function valuesOf(budget: ParsedBudget | null, key: Partial<BudgetKey>): Record<string, string> {
  const limitMicros = budget?.limitMicros ?? null;
  return {
    id: key.id ?? "",
    period: key.period ?? "day",
    kind: budget === null ? "block" : limitMicros === null ? "exempt" : budget.action,
    limit: limitMicros === null ? "" : formatExactDecimal(BigInt(limitMicros), 6, budget?.unit === "usd" ? 2 : 0),
  };
}

/** The tabs: one for each dimension. */
export const BudgetTabs: FC<{ path: string; tab: Dimension }> = ({ path, tab }) => (
  <nav class="tabs sub" aria-label="Budgets of">
    {BUDGET_TABS.map((dimension) => (
      <a href={`${path}?of=${dimension}`} aria-current={dimension === tab ? "page" : undefined}>
        {NOUNS[dimension]}
      </a>
    ))}
  </nav>
);

type TableProps = {
  path: string;
  title: string;
  rows: readonly ParsedBudget[];
  timeZone: string;
  /** Whether the reader may change budgets. */
  editable: boolean;
  /** What to say if there are no rows. */
  empty: string;
};

const COLUMNS = ["Used", "Limit", "Period", "Resets"] as const;

export const BudgetTable: FC<TableProps> = ({ path, title, rows, timeZone, editable, empty }) => (
  <section class="card" aria-label={title}>
    <h2>{title}</h2>
    {rows.length === 0 ? (
      <p class="muted">{empty}</p>
    ) : (
      // With explicit roles it stays a table for screen readers when CSS lays the rows out as blocks.
      <table class="stack budgets" role="table" aria-label={title}>
        <thead role="rowgroup">
          <tr role="row">
            {["Who", ...COLUMNS].map((column, i) => (
              <th scope="col" role="columnheader" class={i === 1 || i === 2 ? "num" : undefined}>
                {column}
              </th>
            ))}
            {editable && (
              <th scope="col" role="columnheader">
                <span class="unseen">Change</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody role="rowgroup">
          {rows.map((row) => (
            <BudgetRow row={row} path={path} timeZone={timeZone} editable={editable} />
          ))}
        </tbody>
      </table>
    )}
  </section>
);

const BudgetRow: FC<{ row: ParsedBudget; path: string; timeZone: string; editable: boolean }> = ({
  row,
  path,
  timeZone,
  editable,
}) => {
  const { id, limitMicros, unit, usedMicros, heldMicros } = row;
  const every = id === EVERY_ID;
  const query = new URLSearchParams({ of: row.dimension, id, period: row.period });
  return (
    <tr role="row">
      <th scope="row" role="rowheader">
        {every ? <span>Default for every {row.dimension}</span> : <Name>{row.name}</Name>}
        {!every && limitMicros !== null && <UsedBar usedMicros={usedMicros} limitMicros={limitMicros} />}
        <small class={!every && isBlocking(row) ? "budget used-up" : "muted"}>{stateOf(row)}</small>
      </th>
      <Cell column="Used" num>
        {every ? "–" : formatCharge(usedMicros, unit)}
        {!every && heldMicros > 0 && <small class="muted">{formatAmount(heldMicros, unit)} held</small>}
      </Cell>
      <Cell column="Limit" num>
        {limitMicros === null ? "No limit" : formatCharge(limitMicros, unit)}
        {!every && limitMicros !== null && limitMicros > 0 && (
          <small class="muted">
            {usedMicros / limitMicros > 10 ? "over 1,000 %" : formatPercent(usedMicros, limitMicros)} used
          </small>
        )}
      </Cell>
      <Cell column="Period">{PERIODS[row.period]}</Cell>
      <Cell column="Resets">
        <Moment atMs={row.resetsAtMs} timeZone={timeZone} />
      </Cell>
      {editable && (
        <td class="acts" role="cell">
          <a href={`${path}?${query}#set`} aria-label={`Change the budget of ${nameOf(row)}, ${PERIODS[row.period]}`}>
            Change
          </a>
          {!row.inherited && (
            <a
              href={`${path}/remove?${query}`}
              aria-label={`Remove the budget of ${nameOf(row)}, ${PERIODS[row.period]}`}
            >
              Remove
            </a>
          )}
        </td>
      )}
    </tr>
  );
};

const Cell: FC<{ column: (typeof COLUMNS)[number]; num?: boolean; children?: Child }> = ({ column, num, children }) => (
  <td role="cell" class={num === true ? "num" : undefined} data-label={column}>
    <div>{children}</div>
  </td>
);

/** How much of a limit is used, as a thin bar. */
const UsedBar: FC<{ usedMicros: Micros; limitMicros: Micros }> = ({ usedMicros, limitMicros }) => {
  const percent = limitMicros === 0 ? 100 : Math.min(100, (usedMicros / limitMicros) * 100);
  const level = percent >= 100 ? "mini full" : percent >= 90 ? "mini nearly-full" : "mini";
  return (
    <svg class={level} width="100%" height="4" aria-hidden="true" focusable="false">
      <rect class="track-fill" width="100%" height="4" />
      <rect width={`${percent.toFixed(1)}%`} height="4" />
    </svg>
  );
};

/** The form that sets or changes a budget. Without JavaScript it works the same. */
export const BudgetForm: FC<{
  path: string;
  tab: Dimension;
  form: Form;
  unit: Unit;
  enterprise: string;
  names?: readonly DirectoryName[];
}> = ({ path, tab, form, unit, enterprise, names = [] }) => (
  <section id="set" class="card" aria-labelledby="set-title">
    <h2 id="set-title">Set a budget</h2>
    <PostForm form={form} action={path} submit="Save" hidden={{ of: tab, enterprise }} wide="four">
      <Field
        form={form}
        name="id"
        label={`Id of the ${tab}`}
        maxlength={128}
        offered={names}
        hint={`${names.length === 0 ? "As agents report it." : "Type a name to find its id."} * is the default for every ${tab} that has no other budget for the period.`}
      />
      <Choice form={form} name="period" label="Period" options={{ day: "A local day", cycle: "A billing cycle" }} />
      <Field
        form={form}
        name="limit"
        label={unit === "usd" ? "Limit in dollars" : "Limit in credits"}
        inputmode="decimal"
        maxlength={20}
        optional
        hint="Leave it empty only for an exemption."
      />
      <Choice
        form={form}
        name="kind"
        label="At the limit"
        hint="A run in progress is asked to stop, and is never cut off."
        options={{
          block: "Refuse new runs",
          warn: "Only alert",
          exempt: "No limit: exempt from the default",
        }}
      />
    </PostForm>
  </section>
);

/** Asks before a budget is removed. */
export const RemoveQuestion: FC<{ path: string; budget: ParsedBudget; enterprise: string }> = ({
  path,
  budget,
  enterprise,
}) => (
  <Question
    title="Remove this budget?"
    action={`${path}/remove`}
    confirm="Remove"
    back={`${path}?of=${budget.dimension}`}
    values={{ of: budget.dimension, id: budget.id, period: budget.period, enterprise }}
  >
    The budget of {nameOf(budget)}, {PERIODS[budget.period]}:{" "}
    {budget.limitMicros === null ? "exempt from the default" : formatCharge(budget.limitMicros, budget.unit)}. From the
    next request on{" "}
    {budget.id === EVERY_ID
      ? "nothing limits those that have no other budget."
      : "the default applies, if there is one."}
  </Question>
);

/** "user Ada" or "every user". */
export function nameOf({ dimension, id, name }: Pick<ParsedBudget, "dimension" | "id" | "name">): string {
  return id === EVERY_ID ? `every ${dimension}` : `${dimension} ${name}`;
}

/** What limits a person now: "Your budget today: 12 of 50 credits", and whether it refuses their runs. */
export const OwnBudgetLines: FC<{ budgets: readonly ParsedBudget[] }> = ({ budgets }) => (
  <>
    {budgets.filter(limitsNow).map((budget) => (
      <p class={isBlocking(budget) ? "notice conflict" : "notice"}>
        Your budget {budget.period === "day" ? "today" : "this cycle"}: {formatAmount(budget.usedMicros, budget.unit)}{" "}
        of {formatCharge(budget.limitMicros ?? 0, budget.unit)}
        {budget.heldMicros > 0 && ` (${formatAmount(budget.heldMicros, budget.unit)} held)`}
        {isBlocking(budget) && "; no new run of yours starts."}
      </p>
    ))}
  </>
);

/** Whether the budget counts in the unit of now, and is no exemption. */
export function limitsNow({ active, limitMicros }: ParsedBudget): boolean {
  return active && limitMicros !== null;
}

/** Whether a new run is refused because of this budget. */
export function isBlocking({ active, action, limitMicros, usedMicros, heldMicros }: ParsedBudget): boolean {
  return active && action === "block" && limitMicros !== null && limitMicros - usedMicros - heldMicros <= 0;
}

function stateOf(row: ParsedBudget): string {
  if (row.limitMicros === null) return "exempt from the default";
  if (!row.active) return `inactive: set in ${row.unit === "usd" ? "dollars" : "credits"}`;
  const inherited = row.inherited ? "default; " : "";
  if (row.action === "warn") return `${inherited}only alerts`;
  if (row.id !== EVERY_ID && isBlocking(row)) return `${inherited}no new run starts`;
  return `${inherited}refuses new runs at the limit`;
}

/** Parses "50" or "1,200.50" into micros; undefined if the text is no such amount. */
function parseLimit(text: string): Micros | undefined {
  const match = AMOUNT_TEXT.exec(text.trim().replace(/^\$/, ""));
  if (match === null) return undefined;
  const micros = Number((match[1] ?? "").replaceAll(",", "")) * 1_000_000 + Number((match[2] ?? "").padEnd(6, "0"));
  return micros <= MAX_MICROS ? micros : undefined;
}
