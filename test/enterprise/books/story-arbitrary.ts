/**
 * Random stories for the properties: what agents, operators and time may do, drawn so that rare events happen often:
 * little credit, few runs and names, instants right at a turn or an expiry. A step is drawn without knowing when it will
 * happen; `eventsOf` turns it into events at the instant that the reference model has reached.
 */
import fc from "fast-check";
import type { World } from "./reference-model.ts";
import type { Event, Kinds, ListPrice, Opening, ReportEvent } from "./story.ts";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;

export type Step = (world: World) => Event[];

const rates = (input: number, output: number, cache_read: number, cache_write: number): Kinds => ({
  input,
  output,
  cache_read,
  cache_write,
});
const MODELS: Record<string, Kinds> = {
  m0: rates(75_000, 333_333, 1, 93_750),
  m1: rates(3_000_000, 15_000_000, 300_000, 3_750_000),
  m2: rates(1_000_000, 0, 0, 999_999),
};
/** Two price books: the second moves the alias, removes m2, and has another exchange rate. */
const BOOKS: { creditsPerUsd: number; names: Record<string, string> }[] = [
  { creditsPerUsd: 100, names: { m0: "m0", m1: "m1", m2: "m2", fast: "m0" } },
  { creditsPerUsd: 7, names: { m0: "m0", m1: "m1", fast: "m1" } },
];

function look(book: number, name: string): { model: string; price: ListPrice | null } {
  const { creditsPerUsd, names } = BOOKS[book] as (typeof BOOKS)[number];
  const model = names[name];
  return model === undefined
    ? { model: name, price: null }
    : { model, price: { creditsPerUsd, rates: MODELS[model] as Kinds } };
}

const runName = fc.constantFrom("r0", "r1", "r2", "r3");
const few = (most: number) =>
  fc.oneof({ weight: 2, arbitrary: fc.constant(0) }, { weight: 3, arbitrary: fc.nat(most) });
const tokens = fc.record({ input: few(40), output: few(20), cache_read: few(60), cache_write: few(10) });
const rarely = <T>(often: T, ...rare: T[]) =>
  fc.oneof({ weight: 15, arbitrary: fc.constant(often) }, { weight: 1, arbitrary: fc.constantFrom(...rare) });

const reportStep = fc
  .record({
    run: runName,
    user: rarely("u", "somebody else"),
    name: fc.constantFrom("m0", "m1", "m2", "fast"),
    book: rarely(0, 1),
    tokens,
    final: fc.oneof({ weight: 6, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
    startedAgoMs: rarely(0, 36 * DAY_MS, -6 * MINUTE_MS, -4 * MINUTE_MS, 35 * DAY_MS),
  })
  .map(({ book, startedAgoMs, ...said }) => (world: World): ReportEvent => {
    return { type: "report", ...said, ...look(book, said.name), startedAtMs: world.nowMs - startedAgoMs };
  });

const startStep = fc
  .record({
    type: fc.constant("start" as const),
    run: runName,
    user: rarely("u", "somebody else"),
    holdMicros: fc.oneof(
      fc.constant(null),
      fc.constant(0),
      fc.integer({ min: 1, max: 400 }),
      fc.integer({ min: 1, max: 30_000 }),
    ),
    ttlMs: fc.constantFrom(null, MINUTE_MS, HOUR_MS, DAY_MS),
  })
  .map(
    (event): Step =>
      () => [event],
  );

/** Moves the clock: by some time, or to an instant at or next to the next turn or expiry. */
const clockStep = fc.oneof(
  fc
    .oneof(
      fc.integer({ min: 1, max: 30 }).map((minutes) => minutes * MINUTE_MS),
      fc.integer({ min: 1, max: 30 }).map((hours) => hours * HOUR_MS),
      fc.constantFrom(2, 8, 20, 34, 36, 70).map((days) => days * DAY_MS + 7 * MINUTE_MS),
    )
    .map(
      (byMs): Step =>
        (world) => [{ type: "clock", toMs: world.nowMs + byMs }],
    ),
  fc.constantFrom(-1, 0, 1).map(
    (nextToMs): Step =>
      (world) => [{ type: "clock", toMs: world.cycle.endsAtMs + nextToMs }],
  ),
  fc.constantFrom(-1, 0, 1).map(
    (nextToMs): Step =>
      (world) => [{ type: "clock", toMs: (world.usable()[0]?.expiresAtMs ?? world.nowMs + HOUR_MS) + nextToMs }],
  ),
);

const grantStep = fc
  .record({
    id: fc.constantFrom("g0", "g1", "g2", "g3"),
    amountMicros: fc.constantFrom(900, 900, 6_000, 20_000),
    ends: fc.constantFrom("never", "never", "never", "soon", "later", "at the turn", "now"),
  })
  .map(
    ({ id, amountMicros, ends }): Step =>
      ({ nowMs, cycle }) => {
        const expiresAtMs = {
          never: null,
          soon: nowMs + HOUR_MS,
          later: nowMs + 40 * DAY_MS,
          "at the turn": cycle.endsAtMs,
          now: nowMs,
        }[ends];
        return [{ type: "grant", id, amountMicros, expiresAtMs: expiresAtMs ?? null }];
      },
  );

const always =
  (event: Event): Step =>
  () => [event];
const settingStep = fc.oneof(
  fc.constantFrom(0, 500, 4_000, 30_000, 120_000).map((micros) => always({ type: "allowance", micros })),
  fc.constantFrom(null, 0, 40, 500, 3_000).map((micros) => always({ type: "cap", micros })),
  fc.constantFrom("credits" as const, "byom" as const).map((model) => always({ type: "billing", model })),
  fc.boolean().map((suspended) => always({ type: "suspend", suspended })),
  fc
    .record({
      timeZone: fc.constantFrom("UTC", "Asia/Kolkata", "America/New_York"),
      anchorDay: fc.constantFrom(1, 15, 31),
    })
    .map((calendar) => always({ type: "calendar", ...calendar })),
);

export const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.array(reportStep, { minLength: 1, maxLength: 3 }).map(
      (reports): Step =>
        (world) =>
          reports.map((one) => one(world)),
    ),
  },
  { weight: 3, arbitrary: startStep },
  { weight: 1, arbitrary: runName.map((run) => always({ type: "release", run })) },
  { weight: 3, arbitrary: grantStep },
  { weight: 1, arbitrary: fc.constantFrom("g0", "g1", "g2").map((id) => always({ type: "void", id })) },
  { weight: 3, arbitrary: clockStep },
  { weight: 2, arbitrary: settingStep },
);

export const opening: fc.Arbitrary<Opening> = fc.record({
  atMs: fc
    .constantFrom("2026-01-30T22:00:00Z", "2026-03-10T12:00:00Z", "2027-12-31T23:59:59.999Z")
    .map((iso) => Date.parse(iso)),
  billingModel: fc.constantFrom("credits" as const, "credits" as const, "byom" as const),
  allowanceMicros: fc.constantFrom(0, 500, 4_000, 30_000, 120_000),
  timeZone: fc.constantFrom("UTC", "Europe/Berlin", "Asia/Kolkata"),
  anchorDay: fc.constantFrom(1, 29, 31),
});
