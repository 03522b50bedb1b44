// Kills workerd again and again, each time at a moment that the seed has drawn, and looks at what is left: on the disk
// before anything runs again, and through the interface after a new process has started on the same folder. In some
// lives nobody calls at first: then the copy must catch up by the object's own alarm.
import { setTimeout as sleep } from "node:timers/promises";
import { Runtime } from "../../tools/bench/runtime.ts";
import type { PriceBook } from "../../tools/kit/expected-cost.ts";
import { pickWeighted, type Random, seededRandom, wholeBetween } from "../../tools/kit/random.ts";
import { countUnborn, examineRemains } from "./autopsy.ts";
import { Births } from "./births.ts";
import type { Fault } from "./evidence.ts";
import { Tenant } from "./tenant.ts";

/** How often a killed process was found in each state; a campaign must have met them all. */
export const MOMENTS = [
  "while_debiting",
  "copy_behind",
  "batch_on_its_way",
  "batch_unconfirmed",
  "rebuilding",
  "schema_step",
  "just_started",
] as const;
export type Moment = (typeof MOMENTS)[number];

export interface Crashes {
  kills: number;
  acknowledged: number;
  moments: Record<Moment, number>;
  /** The longest that a copy took to catch up by itself, from the start of the new process. */
  resumedMs: number;
  faults: Fault[];
}

const TENANTS = ["first", "second", "third"];
const LONGEST_LIFE_MS = 1_800;
const RESUMES_WITHIN_MS = 45_000;
const LOOK_MS = 50;

export class CrashSession {
  readonly crashes: Crashes = {
    kills: 0,
    acknowledged: 0,
    moments: Object.fromEntries(MOMENTS.map((moment) => [moment, 0])) as Record<Moment, number>,
    resumedMs: 0,
    faults: [],
  };
  readonly #runtime: Runtime;
  readonly #directory: string;
  readonly #random: Random;
  readonly #births: Births;
  #tenants: Tenant[] = [];

  /** @param directory where the state lies: empty */
  constructor(bundle: string, directory: string, seed: number) {
    this.#runtime = new Runtime(bundle, directory);
    this.#directory = directory;
    this.#random = seededRandom(seed);
    this.#births = new Births(this.#random);
  }

  /** Lives through one kill after another until it is done, and then to a good end. Stops at the first fault. */
  async run(done: () => boolean): Promise<Crashes> {
    const { crashes } = this;
    try {
      await this.#runtime.start();
      await this.#runtime.migrate();
      for (const name of TENANTS) this.#tenants.push(await Tenant.create(this.#runtime, name, this.#random));
      while (!done() && crashes.faults.length === 0) {
        await this.#live();
        await this.#revive();
        await this.#examine();
      }
      for (const tenant of this.#tenants) await tenant.finish(this.#runtime);
      await this.#examine();
      for (const { evidence, name } of this.#tenants) {
        if (!evidence.allFinal) crashes.faults.push({ kind: "wrong", what: `${name}: a run has not ended` });
      }
      return crashes;
    } finally {
      await this.#runtime.stop();
    }
  }

  /** Everybody works, until the process is killed. */
  async #live(): Promise<void> {
    const runtime = this.#runtime;
    const beside = pickWeighted(this.#random, ["nothing", "births", "rebuild"] as const, (_, i) => 3 - i / 2);
    const lived = Promise.all(this.#tenants.map((tenant) => tenant.live(runtime)));
    // What goes wrong is heard of when all of them have ended.
    lived.catch(() => {});
    await sleep(wholeBetween(this.#random, 30, LONGEST_LIFE_MS));
    const asked = this.#begin(beside);
    // Under load such a call takes about so long: the kill comes before it, in its middle, or just after it.
    if (beside !== "nothing") await sleep(wholeBetween(this.#random, 0, 120));
    await this.#kill("while_debiting");
    await Promise.all([lived, asked]);
  }

  /** Starts a new process, which in some lives is killed within a tenth of a second. */
  async #revive(): Promise<void> {
    const runtime = this.#runtime;
    if (this.#random() < 0.3) {
      await runtime.start();
      await sleep(wholeBetween(this.#random, 0, 100));
      await this.#kill("just_started");
    }
    const remains = this.#autopsy();
    await runtime.start();
    if (this.#random() < 0.4) await this.#awaitCopies(remains);
  }

  /** What is asked for just before the kill. */
  async #begin(beside: "nothing" | "births" | "rebuild"): Promise<void> {
    if (beside === "births") await this.#births.begin(this.#runtime);
    if (beside !== "rebuild") return;
    const [tenant] = this.#tenants as [Tenant];
    if (!(await tenant.rebuild(this.#runtime))) this.crashes.moments.rebuilding += 1;
  }

  async #kill(moment: Moment): Promise<void> {
    await this.#runtime.kill();
    this.crashes.kills += 1;
    this.crashes.moments[moment] += 1;
  }

  /** What each object has charged by what stands on the disk. */
  #autopsy(): Map<Tenant, number> {
    const { moments } = this.crashes;
    moments.schema_step += this.#births.newlyUnborn(countUnborn(this.#directory));
    const charged = new Map<Tenant, number>();
    for (const tenant of this.#tenants) {
      const { chargedMicros, copyBehind, batch } = examineRemains(this.#directory, tenant.name, tenant.objectId);
      charged.set(tenant, chargedMicros);
      if (copyBehind) moments.copy_behind += 1;
      if (batch === "on_its_way") moments.batch_on_its_way += 1;
      if (batch === "unconfirmed") moments.batch_unconfirmed += 1;
    }
    return charged;
  }

  /** Nobody calls an object, and yet the copy comes to have all that it charged. */
  async #awaitCopies(charged: Map<Tenant, number>): Promise<void> {
    const { crashes } = this;
    const sinceMs = performance.now();
    for (const [{ name }, wanted] of charged) {
      let copied = 0;
      while ((copied = await this.#runtime.usedMicros(name, "copied")) !== wanted) {
        if (performance.now() - sinceMs > RESUMES_WITHIN_MS) {
          crashes.faults.push({ kind: "wrong", what: `the copy of ${name} stays at ${copied} of ${wanted}` });
          return;
        }
        await sleep(LOOK_MS);
      }
    }
    crashes.resumedMs = Math.max(crashes.resumedMs, performance.now() - sinceMs);
  }

  async #examine(): Promise<void> {
    const { crashes } = this;
    const book = (await this.#runtime.call("GET", "/v1/price-book")) as PriceBook;
    for (const tenant of this.#tenants) crashes.faults.push(...(await tenant.faults(this.#runtime, book)));
    crashes.faults.push(...(await this.#births.faults(this.#runtime)));
    crashes.acknowledged = this.#tenants.reduce((sum, { evidence }) => sum + evidence.acknowledged, 0);
  }
}
