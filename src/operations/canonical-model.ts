/**
 * Lets a filter name a model by any spelling that prices it. Usage is stored under the id that the spelling had when it
 * was priced, so an id that usage is stored under is taken literally, whatever it means today.
 */
import type { Caller } from "../access/callers.ts";
import type { Address } from "../catalog/addresses.ts";
import { currentPrices } from "../catalog/current-prices.ts";
import type { CheckedCopy } from "../copy/checked-copy.ts";
import { isModelUsed } from "../copy/read-cube.ts";
import type { Selection } from "../copy/selection.ts";
import { chooseEntry, matchInBook } from "../ledger/price-list.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { enterprisePricing } from "./enterprise-pricing.ts";

type Reader = { address: Address; caller: Caller; copy: CheckedCopy };

/** Returns the selection with its model's id in place of another spelling. A selection with an id costs no call. */
export async function withModelId(
  env: Env,
  background: Pick<ExecutionContext, "waitUntil">,
  { address, caller, copy }: Reader,
  selection: Selection,
): Promise<Selection> {
  const { model } = selection;
  if (model === undefined) return selection;
  const { list } = await currentPrices(env, background);
  const inBook = matchInBook(list, model);
  if (inBook?.kind === "model" && inBook.id === model) return selection;
  const pricing = await enterprisePricing(env, address, caller);
  const chosen = isRefusal(pricing) ? null : chooseEntry(model, inBook, pricing.list);
  if (chosen === null || chosen.id === model || (await isModelUsed(copy, address.enterprise, model))) return selection;
  return { ...selection, model: chosen.id };
}
