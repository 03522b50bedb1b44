/**
 * The platform under the object, as it really behaves on its worst days: it evicts, fires alarms late, twice or not at
 * all, and steps its clock back. What the object awaited when it was evicted never comes.
 */
import type { GrantRequest } from "../../src/ledger/grants.ts";
import { CopyDb } from "./copy-db.ts";
import { type FaultySql, faultySql } from "./faulty-sql.ts";
import { NetworkWeather } from "./network-weather.ts";
import { type Platform, Shell } from "./shell.ts";
import type { World } from "./world.ts";

const RETRIED_ALARM_MS = 2_000;
const NEXT_LOOK_MS = 500;
const LATEST_ALARM_MS = 12 * 3_600_000;
/** Longer than the slowest batch can be on its way. */
const REPEAT_REBUILD_MS = 1_200_000;

export class SimPlatform implements Platform {
  readonly sql: FaultySql = faultySql((all) => this.world.committed(all));
  readonly network: NetworkWeather;
  readonly copy: CopyDb;
  /** True once the world has ended: nothing goes wrong any more. */
  healed = false;
  /** Unknown while it is being rebuilt. */
  copyRemains: "whole" | "unknown" = "whole";
  #repeatRebuild: (() => void) | null = null;
  #shell: Shell | null = null;
  #skewMs = 0;
  #alarm: { atMs: number } | null = null;
  #lost = false;
  /** Whose alarm is being handled. */
  #handling: Shell | null = null;

  constructor(readonly world: World) {
    this.network = new NetworkWeather(world, () => this.#shell);
    this.copy = new CopyDb((apply) => this.network.carry(apply));
  }

  /** The object, woken where it sleeps. */
  get shell(): Shell {
    this.#shell ??= new Shell(this);
    return this.#shell;
  }

  /** Busy with something that goes on by itself. */
  get busy(): boolean {
    return this.#handling !== null || this.network.inFlight > 0;
  }

  nowMs(): number {
    return this.world.nowMs + this.#skewMs;
  }

  stepClock(skewMs: number): void {
    if (skewMs < this.#skewMs) this.world.saw("clock_stepped_back");
    if (skewMs > this.#skewMs) this.world.saw("clock_stepped_forward");
    const laterMs = this.#skewMs - skewMs;
    this.#skewMs = skewMs;
    // Alarms go by the same clock.
    if (this.#alarm !== null) this.#ring({ atMs: this.#alarm.atMs + laterMs });
    this.network.fairSinceMs = Math.max(this.network.fairSinceMs, this.world.nowMs);
  }

  setAlarm(atMs: number): void {
    if (this.#lost) this.world.saw("alarm_lost_until_the_next_call");
    this.#lost = false;
    this.#ring({ atMs: atMs - this.#skewMs });
  }

  grantElsewhere(request: GrantRequest): Promise<unknown> {
    return this.network.grantElsewhere(request);
  }

  fetch(webhookId: string): Promise<Response> {
    return this.network.fetch(webhookId);
  }

  /** What the object logs: that a job of its alarm has failed, among other things. */
  log(line: string): void {
    if (line.includes('"event":"job_failed"')) this.world.saw("job_retried");
    if (line.includes('"job":"settle"') && this.shell.turns) this.world.saw("crashed_in_a_cycle_turn");
    this.world.trace.add(line);
  }

  evict(): void {
    if (this.#shell === null) return;
    this.world.saw("evicted");
    if (this.#handling === this.#shell) {
      if (this.network.inFlight > 0) this.world.saw("evicted_while_projecting");
      this.#handling = null;
      this.#ring({ atMs: this.world.nowMs + RETRIED_ALARM_MS });
    }
    this.#shell.dead = true;
    this.#shell = null;
    this.#repeatRebuild?.();
  }

  heal(): void {
    this.healed = true;
    this.#skewMs = 0;
    this.network.heal();
  }

  /** Deletes the copy and writes it anew; what fails half-way is begun again once nothing of it can be on its way. */
  rebuild(): void {
    const { world, shell } = this;
    if (this.copyRemains === "unknown") return;
    this.copyRemains = "unknown";
    this.#repeatRebuild = () => {
      this.#repeatRebuild = null;
      world.later(REPEAT_REBUILD_MS, () => {
        this.copyRemains = "whole";
        this.rebuild();
      });
    };
    world.trace.add(`${world.nowMs} rebuild`);
    shell.background.rebuild().then(
      () => {
        this.copyRemains = "whole";
        this.#repeatRebuild = null;
        world.saw("copy_rebuilt");
      },
      () => this.#repeatRebuild?.(),
    );
    world.drain();
  }

  /** Lets an alarm ring when its time has come, unless it was set anew meanwhile. */
  #ring(alarm: { atMs: number }): void {
    const { world } = this;
    this.#alarm = alarm;
    const bad = !this.healed && world.dice.chance(world.scenario.faults.alarm);
    const fate = bad ? world.dice.pick(["late", "twice", "lost"] as const) : "on_time";
    const lateMs = fate === "late" ? world.dice.spread(1_000, LATEST_ALARM_MS) : 0;
    world.at(Math.max(alarm.atMs + lateMs, world.nowMs), () => {
      if (this.#alarm !== alarm) return;
      if (fate === "late") world.saw("alarm_late");
      if (fate === "lost") this.#lose();
      else this.#fire(fate === "twice" ? 2 : 1);
    });
  }

  /** The platform gives an alarm up: only the next call can set another. */
  #lose(): void {
    this.world.saw("alarm_lost");
    this.#alarm = null;
    this.#lost = true;
    if (this.world.dice.chance(0.5)) this.evict();
  }

  #fire(times: number): void {
    const { world, shell } = this;
    const alarm = this.#alarm;
    if (this.#handling !== null) {
      // The next alarm waits until the handler of the one before is done.
      world.later(NEXT_LOOK_MS, () => this.#alarm === alarm && alarm !== null && this.#fire(times));
      return;
    }
    this.#alarm = null;
    this.#handling = shell;
    world.trace.add(`${world.nowMs} alarm`);
    world.trapJobs();
    shell.alarm().then(
      () => this.#handled(shell, times),
      () => this.#unhandled(shell),
    );
    world.drain();
  }

  #handled(shell: Shell, times: number): void {
    if (shell.dead) return;
    this.#handling = null;
    if (times === 1) return;
    this.world.saw("alarm_twice");
    this.#alarm ??= { atMs: this.world.nowMs };
    this.#fire(times - 1);
  }

  /** An alarm that throws comes again. */
  #unhandled(shell: Shell): void {
    if (shell.dead) return;
    this.#handling = null;
    this.#ring({ atMs: this.world.nowMs + RETRIED_ALARM_MS });
  }
}
