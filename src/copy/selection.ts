/** The filters of usage and runs, in any combination. */
import type { Surface } from "../ledger/books.ts";

export type Selection = {
  workspace?: string | undefined;
  group?: string | undefined;
  user?: string | undefined;
  model?: string | undefined;
  surface?: Surface | undefined;
};

/** The filters, the most selective first: a query follows the index of its first filter. */
const FILTERS = ["user", "workspace", "group", "model", "surface"] as const;

/** Returns the filters that are set, the most selective first. */
export function filtersOf(selection: Selection): [filter: (typeof FILTERS)[number], value: string][] {
  return FILTERS.flatMap((filter) => {
    const value = selection[filter];
    return value === undefined ? [] : [[filter, value] as [typeof filter, string]];
  });
}
