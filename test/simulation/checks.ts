/**
 * What must be true of the books at any moment: the ledger's own audit passes, memory equals what is stored, every
 * answered report is stored, and every row equals the reference.
 */
import { isDeepStrictEqual } from "node:util";
import { OlderDrawPages } from "../../src/enterprise/books/older-draws.ts";
import { GRANTS, METERS, RUNS } from "../../src/enterprise/books/rows.ts";
import type { SqlRow } from "../../src/enterprise/books/sql.ts";
import { Store } from "../../src/enterprise/books/store.ts";
import { auditBooks } from "../../src/enterprise/jobs/audit.ts";
import type { Grant, Meter, Run } from "../../src/ledger/books.ts";
import { eachGrant } from "../../src/ledger/grant-list.ts";
import type { FactsJson } from "../../src/wire/entry.ts";
import {
  costOf,
  isKept,
  maySilentRunEnd,
  type ReferenceMeter,
  type ReferenceRun,
  USED_KINDS,
} from "./reference-meter.ts";
import type { ReferenceGrant, Taking } from "./reference-money.ts";
import { RUN_HISTORY_MS } from "./starts.ts";
import type { World } from "./world.ts";

export function checkBooks(world: World, nowMs: number): void {
  for (const { name, ok, detail } of auditBooks(world.object.ledger)) if (!ok) world.fail(`audit ${name}: ${detail}`);
  checkMemory(world);
  checkCycles(world);
  checkGrants(world);
  checkMeters(world, nowMs);
  checkRuns(world, nowMs);
  checkEntries(world);
  const { ledger } = world.object;
  if (ledger.nextDueAtMs() > world.reference.nextDueMs())
    world.fail("something is due before the ledger would settle it");
  if (world.scenario.disciplined) checkNothingOverspent(world, nowMs);
}

/** H3: if every run stays within its hold, there is no debt, and no cap is exceeded. */
function checkNothingOverspent({ reference, fail }: World, nowMs: number): void {
  if (reference.money.taken("debt") > 0) fail("there is debt although every run stayed within its hold");
  const { used, total } = reference.balance("usd", nowMs);
  if (total !== null && used > total) fail("the cap is exceeded although every run stayed within its hold");
}

function checkMemory(world: World): void {
  const { ledger } = world.object;
  const stored = new Store(world.platform.sql).loadEnterprise();
  const [kept, loaded] = [ledger.books, stored?.books ?? ledger.books].map(({ grants, ...books }) => {
    const { open, remainingMicros } = grants;
    return { ...books, open, remainingMicros, grants: [...eachGrant(grants)] };
  });
  if (!isDeepStrictEqual(kept, loaded)) world.same("memory", kept, loaded);
  if (!isDeepStrictEqual(ledger.identity, stored?.identity)) world.same("identity", ledger.identity, stored?.identity);
}

function checkCycles(world: World): void {
  const { money } = world.reference;
  const { cycle } = world.object.ledger.books;
  world.same("the cycle", sumsOf(cycle as unknown as Record<string, unknown>), {
    startsAtMs: money.cycle.startsMs,
    endsAtMs: money.cycle.endsMs,
    timeZone: money.cycle.zone,
    allowanceMicros: money.cycle.allowance,
    monthlyUsedMicros: money.taken("monthly"),
    bonusUsedMicros: money.taken("grant"),
    debtMicros: money.taken("debt"),
    spendUsedMicros: money.taken("spend"),
  });
  const closed = world.platform.sql.all("SELECT * FROM cycles ORDER BY starts_at_ms");
  world.same(
    "closed cycles",
    closed.map(closedOf),
    money.closed.map(({ zone, ...rest }) => rest),
  );
}

function sumsOf({ returnedMicros: _bound, ...sums }: Record<string, unknown>): Record<string, unknown> {
  return sums;
}

function closedOf(row: SqlRow) {
  return {
    startsMs: row.starts_at_ms,
    endsMs: row.ends_at_ms,
    allowance: row.allowance_micros,
    monthly: row.monthly_used_micros,
    grant: row.bonus_used_micros,
    debt: row.debt_micros,
    spend: row.spend_used_micros,
  };
}

function checkGrants(world: World): void {
  const found = world.platform.sql.all("SELECT * FROM grants ORDER BY seq").map(GRANTS.read).map(viewGrant);
  world.same("grants", found, world.reference.money.grants.map(viewReferenceGrant));
}

function viewGrant(grant: Grant) {
  const { id, amountMicros, drawnMicros, expiredMicros, voidedMicros, grantedAtMs, expiresAtMs, voided } = grant;
  return [id, amountMicros, drawnMicros, expiredMicros, voidedMicros, voided, grantedAtMs, expiresAtMs];
}

function viewReferenceGrant({ id, amount, left, expired, voided, grantedMs, expiresMs }: ReferenceGrant) {
  const drawn = amount - left - expired - (voided ?? 0);
  return [id, amount, drawn, expired, voided ?? 0, voided !== null, grantedMs, expiresMs];
}

function checkMeters(world: World, nowMs: number): void {
  const { reference } = world;
  const stored = world.platform.sql.all("SELECT * FROM meter_rows").map(METERS.read);
  if (stored.some(({ older }) => older !== undefined)) world.count("draws_moved_out_of_their_row");
  const halfPruned = new Set(
    world.platform.sql.all("SELECT run FROM older_draws WHERE draws IS NULL").map(({ run }) => run as string),
  );
  const pages = new OlderDrawPages(world.platform.sql);
  const rows = stored.map((meter) => pages.newest(meter, Number.MAX_SAFE_INTEGER).meter);
  const found = new Map(rows.map((meter) => [`${meter.run} ${meter.model} ${meter.tier}`, meter]));
  for (const run of reference.runs.values()) {
    for (const expected of run.meters) {
      const meter = found.get(expected.name);
      found.delete(expected.name);
      const isOld = !isKept(expected, run, nowMs);
      // Pruning may be interrupted after the pages of a meter, and before the meter.
      const isCompared = meter !== undefined && !(isOld && halfPruned.has(meter.run));
      if (isCompared) world.same(`meter ${expected.name}`, viewMeter(meter), viewReferenceMeter(expected));
      else if (meter === undefined && !isOld) {
        world.fail(`meter ${expected.name} was deleted too early`);
      } else if (meter === undefined && !expected.pruned) {
        expected.pruned = true;
        world.count("meters_pruned");
      }
      if (meter !== undefined) checkAcknowledged(world, meter);
    }
  }
  for (const name of found.keys()) world.fail(`meter ${name} is unknown to the reference`);
}

/** J2: what was answered is stored. */
function checkAcknowledged(world: World, meter: Meter): void {
  const acknowledged = world.traffic.observer.acknowledged.get(`${meter.run} ${meter.model} ${meter.tier}`);
  if (acknowledged === undefined) return;
  const answered = acknowledged.final ?? (meter.final ? null : acknowledged.open);
  if (acknowledged.final !== null && !meter.final) world.fail(`an answered final of ${meter.run} is not stored`);
  for (const kind of USED_KINDS) {
    if (answered !== null && (meter.usage[kind] ?? 0) < answered[kind]) {
      world.fail(`an answered report of ${meter.run} on ${meter.model} is not stored: ${kind}`);
    }
  }
}

function viewMeter(meter: Meter) {
  const { unit, usage, chargedMicros, final, estimated, price, firstReportAtMs, lastReportAtMs } = meter;
  const takings = meter.draws.map(({ bucket, grantId, cycleStartsAtMs, micros, lapsedMicros }) => ({
    ...{ from: bucket, grant: grantId, cycleMs: cycleStartsAtMs },
    ...{ micros, lapsed: lapsedMicros },
  }));
  const priced = [...Object.values(price?.rates ?? {}), price?.multiplierMillionths];
  const fixed = [
    unit,
    USED_KINDS.map((kind) => usage[kind] ?? 0),
    final,
    estimated,
    priced,
    firstReportAtMs,
    lastReportAtMs,
  ];
  return [...fixed, chargedMicros, sumsByBucket(takings)];
}

function viewReferenceMeter(meter: ReferenceMeter) {
  const { unit, tokens, final, estimated, price, firstReportMs, lastReportMs } = meter;
  const priced = [...Object.values(price?.rates ?? {}), price?.multiplierMillionths];
  const fixed = [unit, USED_KINDS.map((kind) => tokens[kind]), final, estimated, priced, firstReportMs, lastReportMs];
  return [...fixed, costOf(tokens, price, unit), sumsByBucket(meter.takings)];
}

function sumsByBucket(takings: readonly Omit<Taking, "dayMs">[]): string[] {
  const sums = new Map<string, [number, number]>();
  for (const { from, grant, cycleMs, micros, lapsed } of takings) {
    const key = `${from} ${grant} ${cycleMs}`;
    const [sum, gone] = sums.get(key) ?? [0, 0];
    sums.set(key, [sum + micros, gone + lapsed]);
  }
  const shown = [...sums].filter(([, [micros, lapsed]]) => micros > 0 || lapsed > 0);
  return shown.map(([key, [micros, lapsed]]) => `${key}: ${micros}, lapsed ${lapsed}`).sort();
}

function checkRuns(world: World, nowMs: number): void {
  const { reference } = world;
  const missing = new Set(reference.runs.keys());
  for (const row of world.platform.sql.all("SELECT * FROM runs")) {
    const run = RUNS.read(row);
    missing.delete(run.run);
    const expected = reference.runs.get(run.run);
    if (expected === undefined) world.fail(`run ${run.run} is unknown to the reference`);
    const { hold } = expected;
    world.same(`run ${run.run}`, viewRun(run), [
      ...[expected.surface, expected.workspace, expected.user, expected.group, expected.startedMs, expected.reported],
      ...(hold === null ? [null] : [hold.unit, hold.left, hold.ttlMs, hold.endsMs]),
    ]);
  }
  for (const name of missing) {
    const run = reference.runs.get(name) as ReferenceRun;
    if (maySilentRunEnd(run, nowMs)) continue;
    if (nowMs - run.startedMs <= RUN_HISTORY_MS) world.fail(`run ${name} was deleted too early`);
  }
}

function viewRun({ surface, workspace, user, group, startedAtMs, reported, hold }: Run) {
  const held = hold === null ? [null] : [hold.unit, hold.micros, hold.ttlMs, hold.expiresAtMs];
  return [surface, workspace, user, group, startedAtMs, reported, ...held];
}

function checkEntries(world: World): void {
  const first = world.platform.sql.all("SELECT facts FROM entries ORDER BY seq LIMIT 1")[0];
  const facts = JSON.parse((first?.facts ?? "{}") as string) as FactsJson;
  if (facts.type === "checkpoint") {
    checkEntriesBehind(world, facts);
    return;
  }
  const found = new Map<string, { count: number; micros: number }>();
  for (const row of world.platform.sql.all("SELECT facts FROM entries")) {
    const facts = JSON.parse(row.facts as string) as FactsJson;
    const { count, micros } = found.get(facts.type) ?? { count: 0, micros: 0 };
    found.set(facts.type, { count: count + 1, micros: micros + namedMicros(facts) });
  }
  world.same("entries", [...found].sort(), [...world.reference.money.entries].sort());
}

/** With a checkpoint, only the number of entries and what was granted can still be compared. */
function checkEntriesBehind(world: World, { entries, ...sums }: Extract<FactsJson, { type: "checkpoint" }>): void {
  world.count("entries_removed");
  const expected = world.reference.money.entries;
  const later = world.platform.sql.all("SELECT facts FROM entries ORDER BY seq").slice(1);
  const all = [...expected.values()].reduce((sum, { count }) => sum + count, 0);
  // The checkpoint of a restore stands for every number since the last step.
  const [first] = world.platform.sql.all("SELECT min(seq) AS seq FROM entries");
  const skipped = world.restores.skippedUntil(first?.seq as number);
  world.same("the number of entries", entries + later.length, all + skipped);
  for (const [type, removed] of [
    ["grant_added", sums.granted_micros],
    ["grant_expired", sums.expired_micros],
    ["grant_voided", sums.voided_micros],
  ] as const) {
    const named = later
      .map((row) => JSON.parse(row.facts as string) as FactsJson)
      .filter((facts) => facts.type === type);
    const sum = named.reduce((micros, facts) => micros + namedMicros(facts), removed);
    world.same(`the sum of ${type}`, sum, expected.get(type)?.micros ?? 0);
  }
}

function namedMicros(facts: FactsJson): number {
  if (facts.type === "cycle_started") return facts.allowance_micros;
  if (facts.type === "run_closed") return facts.credits_micros + facts.usd_micros;
  return "amount_micros" in facts ? facts.amount_micros : 0;
}
