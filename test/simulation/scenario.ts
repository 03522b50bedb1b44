/**
 * What a seed decides before its world starts: how long it lasts, how busy it is, which faults it has, and the settings
 * of the enterprise. Short busy worlds and long quiet ones find different bugs, so both are drawn.
 */
import type { Settings } from "../../src/ledger/books.ts";
import type { Dice } from "./dice.ts";

export type Scenario = {
  /** Storage never fails and alarms are on time: then turns and the copy must be on time too. */
  calm: boolean;
  startMs: number;
  days: number;
  runs: number;
  settings: Settings;
  /** The enterprise has a test clock, which the operator moves. */
  testClock: boolean;
  /** Every run stays within a hold that it asked for: then nothing may be overspent (invariant H3). */
  disciplined: boolean;
  /** How likely a call meets failing storage, is followed by an eviction, or an alarm is late, doubled or lost. */
  faults: { storage: number; eviction: number; alarm: number };
};

export const ZONES = [
  "UTC",
  "Europe/Berlin",
  "America/New_York",
  "Asia/Kolkata",
  "Asia/Kathmandu",
  "America/St_Johns",
  "America/Santiago",
  "Pacific/Auckland",
] as const;

export const DAY_MS = 86_400_000;
/** Roughly what a run costs: allowances and caps are drawn around what a cycle will need. */
export const TYPICAL_RUN_MICROS = { credits: 8_000_000, usd: 80_000 } as const;
export const WEBHOOK_URL = "https://hooks.example.com/fuel";

/** How many expired holds, and how many expired grants, a change ends at most. */
export const PORTIONS = { holds: 3, grants: 2 } as const;

const FIRST_START_MS = Date.UTC(2024, 0, 1);
const STARTS_DAYS = 1_500;

/** Roughly how many runs a cycle has. */
export function runsPerCycle({ runs, days }: Pick<Scenario, "runs" | "days">): number {
  return Math.min(runs, (runs / days) * 30);
}

export function drawScenario(dice: Dice): Scenario {
  const pace = dice.weighted({ weeks: 3, months: 3, years: 4 });
  const days = { weeks: dice.whole(10, 45), months: dice.whole(60, 300), years: dice.whole(400, 4_000) }[pace];
  const runs = dice.whole(40, 110);
  const disciplined = dice.chance(0.12);
  const override = Math.round(TYPICAL_RUN_MICROS.credits * runsPerCycle({ runs, days }) * dice.spread(8, 250) * 0.01);
  const calm = dice.chance(0.2);
  return {
    calm,
    startMs: FIRST_START_MS + dice.whole(0, STARTS_DAYS) * DAY_MS + dice.whole(0, DAY_MS - 1),
    days,
    runs,
    testClock: !disciplined && dice.chance(0.15),
    disciplined,
    faults: { storage: calm ? 0 : 0.03, eviction: calm ? 0.002 : 0.02, alarm: calm ? 0 : 0.03 },
    settings: {
      name: "Acme",
      billingModel: dice.chance(0.75) ? "credits" : "byom",
      plan: dice.pick(["free", "pro", "team"]),
      allowanceOverrideMicros: dice.chance(0.9) ? override : null,
      timeZone: dice.pick(ZONES),
      anchorDay: dice.pick([1, 1, 15, 28, 29, 30, 31]),
      suspended: false,
      upgradeUrl: null,
      referralUrl: null,
      webhookUrl: dice.chance(0.75) ? WEBHOOK_URL : null,
    },
  };
}
