/**
 * Usage that nothing prices yet (rule R13). The object's job charges it in the background once a price book has its model,
 * and drops it after 400 days. Here the reference follows what the job has committed, and checks that it was right.
 */
import type { Sql } from "../../src/enterprise/books/sql.ts";
import { meterKey } from "../../src/ledger/tiers.ts";
import { isKept, type ReferenceMeter, type ReferenceRun } from "./reference-meter.ts";
import type { World } from "./world.ts";

type Waited = { run: ReferenceRun; meter: ReferenceMeter };

/** How long the catalog may take to notify the object of a new price book, because it cannot reach it at first. */
const NOTIFY_MS = 3_600_000;
const MAX_REPORTED = 3;
const STORED = "SELECT run, model, book_version FROM meters WHERE run IN (SELECT value FROM json_each(?))";

/** The meters that wait in the reference, but no longer in the object: they were priced or dropped. */
export function findPriced(
  { reference }: World,
  all: Sql["all"],
): { priced: Waited[]; dropped: Waited[]; any: boolean } {
  // The object counts what waits, and nothing new waits outside of a call.
  const count = reference.waitingCount === 0 ? 0 : all("SELECT meters FROM waiting_state")[0]?.meters;
  if (count === reference.waitingCount) return { priced: [], dropped: [], any: false };
  const waiting = reference.waiting();
  const stored = new Map(
    all(STORED, JSON.stringify(waiting.map(({ run }) => run.run))).map((row) => [`${row.run} ${row.model}`, row]),
  );
  const versionOf = ({ meter }: Waited) => stored.get(keyOf(meter))?.book_version;
  const priced = waiting.filter((waited) => (versionOf(waited) ?? 0) !== 0);
  const dropped = waiting.filter((waited) => versionOf(waited) === undefined);
  return { priced, dropped, any: priced.length + dropped.length > 0 };
}

/** Charges in the reference what the job has priced, and forgets what it has dropped. */
export function expectPriced(world: World, all: Sql["all"], nowMs: number): void {
  const { reference, traffic } = world;
  const { priced, dropped } = findPriced(world, all);
  for (const { run, meter } of priced) {
    const found = traffic.prices.latest.find(meter.model, meter.tier);
    if (found.price === null) world.fail(`${meter.name} was priced, but the book has no price for it`);
    world.same(`the model of ${meter.name}`, found.model, meter.model);
    reference.price(run, meter, found.price, nowMs);
  }
  for (const { run, meter } of dropped) {
    if (isKept(meter, run, nowMs)) world.fail(`${meter.name} was dropped too early`);
    reference.drop(meter);
  }
  // One commit adds one entry for each name and tier.
  for (const _ of new Set(priced.map(({ meter }) => `${meter.model} ${meter.tier}`))) {
    reference.money.note("usage_priced", 0);
  }
  for (const _ of new Set(dropped.map(({ meter }) => `${meter.model} ${meter.tier}`))) {
    reference.money.note("usage_dropped", 0);
  }
}

/** Agents report usage that waits again, perhaps through a Worker that has the new prices before the object has. */
export function reportWaiting({ reference, traffic }: World): void {
  for (const { run, meter } of reference.waiting().slice(0, MAX_REPORTED)) {
    const { model: name, tier, tokens, final, estimated } = meter;
    traffic.send([{ run: run.run, name, tier, tokens, final, estimated, ...traffic.attributionOf(run.run) }]);
  }
}

/** The catalog notifies the object of the current price book, again and again until the object has answered. */
export function notifyOfPrices(world: World): void {
  world.later(world.dice.spread(1, NOTIFY_MS), () => {
    const { version } = world.traffic.prices.latest.book;
    const noted = world.call(
      `prices changed to ${version}`,
      ({ core }) => core.pricesChanged(version),
      () => {},
    );
    if (noted === null) notifyOfPrices(world);
  });
}

/** At the end, whatever still waits has no price. */
export function checkWaiting(world: World): void {
  for (const { meter } of world.reference.waiting()) {
    const { price } = world.traffic.prices.latest.find(meter.model, meter.tier);
    if (price !== null) world.fail(`${meter.name} still waits, although the book has a price for it`);
  }
}

/** The run and the key of the stored meter. */
function keyOf({ run, model, tier }: ReferenceMeter): string {
  return `${run} ${meterKey(model, tier)}`;
}
