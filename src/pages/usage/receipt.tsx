/**
 * A run's receipt (rule R12) explains every micro: for each model the tokens, the prices pinned at its first report, the
 * exact sum, and where the charge was drawn from. It is read from the enterprise's object, not from the copy.
 */
import { Hono } from "hono";
import type { FC } from "hono/jsx";
import type { CheckedCopy } from "../../copy/checked-copy.ts";
import { readNames } from "../../copy/read.ts";
import { DIMENSIONS, type Dimension } from "../../ledger/attribution.ts";
import { formatRate } from "../../ledger/prices.ts";
import type { DrawSummary, MeterSummary, Receipt } from "../../ledger/receipt.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { readCopy } from "../../operations/read-copy.ts";
import { parseReceipt } from "../../wire/receipt.ts";
import { formatDate } from "../kit/dates.ts";
import { formatCount, formatExact, formatExactDecimal, formatRateUsd } from "../kit/format.ts";
import { page } from "../kit/layout.tsx";
import { Moment, Name } from "../kit/parts.tsx";
import { answerRefused, callerOf, type PageEnv, requireSession } from "../kit/session.ts";
import { loadView } from "../kit/view.ts";
import { parseUsageQuery, USAGE_PATH, usageHref, withoutPaging } from "./query.ts";
import { displayName } from "./top-table.tsx";

type Names = Record<Dimension, string>;

const KINDS = [
  { kind: "input", name: "Input" },
  { kind: "cache_read", name: "Cache read" },
  { kind: "cache_write", name: "Cache write" },
  { kind: "output", name: "Output" },
] as const;
/** Decimals of a cost in dollars: tokens × a rate with six decimals ÷ a million. */
const COST_DIGITS = 12;

export const receiptPages = new Hono<PageEnv>().get("/settings/usage/runs/:run", requireSession, async (c) => {
  const caller = callerOf(c.var.session);
  const [found, view] = await Promise.all([
    enterpriseStub(c.env, c.var.session.enterprise).receipt(caller, c.req.param("run")),
    loadView(c),
  ]);
  if (isRefusal(view)) return answerRefused(c, view.refusal);
  if (isRefusal(found)) return answerRefused(c, found.refusal);
  const receipt = parseReceipt(found);
  const copy = readCopy(c.env, c.executionCtx, c.var.session.enterprise, view.copy);
  const names = await readAllNames(copy, c.var.session.enterprise, receipt);
  return c.html(
    page({
      title: `Receipt of ${receipt.run}`,
      signed: { ...c.var.session, name: view.gauge.name },
      tab: "usage",
      children: <ReceiptView receipt={receipt} names={names} timeZone={view.timeZone} />,
    }),
  );
});

const ReceiptView: FC<{ receipt: Receipt; names: Names; timeZone: string }> = ({ receipt, names, timeZone }) => (
  <>
    <nav class="crumbs" aria-label="Breadcrumb">
      <a href={USAGE_PATH}>Usage</a> › Receipt
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
              <a href={filterHref(dimension, receipt[dimension])}>
                <Name>{names[dimension]}</Name>
              </a>
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
          : "The tokens and prices of this run are no longer stored: they are kept for 35 days after the last report."}
      </p>
    )}
    {receipt.meters.map((meter) => (
      <MeterCard meter={meter} timeZone={timeZone} />
    ))}
  </>
);

const MeterCard: FC<{ meter: MeterSummary; timeZone: string }> = ({ meter, timeZone }) => {
  const { price, usage } = meter;
  const lines = KINDS.map(({ kind, name }) => {
    const rate = price.rates[kind];
    return { name, count: usage[kind] ?? 0, rate, cost: BigInt(usage[kind] ?? 0) * BigInt(rate) };
  });
  const sum = lines.reduce((total, { cost }) => total + cost, 0n);
  const credits = meter.unit === "credits";
  return (
    <section class="card table receipt" aria-label={`Model ${meter.model}`}>
      <h2>
        <Name>{meter.model}</Name>
      </h2>
      <table class="sums">
        <caption>
          Tokens at the prices of price book {formatCount(price.bookVersion)}, pinned at the first report
        </caption>
        <thead>
          <tr>
            <th scope="col">Kind</th>
            <th scope="col" class="num">
              Tokens
            </th>
            <th scope="col" class="num">
              Per million
            </th>
            <th scope="col" class="num">
              Cost
            </th>
          </tr>
        </thead>
        <tbody>
          {lines.map(({ name, count, rate, cost }) => (
            <tr>
              <th scope="row">{name}</th>
              <td class="num">{formatCount(count)}</td>
              <td class="num">{formatRateUsd(formatRate(rate))}</td>
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
          {credits && (
            <tr>
              <th scope="row" colspan={3}>
                × {formatCount(price.creditsPerUsd)} credits per dollar
              </th>
              <td class="num">{formatExactDecimal(sum * BigInt(price.creditsPerUsd), COST_DIGITS, 1)}</td>
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
    </section>
  );
};

function describeDraw(draw: DrawSummary, timeZone: string) {
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

/** Reads the display names from the copy. If that fails, the receipt shows the ids. */
async function readAllNames(db: CheckedCopy, enterprise: string, receipt: Receipt): Promise<Names> {
  const entries = DIMENSIONS.map(async (dimension) => {
    const id = receipt[dimension];
    const names = await readNames(db, enterprise, dimension, [id]).catch(() => new Map<string, string>());
    return [dimension, displayName(dimension, id, names.get(id) ?? null)] as const;
  });
  return Object.fromEntries(await Promise.all(entries)) as Names;
}

function filterHref(dimension: Dimension, id: string): string {
  return usageHref(withoutPaging(parseUsageQuery(new URLSearchParams())), { filter: { dimension, id } });
}
