/**
 * An overdraft, which random runs cause too rarely. It goes through the same network and calls as everything else, so it
 * meets the same faults.
 */
import { drawAttribution, type Sent } from "./agent.ts";
import { costOf, used } from "./reference-meter.ts";
import type { World } from "./world.ts";

const MODEL = "deep";
const MAX_QUANTITY = 1_000_000_000;
const PAUSE_MS = 3_000;

/** One run uses up what is left, another goes into debt, and half of the first one is refunded. */
export function runOverdraft(world: World): void {
  const { dice, reference, traffic, booksNowMs } = world;
  const found = traffic.prices.latest.find(MODEL).price;
  const price = found === null ? null : reference.pinned(found);
  const { remaining } = reference.balance("credits", booksNowMs);
  if (price === null || remaining === null || reference.unit !== "credits") return;
  // With a multiplier of 0, nothing costs anything.
  if (price.multiplierMillionths === 0) return;
  const million = costOf(used({ input: 1_000_000 }), price, "credits");
  const input = Math.min(MAX_QUANTITY, Math.ceil((remaining / million) * 1_000_000));
  const first = traffic.nameRun(drawAttribution(dice, booksNowMs));
  const second = traffic.nameRun(drawAttribution(dice, booksNowMs));
  const report = (run: string, share: number, final: boolean): Sent => {
    const tokens = used({ input: Math.floor(input * share) });
    return { run, name: MODEL, tokens, final, ...traffic.attributionOf(run) };
  };
  const reports = [report(first, 1, false), report(second, dice.pick([0.1, 0.5, 2]), false), report(first, 0.5, true)];
  for (const [i, sent] of reports.entries()) world.later(i * PAUSE_MS, () => traffic.send([sent]));
}
