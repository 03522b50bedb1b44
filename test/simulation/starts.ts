/**
 * Runs that ask before they start: with or without a hold, again, for a larger hold, many at once; and holds that are
 * released. Answers are compared with the reference, to the micro and to the millisecond.
 */
import type { StartRequest } from "../../src/ledger/admission.ts";
import { isRefusal } from "../../src/ledger/refusals.ts";
import { granted } from "../support/books.ts";
import { type Attributed, drawAttribution } from "./agent.ts";
import { checkGauge } from "./gauge-check.ts";
import { OPERATOR } from "./keys.ts";
import { DAY_MS, TYPICAL_RUN_MICROS } from "./scenario.ts";
import type { World } from "./world.ts";

const RACE_TTL_MS = 60_000;
/** How long the ledger keeps a run. */
export const RUN_HISTORY_MS = 400 * DAY_MS;
const KNOWN = "SELECT 1 FROM runs WHERE run = ?";

export class Starts {
  readonly #asked = new Map<string, Attributed>();
  #racers = 0;

  constructor(readonly world: World) {}

  /** Asks whether a run may start, sometimes twice, as if the first answer was lost. True when it may. */
  ask(run: string, who: Attributed): boolean {
    const { dice } = this.world;
    const ttlMs = dice.chance(0.5) ? null : dice.spread(1, 86_400) * 1_000;
    const request = this.requestOf(run, who, dice.chance(0.75) ? this.#drawHold() : null, ttlMs);
    const admitted = this.start(request);
    if (dice.chance(0.15)) this.world.later(dice.spread(500, 30_000), () => this.start(request));
    return admitted;
  }

  /** Asks for a larger hold, sometimes with another user. */
  raise(run: string): void {
    const { dice } = this.world;
    const who = this.#asked.get(run);
    if (who === undefined) return;
    if (dice.chance(0.1)) this.start({ ...this.requestOf(run, who, null, null), user: "someone@else.example" });
    this.start(this.requestOf(run, who, this.#drawHold(), dice.chance(0.5) ? null : dice.whole(1, 86_400) * 1_000));
  }

  /** Many runs ask at once for holds of one size, and not all of them fit. */
  race(): void {
    const { dice, reference, booksNowMs } = this.world;
    const { available } = reference.balance(reference.unit, booksNowMs);
    const runners = dice.whole(4, 16);
    const holdMicros = Math.max(1, Math.ceil((available ?? 1_000) / dice.whole(1, runners)));
    let admitted = 0;
    for (let i = 0; i < runners; i++) {
      const who = { ...drawAttribution(dice, booksNowMs), startedAtMs: booksNowMs };
      const request = this.requestOf(`race-${++this.#racers}`, who, holdMicros, RACE_TTL_MS);
      if (this.start(request)) admitted += 1;
    }
    if (admitted > 0 && admitted < runners) this.world.count("race_admitted_some");
  }

  /** True when the run was admitted; false when it was refused or got no answer. */
  start(request: StartRequest): boolean {
    const { world } = this;
    const answer = world.call(
      `start ${request.run} ${request.holdMicros}`,
      ({ core }) => core.start(OPERATOR, request),
      (nowMs, found) => {
        const expected = this.#forgotten(request.run, nowMs) ? "run_too_old" : world.reference.start(request, nowMs);
        world.traffic.observer.ofStart(expected);
        if (found === null) return;
        const outcome = isRefusal(found) ? found.refusal.code : found.created ? "created" : "known";
        world.same(`start of ${request.run}`, outcome, expected);
        if ("gauge" in found) checkGauge(world, found.gauge, nowMs);
        else world.fail(`the start of ${request.run} is answered without a gauge`);
        if (isRefusal(found)) return;
        const hold = world.reference.runs.get(request.run)?.hold ?? null;
        const shown = hold === null ? null : { micros: hold.left, expiresAtMs: hold.endsMs };
        world.same(`hold of ${request.run}`, found.hold, shown);
      },
    );
    return answer !== null && !isRefusal(answer);
  }

  release(run: string): void {
    const { world } = this;
    world.call(
      `release ${run}`,
      ({ core }) => core.releaseHold(OPERATOR, run),
      (nowMs, answer) => {
        if (world.reference.runs.get(run)?.hold) world.count("hold_released");
        world.reference.release(run, nowMs);
        if (answer !== null) checkGauge(world, granted(answer), nowMs);
      },
    );
  }

  /** True for a run that the ledger has deleted after its retention: it is unknown again. */
  #forgotten(run: string, nowMs: number): boolean {
    const { world } = this;
    const startedMs = world.reference.runs.get(run)?.startedMs ?? nowMs;
    const kept = nowMs - startedMs <= RUN_HISTORY_MS || world.platform.sql.all(KNOWN, run).length > 0;
    if (!kept) world.count("run_forgotten");
    return !kept;
  }

  requestOf(run: string, who: Attributed, holdMicros: number | null, holdTtlMs: number | null): StartRequest {
    this.#asked.set(run, who);
    return { run, ...who, holdMicros, holdTtlMs };
  }

  #drawHold(): number {
    const { dice, reference } = this.world;
    return Math.round(TYPICAL_RUN_MICROS[reference.unit] * dice.spread(5, 500) * 0.01);
  }
}
