/** Imports history of any length into one enterprise, in portions of which each is imported as a whole or not at all. */
import type { AnyRefusal } from "../access/refusals.ts";
import type { Address } from "../catalog/addresses.ts";
import { isRefusal } from "../ledger/refusals.ts";
import type { ImportRequest } from "../wire/history.ts";
import { enterpriseStub } from "./enterprise-stub.ts";

/** `rows` were imported. The portion after them was refused, if there is a refusal. */
type Imported = { rows: number; refusal: AnyRefusal | null };

/** Stops at the first portion that is refused. A row that was imported before is replaced, so it can be sent again. */
export async function importPortions(
  env: Env,
  address: Address,
  portions: readonly ImportRequest[],
): Promise<Imported> {
  let rows = 0;
  for (const portion of portions) {
    const imported = await enterpriseStub(env, address).importHistory(portion);
    if (isRefusal(imported)) return { rows, refusal: imported.refusal };
    rows += imported.rows;
  }
  return { rows, refusal: null };
}
