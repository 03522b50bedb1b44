/**
 * The network between agents and the Worker. A report may arrive promptly, late by minutes or weeks, several times, or
 * never. An agent without an answer sends the same report again, completely, until it gets one or gives up.
 */
import type { Dice } from "./dice.ts";

/** How often a message is sent, and after how long each copy that is not lost arrives. */
export type Delivery = { copies: number; delaysMs: number[]; answerLost: boolean };

const DAY_MS = 86_400_000;
export const MAX_COPIES = 50;

/** Decides what happens to one message. If `short`, nothing arrives later than minutes. */
export function drawDelivery(dice: Dice, short: boolean): Delivery {
  const kind = dice.weighted({ one: 894, few: 100, many: 6 });
  const copies = { one: 1, few: dice.whole(2, 4), many: dice.pick([MAX_COPIES, dice.spread(5, MAX_COPIES)]) }[kind];
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
