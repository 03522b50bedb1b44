/**
 * The people of an enterprise and of the platform: what they do and when. Most of it happens at any time, some of it in
 * the millisecond of a turn, together with agents and clocks. The faults of the platform start here too.
 */
import { isRefusal } from "../../src/ledger/refusals.ts";
import { granted } from "../support/books.ts";
import { CreditCommands } from "./credit-commands.ts";
import { checkGauge } from "./gauge-check.ts";
import { Keys, OPERATOR } from "./keys.ts";
import { runOverdraft } from "./overdraft.ts";
import { DAY_MS, WEBHOOK_URL, ZONES } from "./scenario.ts";
import { notifyOfPrices, reportWaiting } from "./waiting-usage.ts";
import type { World, WorldOperators } from "./world.ts";

const HOUR_MS = 3_600_000;

const WEIGHTS = {
  grant: 14,
  grantAgain: 4,
  voidGrant: 6,
  multiplier: 2,
  plan: 6,
  allowance: 8,
  cap: 10,
  billing: 4,
  prices: 8,
  zone: 4,
  suspend: 4,
  directory: 5,
  keys: 5,
  webhook: 2,
  gauge: 8,
  race: 5,
  release: 3,
  raise: 6,
  rebuild: 2,
  lose: 2,
  clock: 6,
  referral: 2,
  overdraft: 4,
  watch: 5,
} as const;
type Command = keyof typeof WEIGHTS;

/** Commands that change no hold of a disciplined world. */
const HARMLESS: readonly Command[] = [
  ...(["grant", "directory", "keys", "webhook", "gauge"] as const),
  ...(["race", "rebuild", "lose", "clock", "referral", "watch"] as const),
];

export class Operators implements WorldOperators {
  readonly keys: Keys;
  readonly credit: CreditCommands;
  readonly #commands: Record<Command, () => void>;

  constructor(readonly world: World) {
    this.keys = new Keys(world);
    this.credit = new CreditCommands(world);
    const { credit, keys } = this;
    const { dice, traffic, reference, platform } = world;
    this.#commands = {
      grant: () => credit.grant(),
      grantAgain: () => credit.grantAgain(),
      voidGrant: () => credit.voidGrant(),
      multiplier: () => credit.change({ priceMultiplierMillionths: dice.pick([0, 500_000, 1_000_000, 1_333_333]) }),
      plan: () => credit.change({ plan: dice.pick(["free", "pro", "team", "enterprise"] as const) }),
      allowance: () => credit.changeAllowance(),
      cap: () => credit.setCap(),
      billing: () => credit.change({ billingModel: reference.unit === "usd" ? "credits" : "byom" }),
      referral: () => credit.acceptReferral(),
      overdraft: () => runOverdraft(world),
      watch: () => platform.watchers.open(),
      prices: () => {
        traffic.prices.put(world.nowMs);
        if (!world.keepsUnpriced) return;
        notifyOfPrices(world);
        reportWaiting(world);
      },
      zone: () => credit.change({ timeZone: dice.pick(ZONES), anchorDay: dice.whole(1, 31) }),
      suspend: () => this.#suspend(),
      directory: () => this.#putDirectory(),
      keys: () => keys.change(),
      webhook: () => credit.change({ webhookUrl: dice.pick([WEBHOOK_URL, null]), name: `Acme ${dice.whole(1, 9)}` }),
      gauge: () => this.#readGauge(),
      race: () => traffic.starts.race(),
      release: () => traffic.withSomeRun((run) => traffic.starts.release(run)),
      raise: () => traffic.withSomeRun((run) => traffic.starts.raise(run)),
      rebuild: () => platform.rebuild(),
      lose: () => platform.loseCopy(),
      clock: () => platform.stepClock(dice.pick([0, 0, -1, -1, 1]) * dice.spread(1, 20_000)),
    };
  }

  begin(): void {
    const { world } = this;
    const { dice, scenario, nowMs } = world;
    this.keys.begin();
    if (scenario.disciplined) this.credit.setCap();
    const someTime = () => nowMs + dice.whole(0, scenario.days * DAY_MS);
    for (let i = 0; i < scenario.runs * 0.9; i++) world.at(someTime(), () => this.#runCommand());
    for (let i = 0; i < scenario.runs / 5; i++) world.at(someTime(), () => this.#causeFault());
    if (scenario.testClock) this.#moveClock();
  }

  /** Makes much happen at once around a turn. */
  awaitTurn(endsMs: number): void {
    const { world } = this;
    const { dice } = world;
    if (dice.chance(0.35)) return;
    const atMs = endsMs + dice.pick([-1, 0, 0, 0, 0, 1]);
    const { traffic } = world;
    const actions = [
      () => this.#runCommand(),
      () => traffic.startRun(),
      () => traffic.repeatLast(),
      () => this.#runCommandsAtOnce(),
    ];
    world.at(atMs, () => {
      if (world.ended) return;
      if (world.scenario.testClock) this.#moveClockTo(atMs);
      for (let i = dice.whole(1, 5); i > 0; i--) world.at(world.nowMs, dice.pick(actions));
    });
  }

  #runCommand(): void {
    const { world } = this;
    const command = world.dice.weighted(WEIGHTS);
    if (world.scenario.disciplined && !HARMLESS.includes(command)) return;
    if (this.#isTurn) world.count("operator_in_the_millisecond_of_a_turn");
    if (command === "prices") world.count("price_book_put");
    if (command === "zone") world.count("zone_or_anchor_changed");
    this.#commands[command]();
  }

  /** Changes prices and the plan, and lets agents report, in one millisecond. */
  #runCommandsAtOnce(): void {
    const { world } = this;
    if (world.scenario.disciplined) return;
    if (this.#isTurn) world.count("prices_plan_and_cycle_in_one_millisecond");
    this.#commands.prices();
    this.#commands.plan();
    world.traffic.startRun();
    world.traffic.repeatLast();
  }

  /** True in the millisecond of a turn. */
  get #isTurn(): boolean {
    const { startsMs, endsMs } = this.world.reference.money.cycle;
    return [startsMs, endsMs].includes(this.world.booksNowMs);
  }

  #causeFault(): void {
    const { dice, platform, traffic } = this.world;
    const { network } = platform;
    const fault = dice.weighted({ down: 3, slow: 3, unanswered: 2, receiver: 2, evict: 3 });
    // A fault of the network only shows if something is on its way.
    if (["down", "slow", "unanswered"].includes(fault) && dice.chance(0.5)) traffic.startRun();
    switch (fault) {
      case "down":
        network.change("down", dice.spread(30_000, 5 * HOUR_MS));
        break;
      case "slow":
        network.change("slow", dice.spread(30_000, HOUR_MS));
        // A run that starts now makes the object write to the copy while it is slow.
        this.world.traffic.startRun();
        break;
      case "unanswered":
        network.change("unanswered", dice.spread(30_000, HOUR_MS));
        this.world.traffic.startRun();
        break;
      case "receiver":
        network.failReceiver(dice.pick([dice.spread(60_000, HOUR_MS), dice.whole(5, 40) * DAY_MS]));
        break;
      default:
        platform.evict();
    }
  }

  #suspend(): void {
    const { dice } = this.world;
    this.credit.change({ suspended: true });
    // A suspension does not last long.
    this.world.later(dice.spread(60_000, 2 * DAY_MS), () => this.credit.change({ suspended: false }));
  }

  #readGauge(): void {
    const { world } = this;
    world.call(
      "gauge",
      ({ core }) => core.gauge(OPERATOR),
      (nowMs, answer) => {
        if (answer !== null) checkGauge(world, granted(answer), nowMs);
      },
    );
  }

  #putDirectory(): void {
    const { world } = this;
    const { dice } = world;
    const groupId = dice.pick([undefined, null, "g1", "g2", "g3"]);
    const id = `w${dice.whole(1, 6)}`;
    const users = [{ id: `u${dice.whole(1, 8)}@example.com`, name: `User ${dice.whole(1, 99)}` }];
    const change = { workspaces: [{ id, name: `Workspace ${dice.whole(1, 99)}`, groupId }], groups: [], users };
    world.call(
      `directory ${id} ${groupId}`,
      ({ core }) => core.management.putDirectory(change),
      () => {
        if (groupId !== undefined) world.reference.groups.set(id, groupId);
      },
    );
  }

  #moveClock(): void {
    const { world } = this;
    const { dice } = world;
    this.#moveClockTo(world.nowMs);
    const pauseMs = dice.chance(0.04) ? dice.whole(30, 80) * DAY_MS : dice.spread(HOUR_MS, 6 * DAY_MS);
    world.later(pauseMs, () => this.#moveClock());
  }

  #moveClockTo(toMs: number): void {
    const { world } = this;
    world.call(
      `move clock to ${toMs}`,
      ({ core }) => core.management.moveClock(toMs),
      (nowMs, answer) => {
        world.count("test_clock_moved");
        if (answer === null) return;
        if (isRefusal(answer)) world.same("a clock", answer.refusal.code, toMs < nowMs ? "clock_backwards" : "moved");
        else checkGauge(world, answer.gauge, nowMs);
      },
    );
  }
}
