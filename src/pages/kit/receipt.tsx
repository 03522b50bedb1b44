/**
 * A run's receipt (rule R12) explains every micro: for each model the usage, the prices pinned when it was
 * first priced, the exact sum, and where the charge was drawn from. It is read from the enterprise's object, not from the copy.
 * This file is long because it shows every part of a receipt.
 */
import type { Child, FC } from "hono/jsx";
import type { CheckedCopy } from "../../copy/checked-copy.ts";
import { readNames } from "../../copy/read.ts";
import type { Bucket } from "../../ledger/books.ts";
import { DIMENSIONS, type Dimension } from "../../ledger/dimensions.ts";
import { type Kind, RATE_FACTORS } from "../../ledger/kinds.ts";
import { formatRate, NO_MULTIPLIER, type Price } from "../../ledger/prices.ts";
import type { DrawSummary, MeterSummary, Receipt } from "../../ledger/receipt.ts";
import { STANDARD_TIER } from "../../ledger/tiers.ts";
import { formatDate } from "./dates.ts";
import { formatCount, formatExact, formatExactDecimal, formatRateUsd } from "./format.ts";
import { KIND_NAMES } from "./kinds.ts";
import { idName, Moment, Name } from "./parts.tsx";

type Names = Record<Dimension, string>;

/** These rows are always shown. The others are shown if there was such usage. */
const ALWAYS_SHOWN: readonly string[] = ["input", "cache_read", "cache_write", "output"];
/** Decimals of a cost in dollars: tokens × a rate with six decimals ÷ a million. */
const COST_DIGITS = 12;
/** A multiplier has six decimals more. */
const MULTIPLIED_DIGITS = COST_DIGITS + 6;

type ViewProps = {
  receipt: Receipt;
  names: Names;
  timeZone: string;
  /** The links that lead back. */
  crumbs: Child;
  /** Where the name of a user, a workspace or a group leads; null for nowhere. */
  hrefOf: ((dimension: Dimension, id: string) => string) | null;
};

export const ReceiptView: FC<ViewProps> = ({ receipt, names, timeZone, crumbs, hrefOf }) => (
  <>
    <nav class="crumbs" aria-label="Breadcrumb">
      {crumbs}
    </nav>
    <div class="heading">
      <h1>
        Run <Name>{receipt.run}</Name>
      </h1>
      <span class="pill" data-state={receipt.final ? "done" : "open"}>
        {receipt.final ? "Closed" : "Open"}
      </span>
    </div>
    <section class="card" aria-labelledby="facts-title">
      <h2 id="facts-title" class="unseen">
        The run
      </h2>
      <p class="headline">
        <strong class="big">{formatExact(receipt.chargedMicros, receipt.unit)}</strong>
        <span> charged</span>
      </p>
      <dl class="facts">
        {(["user", "workspace", "group"] as const).map((dimension) => (
          <div>
            <dt>{{ user: "User", workspace: "Workspace", group: "Group" }[dimension]}</dt>
            <dd>
              {hrefOf === null ? (
                <Name>{names[dimension]}</Name>
              ) : (
                <a href={hrefOf(dimension, receipt[dimension])}>
                  <Name>{names[dimension]}</Name>
                </a>
              )}
            </dd>
          </div>
        ))}
        <div>
          <dt>Surface</dt>
          <dd>{receipt.surface === "web" ? "Web" : "CLI"}</dd>
        </div>
        <div>
          <dt>Started</dt>
          <dd>
            <Moment atMs={receipt.startedAtMs} timeZone={timeZone} />
          </dd>
        </div>
        <div>
          <dt>Last report</dt>
          <dd>
            {receipt.lastReportAtMs === null ? "none" : <Moment atMs={receipt.lastReportAtMs} timeZone={timeZone} />}
          </dd>
        </div>
      </dl>
    </section>
    {receipt.meters.length === 0 && (
      <p class="card">
        {receipt.chargedMicros === 0
          ? "This run has reported nothing yet."
          : "The usage and prices of this run are no longer stored: they are kept for 35 days after the last report."}
      </p>
    )}
    {receipt.meters.map((meter) => (
      <MeterCard meter={meter} timeZone={timeZone} />
    ))}
  </>
);

const MeterCard: FC<{ meter: MeterSummary; timeZone: string }> = ({ meter, timeZone }) => {
  const { price } = meter;
  const label = meter.tier === STANDARD_TIER ? `Model ${meter.model}` : `Model ${meter.model}, tier ${meter.tier}`;
  const otherNames = meter.reportedAs.filter((name) => name !== meter.model);
  return (
    <section class="card table receipt" aria-label={label}>
      <h2>
        <Name>{meter.model}</Name>
        {meter.tier !== STANDARD_TIER && <span class="pill">{meter.tier}</span>}
        {meter.estimated && <span class="pill">Estimated</span>}
        {price === null && <span class="pill">No price yet</span>}
      </h2>
      {otherNames.length > 0 && (
        <p class="muted">
          Reported as{" "}
          {otherNames.map((name, i) => (
            <>
              {i > 0 && ", "}
              <Name>{name}</Name>
            </>
          ))}
        </p>
      )}
      {meter.estimated && (
        <p class="muted">A stream was cut off before its usage arrived, so these totals include an estimate.</p>
      )}
      {price === null ? <WaitingUsage meter={meter} /> : <Cost meter={meter} price={price} />}
      {price !== null && <Draws meter={meter} timeZone={timeZone} />}
    </section>
  );
};

/** Usage that is kept until its model has a price. */
const WaitingUsage: FC<{ meter: MeterSummary }> = ({ meter }) => (
  <>
    <p>No price is known for this model. Nothing is charged now. The usage is charged once the model has a price.</p>
    <table class="sums">
      <caption>Usage so far</caption>
      <thead>
        <tr>
          <th scope="col">Kind</th>
          <th scope="col" class="num">
            Quantity
          </th>
        </tr>
      </thead>
      <tbody>
        {shownKinds(meter).map((kind) => (
          <tr>
            <th scope="row">{KIND_NAMES[kind]}</th>
            <td class="num">{formatCount(meter.usage[kind] ?? 0)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  </>
);

const Cost: FC<{ meter: MeterSummary; price: Price }> = ({ meter, price }) => {
  const lines = shownKinds(meter).map((kind) => {
    const count = meter.usage[kind] ?? 0;
    const rate = price.rates[kind];
    const searches = RATE_FACTORS[kind] > 1;
    return {
      name: KIND_NAMES[kind],
      count,
      rate,
      searches,
      cost: BigInt(count) * BigInt(rate) * BigInt(RATE_FACTORS[kind]),
    };
  });
  const sum = lines.reduce((total, { cost }) => total + cost, 0n);
  const credits = sum * BigInt(price.creditsPerUsd);
  const multiplied = price.multiplierMillionths !== NO_MULTIPLIER;
  return (
    <table class="sums">
      <caption>
        Usage at the prices of price book {formatCount(price.bookVersion)}, pinned when it was first priced
      </caption>
      <thead>
        <tr>
          <th scope="col">Kind</th>
          <th scope="col" class="num">
            Quantity
          </th>
          <th scope="col" class="num">
            Rate per million
          </th>
          <th scope="col" class="num">
            Cost
          </th>
        </tr>
      </thead>
      <tbody>
        {lines.map(({ name, count, rate, searches, cost }) => (
          <tr>
            <th scope="row">{name}</th>
            <td class="num">{formatCount(count)}</td>
            <td class="num">
              {formatRateUsd(formatRate(rate))}
              {searches && <small class="muted">per thousand</small>}
            </td>
            <td class="num">${formatExactDecimal(cost, COST_DIGITS, 2)}</td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr class="total">
          <th scope="row">Sum</th>
          <td></td>
          <td></td>
          <td class="num">${formatExactDecimal(sum, COST_DIGITS, 2)}</td>
        </tr>
        {meter.unit === "credits" && (
          <tr>
            <th scope="row" colspan={3}>
              × {formatCount(price.creditsPerUsd)} credits per dollar
            </th>
            <td class="num">{formatExactDecimal(credits, COST_DIGITS, 1)}</td>
          </tr>
        )}
        {meter.unit === "credits" && multiplied && (
          <tr>
            <th scope="row" colspan={3}>
              × {formatRate(price.multiplierMillionths)}, the price multiplier
            </th>
            <td class="num">
              {formatExactDecimal(credits * BigInt(price.multiplierMillionths), MULTIPLIED_DIGITS, 1)}
            </td>
          </tr>
        )}
        <tr class="total">
          <th scope="row" colspan={3}>
            Charged, rounded up once to a millionth
          </th>
          <td class="num">{formatExact(meter.chargedMicros, meter.unit)}</td>
        </tr>
      </tfoot>
    </table>
  );
};

function shownKinds({ usage }: MeterSummary): Kind[] {
  const kinds = Object.keys(KIND_NAMES) as Kind[];
  return kinds.filter((kind) => ALWAYS_SHOWN.includes(kind) || (usage[kind] ?? 0) > 0);
}

const Draws: FC<{ meter: MeterSummary; timeZone: string }> = ({ meter, timeZone }) => (
  <>
    <h3>Drawn from</h3>
    <ul class="draws">
      {meter.draws.length === 0 && <li>Nothing: the charge is zero.</li>}
      {meter.draws.map((draw) => (
        <li>
          <span>{describeDraw(draw, timeZone)}</span>
          <strong>{formatExact(draw.micros, meter.unit)}</strong>
          {draw.lapsedMicros > 0 && (
            <small class="muted">
              Another {formatExact(draw.lapsedMicros, meter.unit)} was refunded but lapsed, because{" "}
              {draw.bucket === "grant" ? "the grant" : "the cycle"} had ended.
            </small>
          )}
        </li>
      ))}
    </ul>
  </>
);

function describeDraw(draw: DrawSummary, timeZone: string) {
  if ("summed" in draw) return `${OLDER_DRAWS[draw.bucket]}, in older draws`;
  if (draw.bucket === "grant") {
    return (
      <>
        Grant <Name>{draw.grantId}</Name>
      </>
    );
  }
  const { bucket } = draw;
  const cycle = formatDate(draw.cycleStartsAtMs, timeZone);
  switch (bucket) {
    case "monthly":
      return `Monthly allowance of the cycle from ${cycle}`;
    case "debt":
      return `Not covered by any credit, in the cycle from ${cycle}`;
    case "spend":
      return `Spend of the cycle from ${cycle}`;
    default:
      return bucket satisfies never;
  }
}

const OLDER_DRAWS: Record<Bucket, string> = {
  monthly: "Monthly allowance",
  grant: "Grants",
  debt: "Not covered by any credit",
  spend: "Spend",
};

/** Reads the display names from the copy. If that fails, the receipt shows the ids. */
export async function readReceiptNames(db: CheckedCopy, enterprise: string, receipt: Receipt): Promise<Names> {
  const entries = DIMENSIONS.map(async (dimension) => {
    const id = receipt[dimension];
    const names = await readNames(db, enterprise, dimension, [id]).catch(() => new Map<string, string>());
    return [dimension, idName(dimension, id, names.get(id) ?? null)] as const;
  });
  return Object.fromEntries(await Promise.all(entries)) as Names;
}
