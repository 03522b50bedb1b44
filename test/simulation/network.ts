/**
 * The way of a report from an agent to the edge: prompt, late by minutes or by weeks, several times, or not at all. An
 * agent that gets no answer sends again what it sent, in full, until it has one or gives up.
 */
import type { Dice } from "./dice.ts";

/** When each copy of a message arrives: those that are lost, never. */
export type Fate = { copies: number; delaysMs: number[]; answerLost: boolean };

const DAY_MS = 86_400_000;
export const MOST_COPIES = 50;

/** What becomes of one message; a short fate has nothing later than minutes. */
export function drawFate(dice: Dice, short: boolean): Fate {
  const kind = dice.weighted({ one: 894, few: 100, many: 6 });
  const copies = { one: 1, few: dice.whole(2, 4), many: dice.pick([MOST_COPIES, dice.spread(5, MOST_COPIES)]) }[kind];
  const delaysMs = Array.from({ length: copies }, () => drawDelay(dice, short)).filter((delay) => delay !== null);
  return { copies, delaysMs, answerLost: dice.chance(0.1) };
}

function drawDelay(dice: Dice, short: boolean): number | null {
  const weights = short
    ? { prompt: 80, slow: 12, lost: 8, late: 0, ancient: 0 }
    : { prompt: 74, slow: 11, lost: 8, late: 5, ancient: 2 };
  switch (dice.weighted(weights)) {
    case "prompt":
      return dice.spread(20, 2_000);
    case "slow":
      return dice.spread(2_000, 600_000);
    case "late":
      return dice.spread(600_000, DAY_MS);
    case "ancient":
      return dice.whole(DAY_MS, 40 * DAY_MS);
    default:
      return null;
  }
}
