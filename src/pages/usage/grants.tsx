/**
 * The grants that make up the bonus, in the order in which runs draw on them: soonest expiry first, those without
 * expiry last, then the oldest. Ended grants are listed below.
 */
import type { FC } from "hono/jsx";
import type { GrantSummary } from "../../ledger/grants.ts";
import type { Micros } from "../../ledger/micros.ts";
import { formatDate } from "../kit/dates.ts";
import { formatAmount } from "../kit/format.ts";
import { Name } from "../kit/parts.tsx";

const MAX_ENDED = 10;
const SOURCES: Record<GrantSummary["source"], string> = {
  referral: "Referral",
  promotion: "Promotion",
  goodwill: "Goodwill",
  purchase: "Purchase",
};
const ENDINGS: Record<GrantSummary["state"], string> = {
  active: "",
  used: "used up",
  expired: "expired",
  voided: "voided",
};

type Props = {
  /** Newest first. More than `max` means that there are more to show. */
  grants: GrantSummary[];
  max: number;
  leftMicros: Micros;
  timeZone: string;
};

export const Grants: FC<Props> = ({ grants: found, max, leftMicros, timeZone }) => {
  const grants = found.slice(0, max);
  if (grants.length === 0) return null;
  // Reversed, because they come newest first: the stable sort then keeps the order of arrival for equal keys.
  const active = grants.filter(({ state }) => state === "active").reverse();
  const inOrder = active.sort((a, b) => endOf(a) - endOf(b) || a.grantedAtMs - b.grantedAtMs);
  const ended = grants.filter(({ state }) => state !== "active").slice(0, MAX_ENDED);
  return (
    <details id="grants">
      <summary>Grants</summary>
      <table>
        <caption>{found.length > max ? `The newest ${max} grants` : "Grants"} in order of use, in credits</caption>
        <thead>
          <tr>
            <th scope="col">Grant</th>
            <th scope="col">Order</th>
            <th scope="col">Expires</th>
            <th scope="col" class="num">
              Amount
            </th>
            <th scope="col" class="num">
              Left
            </th>
          </tr>
        </thead>
        <tbody>
          {[...inOrder, ...ended].map((grant, i) => (
            <tr class={grant.state === "active" ? undefined : "muted"}>
              <th scope="row">
                {SOURCES[grant.source]}
                {grant.note !== null && (
                  <small>
                    <Name>{grant.note}</Name>
                  </small>
                )}
              </th>
              <td>{grant.state === "active" ? ordinalOf(i) : ENDINGS[grant.state]}</td>
              <td>{grant.expiresAtMs === null ? "never" : formatDate(grant.expiresAtMs, timeZone)}</td>
              <td class="num">{formatAmount(grant.amountMicros, "credits")}</td>
              <td class="num">{formatAmount(grant.state === "active" ? grant.remainingMicros : 0, "credits")}</td>
            </tr>
          ))}
        </tbody>
        <tfoot>
          <tr class="total">
            <th scope="row" colspan={4}>
              Bonus left
            </th>
            <td class="num">{formatAmount(leftMicros, "credits")}</td>
          </tr>
        </tfoot>
      </table>
    </details>
  );
};

function endOf(grant: GrantSummary): number {
  return grant.expiresAtMs ?? Number.MAX_SAFE_INTEGER;
}

function ordinalOf(i: number): string {
  return i === 0 ? "first" : i === 1 ? "second" : i === 2 ? "third" : `${i + 1}th`;
}
