/**
 * One run as its agent plans it: who it runs for, which models it uses, and the running totals that it will report, up
 * to the final ones. It does not know what the network does to its reports.
 */
import type { Dice } from "./dice.ts";
import { EXPENSIVE, NAMES } from "./prices.ts";
import { type Tokens, USED_KINDS, used } from "./reference-meter.ts";

/** A report as it is sent: it names the model as the agent does. */
export type Sent = {
  run: string;
  name: string;
  /** Absent: standard. */
  tier?: string | undefined;
  tokens: Tokens;
  final: boolean;
  estimated?: boolean;
  surface?: "web" | "cli" | undefined;
  workspace?: string | undefined;
  user?: string | undefined;
  group?: string | undefined;
  startedAtMs?: number | undefined;
};

export type Attributed = Required<Pick<Sent, "surface" | "workspace" | "user" | "startedAtMs">> & {
  group?: string | undefined;
};

export type Planned = { afterMs: number; sent: Sent };

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const TOO_MANY_TOKENS = 900_000_000_000;

export function drawAttribution(dice: Dice, nowMs: number): Attributed {
  const start = dice.weighted({ now: 88, hours: 6, retention: 2, long: 2, soon: 1, ahead: 1 });
  const agoMs = {
    now: 0,
    hours: dice.whole(0, 12 * 60) * MINUTE_MS,
    retention: 35 * DAY_MS - dice.whole(-2, 2),
    long: dice.whole(30, 45) * DAY_MS,
    soon: -4 * MINUTE_MS,
    ahead: -6 * MINUTE_MS,
  }[start];
  return {
    surface: dice.pick(["web", "cli"] as const),
    workspace: `w${dice.whole(1, 6)}`,
    user: `u${dice.whole(1, 8)}@example.com`,
    group: dice.chance(0.15) ? `g${dice.whole(1, 3)}` : undefined,
    startedAtMs: nowMs - agoMs,
  };
}

/** Everything that a run will report, in order; the reports of its models interleave. */
export function planRun(dice: Dice, run: string, who: Attributed): Planned[] {
  const models = dice.weighted({ one: 7, two: 2, three: 1 });
  const count = { one: 1, two: 2, three: 3 }[models];
  const names = [...new Set(Array.from({ length: count }, () => dice.pick(NAMES)))];
  return names.flatMap((name) => planMeter(dice, run, name, who)).sort((a, b) => a.afterMs - b.afterMs);
}

function planMeter(dice: Dice, run: string, name: string, who: Attributed): Planned[] {
  const reports = dice.whole(1, 8);
  const pauseMs = dice.chance(0.9) ? dice.spread(500, 600_000) : dice.spread(600_000, 3 * DAY_MS);
  const planned: Planned[] = [];
  let tokens = used();
  // No entry lists rates for the priority tier, so it costs what the standard tier costs.
  const tier = ["standard", "batch", "standard", "priority"][reports % 4];
  let afterMs = 0;
  for (let i = 0; i < reports; i++) {
    tokens = grow(dice, tokens);
    afterMs += dice.whole(0, 2 * pauseMs);
    const estimated = dice.chance(0.05);
    planned.push({
      afterMs,
      sent: attribute(dice, { run, name, tier, tokens, final: false, estimated }, who, i === 0),
    });
  }
  if (dice.chance(0.02))
    planned.push({ afterMs, sent: { run, name: EXPENSIVE, tokens: tooMany(), final: false, ...who } });
  for (const scale of finalScales(dice)) {
    afterMs += dice.whole(0, pauseMs);
    // A stream that is cut off is reported with an estimate; its usage may still arrive.
    const estimated = dice.chance(0.2);
    planned.push({
      afterMs,
      sent: attribute(dice, { run, name, tier, tokens: scaled(tokens, scale), final: true, estimated }, who, false),
    });
  }
  return planned;
}

/** By what to scale the totals for each final report: mostly the same totals, sometimes lower ones, two, or none. */
function finalScales(dice: Dice): number[] {
  const end = dice.weighted({ none: 20, same: 28, lower: 26, nothing: 10, higher: 8, two: 8 });
  return { none: [], same: [1], lower: [dice.whole(1, 99) / 100], nothing: [0], higher: [1.3], two: [0.6, 0.9] }[end];
}

/** The first report says who the run is for. Later ones may omit that, and a few contradict it. */
function attribute(dice: Dice, sent: Sent, who: Attributed, first: boolean): Sent {
  if (!first && dice.chance(0.3)) return sent;
  if (dice.chance(0.005)) return { ...sent, ...who, user: "someone@else.example" };
  return { ...sent, ...who };
}

function grow(dice: Dice, tokens: Tokens): Tokens {
  const more = (most: number) => (dice.chance(0.3) ? 0 : dice.spread(1, most));
  const input = tokens.input + more(20_000);
  const output = tokens.output + more(8_000);
  const cache_read = tokens.cache_read + more(30_000);
  const cache_write = tokens.cache_write + more(5_000);
  const further = {
    cache_write_1h: Math.floor(cache_write / 3),
    input_audio: Math.floor(input / 50),
    web_searches: Math.floor(output / 4_000),
  };
  return used({ input, output, cache_read, cache_write, ...further });
}

function scaled(tokens: Tokens, scale: number): Tokens {
  return used(Object.fromEntries(USED_KINDS.map((kind) => [kind, Math.floor(tokens[kind] * scale)])));
}

function tooMany(): Tokens {
  return used({ input: TOO_MANY_TOKENS, output: TOO_MANY_TOKENS });
}
