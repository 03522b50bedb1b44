/** Finds the price of one model for one enterprise: its entry in the overrides or the price book, completely filled in. */
import type { Caller } from "../access/callers.ts";
import type { Denied } from "../access/refusals.ts";
import type { Address } from "../catalog/addresses.ts";
import { currentPrices } from "../catalog/current-prices.ts";
import { fillEntry, type ModelPrice } from "../catalog/price-entry.ts";
import { ANY_MODEL, chooseEntry, matchInBook } from "../ledger/price-list.ts";
import type { Refused } from "../ledger/refusals.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterprisePricing } from "./enterprise-pricing.ts";

type Context = Parameters<typeof currentPrices>[1];
type Asked = {
  name: string;
  caller: Caller;
  /** Null for the operator who names no enterprise. */
  address: Address | null;
};

/** Returns the price in force; null if nothing prices the name, or if it could mean several models. */
export async function modelPrice(env: Env, ctx: Context, { name, caller, address }: Asked) {
  const { book, list } = await currentPrices(env, ctx);
  const pricing = await enterprisePricing(env, address, caller);
  if (isRefusal(pricing)) return pricing satisfies Refused | Denied;
  const chosen = chooseEntry(name, matchInBook(list, name), pricing.list);
  if (chosen === null) return null;
  const { source, id } = chosen;
  const key = source === "fallback" ? ANY_MODEL : id;
  const models: readonly ModelPrice[] = chosen.entry === null ? book.models : pricing.models;
  const entry = models.find((model) => model.id === key);
  if (entry === undefined) throw new Error(`the prices list no entry "${key}"`);
  return {
    name,
    source,
    version: book.version,
    credits_per_usd: book.credits_per_usd,
    price_multiplier: pricing.multiplier,
    ...fillEntry(entry),
    id,
  };
}

/** Whether the price book or an override prices the name. An override is asked for only if the book has no price. */
export async function isPriced(env: Env, ctx: Context, asked: Asked): Promise<boolean> {
  if ((await currentPrices(env, ctx)).find(asked.name).price !== null) return true;
  const found = await modelPrice(env, ctx, asked);
  return found !== null && !isRefusal(found);
}
