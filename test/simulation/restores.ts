/**
 * Operators take a simulated enterprise back to an earlier moment. The real catalog drives the real steps, and the
 * platform's recovery puts the file of that moment back. The reference goes back too. Steps fail, their answers are lost,
 * the object is killed between and in them, and a batch from the undone time may still reach the copy. Own dice draw the
 * restores, so a world without them stays the same.
 */
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { RestoreSteps } from "../../src/catalog/restore-steps.ts";
import { type RestoredObject, Restores } from "../../src/catalog/restores.ts";
import type { Recovery } from "../../src/enterprise/platform.ts";
import { openCatalogSql } from "../support/catalog-sql.ts";
import { assignCopy, copyOf } from "./copy-of.ts";
import { Dice } from "./dice.ts";
import type { Reference } from "./reference.ts";
import { DAY_MS } from "./scenario.ts";
import type { World } from "./world.ts";

const MARKS = 8;
const MAX_DAYS_BACK = 20;
const MINUTE_MS = 60_000;
const SLOW_MS = 15 * MINUTE_MS;
/** A restore may fail so often before it is complete. */
const MAX_FAULTS = 5;

/** Makes the reference what it was when it was copied. Its parts keep their identity. */
function goBack(reference: Reference, earlier: Reference): void {
  const parts = ["money", "totals", "budgets"] as const;
  const pairs = [[earlier, reference], ...parts.map((name) => [earlier[name], reference[name]])] as [object, object][];
  // What they share must stay shared.
  const copies = new Map(pairs);
  for (const [from, to] of pairs) assignCopy(to, from, copies);
}

/** A moment to which a restore may go back: the object's file, and what the simulator expected then. */
type Mark = Readonly<{
  file: string;
  atMs: number;
  reference: Reference;
  acknowledged: World["traffic"]["observer"]["acknowledged"];
  referral: string;
}>;

export class SimulatedRestores {
  /** The platform's recovery; null in a world without restores. */
  readonly recovery: Recovery | null;
  /** Whether the object is on its way to an earlier moment. What it stores then is not the reference's concern. */
  underWay = false;
  readonly #dice: Dice;
  readonly #folder: string | null;
  #files = 0;
  #target: Mark | null = null;
  /** The file with which the next instance starts, if it goes back. */
  #next: string | null = null;
  #faultsLeft = 0;
  /** The checkpoints of restores: their seqs, and how many numbers they skip. */
  #skipped: { seq: number; numbers: number }[] = [];

  constructor(
    readonly world: World,
    seed: number,
  ) {
    this.#dice = new Dice(seed + 0x4e58);
    const { testClock, disciplined } = world.scenario;
    // Restored runs spend more than their holds, and a test clock would go back.
    const some = this.#dice.chance(0.3) && !testClock && !disciplined;
    this.#folder = some ? mkdtempSync(join(tmpdir(), "simulated-")) : null;
    this.recovery = some ? this.#recover() : null;
  }

  begin(): void {
    if (this.recovery === null) return;
    const { world } = this;
    for (let i = 0; i < MARKS; i++) {
      world.at(world.nowMs + this.#dice.whole(0, world.scenario.days * DAY_MS), () => this.#mark());
    }
  }

  end(): void {
    if (this.#folder !== null) rmSync(this.#folder, { recursive: true });
  }

  /** How many numbers the checkpoints of restores have skipped that are part of a checkpoint with this seq. */
  skippedUntil(seq: number): number {
    return this.#skipped.filter((one) => one.seq <= seq).reduce((sum, { numbers }) => sum + numbers, 0);
  }

  /** Notes the present moment, and goes back to it later. */
  #mark(): void {
    const { world } = this;
    if (world.ended) return;
    const mark: Mark = {
      file: this.#newFile(),
      atMs: world.platform.nowMs(),
      reference: copyOf(world.reference),
      acknowledged: copyOf(world.traffic.observer.acknowledged),
      referral: world.operators.credit.referral,
    };
    world.platform.sql.saveTo(mark.file);
    const restores = this.#skipped.length;
    const restore = () => {
      // Nobody goes back to a moment that a restore has undone. A referral is agreed with another enterprise.
      const isUndone = this.#skipped.length > restores;
      if (world.ended || isUndone || world.operators.credit.referral !== mark.referral) return;
      world.waitFor(this.#restore(mark));
    };
    const isSlow = this.#dice.chance(0.5);
    world.later(this.#dice.spread(MINUTE_MS, MAX_DAYS_BACK * DAY_MS), () => {
      if (!isSlow || world.ended) return restore();
      // A batch with what a new run reports is on its way for minutes, and reaches the copy after the restore.
      world.platform.network.change("slow", SLOW_MS);
      world.traffic.startRun();
      world.later(this.#dice.whole(3_000, 20_000), restore);
    });
  }

  async #restore(mark: Mark): Promise<void> {
    const { world } = this;
    const { platform } = world;
    const { seq } = world.object.ledger.books;
    if (platform.network.inFlight > 0) world.count("restore_met_a_request_on_its_way");
    // The new instance waits for nothing.
    platform.evict();
    this.underWay = true;
    this.#target = mark;
    this.#faultsLeft = this.#dice.whole(0, MAX_FAULTS);
    const restores = new Restores(openCatalogSql(), () => {});
    let nowMs = platform.nowMs();
    let isBack = false;
    restores.begin({ enterprise: "acme", objectId: "acme", atMs: mark.atMs, by: "operator" }, nowMs);
    const { error: log } = console;
    // The catalog logs each step that fails.
    console.error = () => {};
    try {
      while (!isBack) {
        nowMs = Math.max(nowMs, restores.nextDueAtMs() ?? nowMs);
        await restores.runDue(
          () => nowMs,
          () => this.#object(),
          () => {
            isBack = true;
          },
        );
      }
    } finally {
      console.error = log;
    }
    this.underWay = false;
    this.#check(seq, mark);
  }

  /** Nothing that had ended comes back, and no number falls. */
  #check(seqBefore: number, mark: Mark): void {
    const world: World = this.world;
    const { reference, traffic, operators, platform } = world;
    const { books } = world.object.ledger;
    world.trace.add(`${world.nowMs} went back to ${mark.atMs}`);
    world.count("restored");
    if (books.seq <= seqBefore) world.fail(`seq falls from ${seqBefore} to ${books.seq}`);
    for (const { id, revoked_at_ms } of platform.sql.all("SELECT id, revoked_at_ms FROM keys")) {
      world.same(`whether key ${id} is valid`, revoked_at_ms === null, operators.keys.isValid(id as string));
    }
    const checkpoint = "SELECT seq, facts FROM entries WHERE seq > ? AND facts LIKE '%\"checkpoint\"%'";
    const [last] = platform.sql.all(checkpoint, seqBefore);
    if (last === undefined) world.fail("a restore adds no checkpoint");
    const { entries } = JSON.parse(last.facts as string) as { entries: number };
    this.#skipped.push({ seq: last.seq as number, numbers: entries - 1 });
    if (reference.totals.charges > mark.reference.totals.charges) world.count("restore_undid_charges");
    goBack(reference, mark.reference);
    traffic.observer.acknowledged.clear();
    for (const [meter, totals] of mark.acknowledged) traffic.observer.acknowledged.set(meter, totals);
    reference.money.note("checkpoint", 0);
    world.wentBack();
  }

  /** The object as the catalog calls it. Calls fail, and the object is killed. */
  #object(): RestoredObject {
    return new Proxy({} as RestoredObject, {
      get:
        (_, name: keyof RestoreSteps) =>
        async (...args: unknown[]) => {
          const { platform } = this.world;
          const fault = this.#drawFault();
          if (fault === "killed before") platform.evict();
          if (fault === "storage") platform.sql.arm({ after: this.#dice.whole(0, 12), writesOnly: false });
          try {
            const { restorer } = this.world.object.core;
            const sent = JSON.parse(JSON.stringify(args)) as unknown[];
            if (name === "restart") this.#restart();
            const answer = await (restorer[name] as (...sent: unknown[]) => unknown).apply(restorer, sent);
            if (fault === "answer lost") throw new Error("the answer was lost");
            return answer === undefined ? undefined : JSON.parse(JSON.stringify(answer));
          } finally {
            // Storage that fails ends the instance.
            if (platform.sql.disarm() || fault === "killed after") platform.evict();
          }
        },
    });
  }

  #drawFault(): "killed before" | "killed after" | "answer lost" | "storage" | null {
    if (this.#faultsLeft === 0 || !this.#dice.chance(0.4)) return null;
    this.#faultsLeft -= 1;
    this.world.count("restore_interrupted");
    return this.#dice.pick(["killed before", "killed after", "answer lost", "storage"] as const);
  }

  /** The next instance starts with the file of the bookmark, if there is one. */
  #restart(): never {
    const { platform } = this.world;
    platform.evict();
    if (this.#next !== null) {
      const file = this.#newFile();
      copyFileSync(this.#next, file);
      platform.sql.goBackTo(file);
    }
    this.#next = null;
    throw new Error("the object was restarted");
  }

  #recover(): Recovery {
    return {
      isSupported: async () => true,
      bookmarkAt: async () => this.#target?.file ?? "",
      startNextAt: async (bookmark) => {
        this.#next = bookmark;
        const undo = this.#newFile();
        this.world.platform.sql.saveTo(undo);
        return undo;
      },
      restart: () => {},
      isListed: async () => this.underWay,
    };
  }

  #newFile(): string {
    this.#files += 1;
    return join(this.#folder ?? "", `${this.#files}.sqlite`);
  }
}
