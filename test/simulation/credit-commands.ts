/**
 * What people do to an enterprise's credit: grants that are added, repeated and voided, plans and allowances, caps,
 * billing models, and a referral. Each command is applied to the reference too, and the answers are compared.
 */
import type { Caller } from "../../src/access/callers.ts";
import type { Sql } from "../../src/enterprise/books/sql.ts";
import type { Settings } from "../../src/ledger/books.ts";
import type { GrantRequest } from "../../src/ledger/grants.ts";
import { isRefusal, type Refused } from "../../src/ledger/refusals.ts";
import { checkGauge } from "./gauge-check.ts";
import { DAY_MS, runsPerCycle, TYPICAL_RUN_MICROS } from "./scenario.ts";
import type { World } from "./world.ts";

const ADMIN: Caller = { kind: "user", user: "admin", role: "admin" };
const REFERRER = "friend";
const REFERRAL_MICROS = 20_000_000;
const REFERRAL_GRANT: GrantRequest = {
  id: `referred-by:${REFERRER}`,
  amountMicros: REFERRAL_MICROS,
  source: "referral",
  note: `Referred by ${REFERRER}`,
  expiresAtMs: null,
};
const AGAIN_MS = 60_000;

export class CreditCommands {
  /** True once another enterprise must get a grant for having referred this one. */
  referred = false;
  #grants = 0;
  #accepting = false;
  #granted = false;

  constructor(readonly world: World) {}

  /** How far the referral has come. */
  get referral(): string {
    return JSON.stringify([this.referred, this.#accepting, this.#granted]);
  }

  grant(): void {
    const { dice, booksNowMs, reference, scenario } = this.world;
    const expiry = scenario.disciplined ? "never" : dice.weighted({ never: 3, soon: 3, later: 3, turn: 3, past: 0.3 });
    const expiresAtMs = {
      never: null,
      soon: booksNowMs + dice.spread(1, 3 * DAY_MS),
      later: booksNowMs + dice.whole(3, 120) * DAY_MS,
      turn: reference.money.cycle.endsMs,
      past: booksNowMs,
    }[expiry];
    this.#addGrant({
      id: `g-${++this.#grants}`,
      amountMicros: Math.round(TYPICAL_RUN_MICROS.credits * dice.spread(10, 1_000) * 0.01),
      source: dice.pick(["referral", "promotion", "goodwill", "purchase"] as const),
      note: dice.chance(0.5) ? "thanks" : null,
      expiresAtMs,
    });
  }

  grantUntil(id: string, amountMicros: number, expiresAtMs: number): void {
    this.#addGrant({ id, amountMicros, source: "goodwill", note: null, expiresAtMs });
  }

  /** Adds a grant again, or another one with the same id. */
  grantAgain(): void {
    const { dice, reference } = this.world;
    const { grants } = reference.money;
    if (grants.length === 0) return;
    const { id, amount, source, note, expiresMs } = dice.pick(grants);
    const amountMicros = dice.chance(0.3) ? amount + 1 : amount;
    this.#addGrant({ id, amountMicros, source: source as GrantRequest["source"], note, expiresAtMs: expiresMs });
  }

  voidGrant(): void {
    const { world } = this;
    const { grants } = world.reference.money;
    if (grants.length === 0) return;
    const grant = world.dice.pick(grants.slice(-4));
    world.call(
      `void ${grant.id}`,
      ({ core }) => core.management.voidGrant(grant.id),
      (nowMs, answer) => {
        if (grant.left > 0) world.count("grant_voided");
        world.reference.money.voidGrant(grant, nowMs);
        if (answer !== null) world.same("a void", isRefusal(answer) ? "refused" : answer.remaining_micros, grant.left);
      },
    );
  }

  changeAllowance(): void {
    const { dice, scenario } = this.world;
    const drawn = Math.round(TYPICAL_RUN_MICROS.credits * runsPerCycle(scenario) * dice.spread(5, 400) * 0.01);
    this.change({ allowanceOverrideMicros: dice.pick([drawn, drawn, drawn, 0, null]) });
  }

  change(patch: Partial<Settings>): void {
    const { world } = this;
    world.call(
      `settings ${JSON.stringify(patch)}`,
      ({ core }) => core.management.provision("acme", patch, null, undefined),
      (nowMs, answer) => {
        const { reference } = world;
        const debt = reference.money.taken("debt");
        reference.changeSettings(patch, nowMs);
        if (reference.money.taken("debt") < debt) world.count("debt_paid_by_a_larger_allowance");
        if (patch.billingModel !== undefined) world.count("billing_model_changed");
        if (patch.plan !== undefined) world.count("plan_changed");
        if (answer === null) return;
        if (isRefusal(answer)) world.fail(`settings are refused: ${answer.refusal.code}`);
        else checkGauge(world, answer.state.gauge, nowMs);
      },
    );
  }

  setCap(): void {
    const { world } = this;
    const { dice, scenario } = world;
    const drawn = Math.round(TYPICAL_RUN_MICROS.usd * runsPerCycle(scenario) * dice.spread(5, 300) * 0.01);
    const cap = dice.pick([drawn, drawn, drawn, drawn, 0, null]);
    world.call(
      `cap ${cap}`,
      ({ core }) => core.management.setCap(ADMIN, cap),
      (nowMs, answer) => {
        const expected = world.reference.setCap(cap);
        if (expected === "set") world.count("cap_changed");
        if (answer === null) return;
        world.same("a cap", isRefusal(answer) ? answer.refusal.code : "set", expected);
        if (!isRefusal(answer)) checkGauge(world, answer, nowMs);
      },
    );
  }

  /** Another enterprise referred this one. That counts once, and the other side gets its grant in the end. */
  acceptReferral(): void {
    const { world } = this;
    if (this.referred) return;
    this.#accepting = true;
    world.trace.add(`${world.nowMs} referral`);
    world.object.core.management.acceptReferral(REFERRER, REFERRAL_MICROS).then(
      (answer) => this.#answerReferral(answer),
      () => {},
    );
    world.drain();
    // Repeat it until there is an answer: one may be lost, or never come because the object was evicted.
    world.later(AGAIN_MS, () => this.acceptReferral());
  }

  /** True when a commit has just added the grant of a referral; the reference adds it too. */
  referralGranted(all: Sql["all"]): boolean {
    if (!this.#accepting || this.#granted) return false;
    this.#granted = all("SELECT 1 FROM grants WHERE id = ?", REFERRAL_GRANT.id).length > 0;
    return this.#granted;
  }

  expectReferralGrant(nowMs: number): void {
    this.world.reference.addGrant(REFERRAL_GRANT, nowMs);
  }

  #answerReferral(answer: object | Refused): void {
    if (isRefusal(answer) && answer.refusal.code !== "already_referred") {
      this.world.fail(`a referral is refused: ${answer.refusal.code}`);
    }
    if (!this.referred) this.world.count("referral_accepted");
    this.referred = true;
  }

  #addGrant(request: GrantRequest): void {
    const { world } = this;
    world.call(
      `grant ${request.id} ${request.amountMicros}`,
      ({ core }) => core.management.addGrant(request),
      (nowMs, answer) => {
        const debt = world.reference.money.taken("debt");
        const expected = world.reference.addGrant(request, nowMs);
        if (expected === "known") world.count("grant_repeated");
        if (expected === "grant_conflict") world.count("grant_conflict");
        if (world.reference.money.taken("debt") < debt) world.count("debt_paid_by_a_grant");
        if (answer === null) return;
        const found = isRefusal(answer) ? answer.refusal.code : answer.created ? "created" : "known";
        world.same(`grant ${request.id}`, found, expected);
        const grant = world.reference.money.grants.find(({ id }) => id === request.id);
        if (!isRefusal(answer)) world.same("what remains of it", answer.grant.remaining_micros, grant?.left);
      },
    );
  }
}
