/**
 * Short stories that chance alone tells too rarely. Each is told through the same network and the same calls as
 * everything else, so it meets the same faults.
 */
import { drawAttribution, type Sent } from "./agent.ts";
import { costOf } from "./reference-meter.ts";
import type { World } from "./world.ts";

const MODEL = "deep";
const MOST_TOKENS = 1_000_000_000;
const PAUSE_MS = 3_000;

/** One run uses up what is left, another runs into debt, and the first gives half of its charge back. */
export function tellOverdraft(world: World): void {
  const { dice, reference, traffic, booksNowMs } = world;
  const price = traffic.prices.latest.find(MODEL)?.price;
  const { remaining } = reference.balance("credits", booksNowMs);
  if (price === undefined || remaining === null || reference.unit !== "credits") return;
  const million = costOf({ input: 1_000_000, output: 0, cacheRead: 0, cacheWrite: 0 }, price, "credits");
  const input = Math.min(MOST_TOKENS, Math.ceil((remaining / million) * 1_000_000));
  const first = traffic.nameRun(drawAttribution(dice, booksNowMs));
  const second = traffic.nameRun(drawAttribution(dice, booksNowMs));
  const report = (run: string, share: number, final: boolean): Sent => {
    const tokens = { input: Math.floor(input * share), output: 0, cacheRead: 0, cacheWrite: 0 };
    return { run, name: MODEL, tokens, final, ...traffic.attributionOf(run) };
  };
  const told = [report(first, 1, false), report(second, dice.pick([0.1, 0.5, 2]), false), report(first, 0.5, true)];
  for (const [i, sent] of told.entries()) world.later(i * PAUSE_MS, () => traffic.send([sent]));
}
