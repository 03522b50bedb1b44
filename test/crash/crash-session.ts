// Kills workerd repeatedly, at moments chosen by the seed, and checks what is left: on the disk before a new process
// starts in the same folder, and over HTTP afterwards. Sometimes no request follows the restart. Then the object's alarm
// alone must update the copy.
import { setTimeout as sleep } from "node:timers/promises";
import type { PriceBook } from "../../src/catalog/price-book.ts";
import { pickWeighted, type Random, seededRandom, wholeBetween } from "../../tools/kit/random.ts";
import { Runtime } from "../../tools/workerd/runtime.ts";
import { Creations } from "./creations.ts";
import { countEmptyObjects, readDiskState } from "./disk-state.ts";
import { Enterprise } from "./enterprise.ts";
import type { Violation } from "./sent-reports.ts";

/** The states in which a killed process may be found. A campaign must have met them all. */
const MOMENTS = [
  "while_debiting",
  "copy_behind",
  "batch_on_its_way",
  "batch_unconfirmed",
  "rebuilding",
  "schema_step",
  "just_started",
] as const;
type Moment = (typeof MOMENTS)[number];

export interface Crashes {
  kills: number;
  acknowledged: number;
  moments: Record<Moment, number>;
  /** The longest time from the start of a new process until the copy had caught up without a request. */
  resumedMs: number;
  violations: Violation[];
}

const ENTERPRISES = ["first", "second", "third"];
const MAX_UPTIME_MS = 1_800;
const CATCHES_UP_WITHIN_MS = 120_000;
const POLL_MS = 50;

export class CrashSession {
  readonly crashes: Crashes = {
    kills: 0,
    acknowledged: 0,
    moments: Object.fromEntries(MOMENTS.map((moment) => [moment, 0])) as Record<Moment, number>,
    resumedMs: 0,
    violations: [],
  };
  readonly #runtime: Runtime;
  readonly #directory: string;
  readonly #random: Random;
  readonly #creations: Creations;
  #enterprises: Enterprise[] = [];

  /** @param directory an empty folder for the state */
  constructor(bundle: string, directory: string, seed: number) {
    this.#runtime = new Runtime(bundle, directory);
    this.#directory = directory;
    this.#random = seededRandom(seed);
    this.#creations = new Creations(this.#random);
  }

  /** Kills and checks until `done`, then finishes all runs and checks once more. Stops at the first violation. */
  async run(done: () => boolean): Promise<Crashes> {
    const { crashes } = this;
    try {
      await this.#runtime.start();
      await this.#runtime.migrate();
      for (const name of ENTERPRISES)
        this.#enterprises.push(await Enterprise.create(this.#runtime, name, this.#random));
      while (!done() && crashes.violations.length === 0) {
        await this.#workUntilKilled();
        await this.#restart();
        await this.#check();
      }
      for (const enterprise of this.#enterprises) await enterprise.finish(this.#runtime);
      await this.#check();
      for (const { sent, name } of this.#enterprises) {
        if (!sent.allFinal) crashes.violations.push({ kind: "wrong", what: `${name}: a run has not ended` });
      }
      return crashes;
    } finally {
      await this.#runtime.stop();
    }
  }

  /** All agents work until the process is killed. */
  async #workUntilKilled(): Promise<void> {
    const runtime = this.#runtime;
    const extra = pickWeighted(this.#random, ["nothing", "creations", "rebuild"] as const, (_, i) => 3 - i / 2);
    const work = Promise.all(this.#enterprises.map((enterprise) => enterprise.workUntilKilled(runtime)));
    // An error of it is thrown by the await below, after the kill.
    work.catch(() => {});
    await sleep(wholeBetween(this.#random, 30, MAX_UPTIME_MS));
    const extraWork = this.#start(extra);
    // Under load these requests take about 120 ms, so the kill comes before, during or just after them.
    if (extra !== "nothing") await sleep(wholeBetween(this.#random, 0, 120));
    await this.#kill("while_debiting");
    await Promise.all([work, extraWork]);
  }

  /** Starts a new process. Sometimes an earlier one is started and killed within a tenth of a second first. */
  async #restart(): Promise<void> {
    const runtime = this.#runtime;
    if (this.#random() < 0.3) {
      await runtime.start();
      await sleep(wholeBetween(this.#random, 0, 100));
      await this.#kill("just_started");
    }
    const charged = this.#readDisk();
    await runtime.start();
    if (this.#random() < 0.4) await this.#awaitCopies(charged);
  }

  /** Sends the additional requests just before the kill. */
  async #start(extra: "nothing" | "creations" | "rebuild"): Promise<void> {
    if (extra === "creations") await this.#creations.create(this.#runtime);
    if (extra !== "rebuild") return;
    const [enterprise] = this.#enterprises as [Enterprise];
    if (!(await enterprise.rebuild(this.#runtime))) this.crashes.moments.rebuilding += 1;
  }

  async #kill(moment: Moment): Promise<void> {
    await this.#runtime.kill();
    this.crashes.kills += 1;
    this.crashes.moments[moment] += 1;
  }

  /** Reads from the disk what each object has charged, and counts the states found there. */
  #readDisk(): Map<Enterprise, number> {
    const { moments } = this.crashes;
    moments.schema_step += this.#creations.newEmptyObjects(countEmptyObjects(this.#directory));
    const charged = new Map<Enterprise, number>();
    for (const enterprise of this.#enterprises) {
      const { name, objectId } = enterprise;
      const { chargedMicros, copyBehind, batch } = readDiskState(this.#directory, name, objectId);
      charged.set(enterprise, chargedMicros);
      if (copyBehind) moments.copy_behind += 1;
      if (batch === "on_its_way") moments.batch_on_its_way += 1;
      if (batch === "unconfirmed") moments.batch_unconfirmed += 1;
    }
    return charged;
  }

  /** Waits until the copy has everything that the objects charged, without calling the objects. */
  async #awaitCopies(charged: Map<Enterprise, number>): Promise<void> {
    const { crashes } = this;
    const sinceMs = performance.now();
    for (const [{ name }, expectedMicros] of charged) {
      let copiedMicros = 0;
      while ((copiedMicros = await this.#runtime.usedMicros(name, "copied")) !== expectedMicros) {
        if (performance.now() - sinceMs > CATCHES_UP_WITHIN_MS) {
          crashes.violations.push({
            kind: "wrong",
            what: `the copy of ${name} stays at ${copiedMicros} of ${expectedMicros}`,
          });
          return;
        }
        await sleep(POLL_MS);
      }
    }
    crashes.resumedMs = Math.max(crashes.resumedMs, performance.now() - sinceMs);
  }

  async #check(): Promise<void> {
    const { crashes } = this;
    const book = (await this.#runtime.call("GET", "/v1/price-book")) as PriceBook;
    for (const enterprise of this.#enterprises) {
      crashes.violations.push(...(await enterprise.violations(this.#runtime, book)));
    }
    crashes.violations.push(...(await this.#creations.violations(this.#runtime)));
    crashes.acknowledged = this.#enterprises.reduce((sum, { sent }) => sum + sent.acknowledged, 0);
  }
}
