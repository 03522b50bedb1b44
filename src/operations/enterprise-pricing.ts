/** Reads what an enterprise changes about the prices of the book: its overrides and its multiplier. */
import type { Caller } from "../access/callers.ts";
import type { Denied } from "../access/refusals.ts";
import type { Address } from "../catalog/addresses.ts";
import { type ModelPrice, parseEntry } from "../catalog/price-entry.ts";
import { indexEntries, type PriceList } from "../ledger/price-list.ts";
import { isRefusal, type Refused } from "../ledger/refusals.ts";
import { enterpriseStub } from "./enterprise-stub.ts";

/** `multiplier` is a decimal string. `list` is null if there are no overrides. */
type EnterprisePricing = { models: ModelPrice[]; list: PriceList | null; multiplier: string };

const NONE: EnterprisePricing = { models: [], list: null, multiplier: "1" };

/** @param address null for the prices that no enterprise changes */
export async function enterprisePricing(
  env: Env,
  address: Address | null,
  caller: Caller,
): Promise<EnterprisePricing | Refused | Denied> {
  if (address === null) return NONE;
  const read = await enterpriseStub(env, address).pricing(caller);
  if (isRefusal(read)) return read;
  const { models, multiplier } = read;
  return { models, multiplier, list: models.length === 0 ? null : indexEntries(models, parseEntry) };
}
