/** What each model used by kind, such as tokens by input, output and cache, and what cache reads saved. */
import type { FC } from "hono/jsx";
import type { Kinds } from "../../copy/read-cube.ts";
import type { Unit } from "../../ledger/micros.ts";
import { STANDARD_TIER } from "../../ledger/tiers.ts";
import { formatAmount, formatCharge, formatCount } from "../kit/format.ts";
import { KIND_NAMES } from "../kit/kinds.ts";
import { Name } from "../kit/parts.tsx";

export const KindsTable: FC<{ kinds: Kinds; unit: Unit }> = ({ kinds, unit }) => (
  <>
    {kinds.savingsMicros !== 0 && (
      <p class="note">
        Cache reads {kinds.savingsMicros > 0 ? "saved" : "cost"}{" "}
        <strong>{formatCharge(Math.abs(kinds.savingsMicros), unit)}</strong>
        {kinds.savingsMicros > 0 ? "" : " more"}, compared with the price of input.
      </p>
    )}
    {kinds.rows.length > 0 && (
      <details id="kinds">
        <summary>Tokens by kind</summary>
        <div class="scroll">
          <table>
            <caption>
              What was used by model and kind, in {unit === "usd" ? "USD" : "credits"}. The rows add up to the total.
            </caption>
            <thead>
              <tr>
                <th scope="col">Model</th>
                <th scope="col">Kind</th>
                <th scope="col" class="num">
                  Quantity
                </th>
                <th scope="col" class="num">
                  {unit === "usd" ? "USD" : "Credits"}
                </th>
              </tr>
            </thead>
            <tbody>
              {sorted(kinds.rows).map(({ model, tier, kind, quantity, amountMicros }) => (
                <tr>
                  <th scope="row">
                    <Name>{model}</Name>
                    {tier !== STANDARD_TIER && <small class="muted">tier {tier}</small>}
                  </th>
                  <td>{KIND_NAMES[kind]}</td>
                  <td class="num">{formatCount(quantity)}</td>
                  <td class="num">{formatAmount(amountMicros, unit)}</td>
                </tr>
              ))}
            </tbody>
            <tfoot>
              <tr class="total">
                <th scope="row" colspan={3}>
                  Total
                </th>
                <td class="num">{formatAmount(kinds.totalMicros, unit)}</td>
              </tr>
            </tfoot>
          </table>
        </div>
      </details>
    )}
  </>
);

const ORDER = Object.keys(KIND_NAMES);

/** The most expensive model first, and its kinds in the order of the price list. */
function sorted(rows: Kinds["rows"]): Kinds["rows"] {
  const totals = new Map<string, number>();
  for (const { model, amountMicros } of rows) totals.set(model, (totals.get(model) ?? 0) + amountMicros);
  const totalOf = ({ model }: Kinds["rows"][number]) => totals.get(model) ?? 0;
  return [...rows].sort(
    (a, b) =>
      totalOf(b) - totalOf(a) ||
      a.model.localeCompare(b.model) ||
      a.tier.localeCompare(b.tier) ||
      ORDER.indexOf(a.kind) - ORDER.indexOf(b.kind),
  );
}
