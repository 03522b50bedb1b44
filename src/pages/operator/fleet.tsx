/** /operator/fleet: the totals of all enterprises, the busiest of them, and what needs a look. */
import { Hono } from "hono";
import type { Child, FC } from "hono/jsx";
import { catalogOf } from "../../catalog/object.ts";
import type { FleetRow } from "../../copy/fleet.ts";
import { type Micros, UNITS, type Unit } from "../../ledger/micros.ts";
import { type FleetTotals, readFleetTotals } from "../../operations/fleet.ts";
import { parseGauge } from "../../wire/gauge.ts";
import { formatAmount, formatCharge, formatCount, formatPercent } from "../kit/format.ts";
import { Name } from "../kit/parts.tsx";
import { readBlock } from "../kit/read-block.ts";
import { type Column, formatUtc, operatorPage, Row, Table } from "./frame.tsx";
import { enterpriseHref, type OperatorContext, type OperatorEnv } from "./session.tsx";

const PATH = "/operator/fleet";
const BUSIEST_COLUMNS: readonly Column[] = [
  { title: "Enterprise" },
  { title: "Plan" },
  { title: "Used", num: true },
  { title: "Of its total", num: true },
];
const PLAN_COLUMNS: readonly Column[] = [
  { title: "Plan" },
  { title: "Billed in" },
  { title: "Enterprises", num: true },
  { title: "Exhausted", num: true },
  { title: "Used", num: true },
  { title: "Held", num: true },
  { title: "Debt", num: true },
];
const BILLED_IN: Record<Unit, string> = { credits: "credits", usd: "US dollars" };

export const operatorFleet = new Hono<OperatorEnv>().get(PATH, async (c) => {
  const [totals, signs] = await Promise.all([
    readBlock("fleet", () => readFleetTotals(c.env)),
    readBlock("signs", () => readSigns(c)),
  ]);
  const children = (
    <>
      <div class="heading">
        <h1>Fleet</h1>
        <p class="muted">All enterprises in their current cycles.</p>
      </div>
      {totals === null ? (
        <p class="notice conflict">The totals cannot be read right now. The ledgers are not affected.</p>
      ) : (
        <Totals totals={totals} />
      )}
      {signs !== null && <Signs signs={signs} />}
      {totals !== null && (
        <>
          <Busiest totals={totals} />
          <Plans rows={totals.rows} />
          <p class="muted as-of">
            Read from the copies at {formatUtc(totals.asOfMs)} UTC, at most once a minute. The sums are for an overview;
            each enterprise's page is exact.
          </p>
        </>
      )}
    </>
  );
  return c.html(operatorPage(c, { title: "Fleet", tab: "fleet", children }));
});

type Sign = { title: string; count: number; href: string | null; good?: true };

async function readSigns(c: OperatorContext): Promise<Sign[]> {
  const catalog = () => catalogOf(c.env);
  const [waiting, late, failed, jobs, audits, { objects }] = await Promise.all([
    catalog().waitingSummary(0),
    catalog().countLateCopies(),
    catalog().countFailedDeliveries(),
    catalog().countJobs(),
    catalog().auditSummary(),
    catalog().storage(),
  ]);
  const jobsIn = (state: string) =>
    jobs.filter((job) => job.state === state).reduce((sum, { jobs: count }) => sum + count, 0);
  const { ok, never, ...wrong } = audits.counts;
  return [
    { title: "Meters that wait for a price", count: waiting.meters, href: "/operator/prices" },
    { title: "Late copies", count: late, href: null },
    { title: "Audits not passed", count: Object.values(wrong).reduce((a, b) => a + b, 0), href: "/operator" },
    { title: "Messages given up, in total", count: failed, href: null },
    { title: "Jobs that failed", count: jobsIn("failed"), href: "/operator/jobs?state=failed" },
    { title: "Jobs that run", count: jobsIn("running"), href: "/operator/jobs?state=running", good: true },
    { title: "Objects that are nearly full", count: objects.length, href: null },
  ];
}

const sumOf = (rows: readonly FleetRow[], measure: (row: FleetRow) => number) =>
  rows.reduce((sum, row) => sum + measure(row), 0);
const unitOf = (row: FleetRow): Unit => (row.billing_model === "byom" ? "usd" : "credits");

const Totals: FC<{ totals: FleetTotals }> = ({ totals: { rows, runs } }) => {
  const used = (unit: Unit) => sumOf(rows, (row) => (unitOf(row) === unit ? row.used_micros : 0));
  const facts: [string, Child][] = [
    ["Enterprises", formatCount(sumOf(rows, (row) => row.enterprises))],
    ["Exhausted", formatCount(sumOf(rows, (row) => row.exhausted))],
    ["Runs", formatCount(runs)],
    ["Used", `${formatCharge(used("credits"), "credits")}, and ${formatCharge(used("usd"), "usd")}`],
  ];
  return (
    <section class="card" aria-labelledby="totals-title">
      <h2 id="totals-title" class="unseen">
        Totals
      </h2>
      <dl class="facts">
        {facts.map(([term, text]) => (
          <div>
            <dt>{term}</dt>
            <dd>
              <strong>{text}</strong>
            </dd>
          </div>
        ))}
      </dl>
    </section>
  );
};

const Signs: FC<{ signs: readonly Sign[] }> = ({ signs }) => (
  <section class="card" aria-labelledby="signs-title">
    <h2 id="signs-title">What needs a look</h2>
    <dl class="facts">
      {signs.map(({ title, count, href, good }) => (
        <div>
          <dt>{title}</dt>
          <dd>
            {count === 0 ? "none" : href === null ? formatCount(count) : <a href={href}>{formatCount(count)}</a>}
            {count > 0 && good !== true && (
              <>
                {" "}
                <span class="badge warning">look</span>
              </>
            )}
          </dd>
        </div>
      ))}
    </dl>
  </section>
);

const Busiest: FC<{ totals: FleetTotals }> = ({ totals: { busiest } }) => (
  <>
    {UNITS.filter((unit) => busiest[unit].length > 0 || unit === "credits").map((unit) => (
      <section class="card table" aria-labelledby={`busiest-${unit}`}>
        <h2 id={`busiest-${unit}`}>Busiest in {BILLED_IN[unit]}</h2>
        <Table
          id={`rows-busiest-${unit}`}
          caption="Most used in the current cycle first"
          columns={BUSIEST_COLUMNS}
          empty="Nothing has been used yet."
        >
          {busiest[unit].map(({ id, gauge }) => {
            const { name, plan, usedMicros, totalMicros } = parseGauge(gauge);
            return (
              <Row
                columns={BUSIEST_COLUMNS}
                cells={[
                  <>
                    <a href={enterpriseHref(id)}>
                      <Name>{name}</Name>
                    </a>
                    <small class="muted name">{id}</small>
                  </>,
                  <Name>{plan}</Name>,
                  formatAmount(usedMicros, unit),
                  totalMicros === null ? "no cap" : formatPercent(usedMicros, totalMicros),
                ]}
              />
            );
          })}
        </Table>
      </section>
    ))}
  </>
);

const Plans: FC<{ rows: readonly FleetRow[] }> = ({ rows }) => {
  const amount = (micros: Micros, unit: Unit) => (micros === 0 ? "0" : formatAmount(micros, unit));
  return (
    <section class="card table" aria-labelledby="plans-title">
      <h2 id="plans-title">By plan</h2>
      <Table id="rows-plans" caption="Sums of the current cycles" columns={PLAN_COLUMNS} empty="No enterprises yet.">
        {rows.map((row) => (
          <Row
            columns={PLAN_COLUMNS}
            cells={[
              <Name>{row.plan}</Name>,
              BILLED_IN[unitOf(row)],
              formatCount(row.enterprises),
              formatCount(row.exhausted),
              amount(row.used_micros, unitOf(row)),
              amount(row.held_micros, unitOf(row)),
              amount(row.debt_micros, unitOf(row)),
            ]}
          />
        ))}
      </Table>
    </section>
  );
};
