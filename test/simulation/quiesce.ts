/**
 * The end of a world: nothing fails any more, and nobody calls. The object must then finish everything by itself: the
 * copy equals the ledger, webhooks are delivered or given up, and the grant of a referral has arrived.
 */
import { setImmediate as turnOfTheLoop } from "node:timers/promises";
import { granted } from "../support/books.ts";
import { checkCopy } from "./copy-check.ts";
import { OPERATOR } from "./keys.ts";
import { checkWaiting } from "./waiting-usage.ts";
import type { World } from "./world.ts";

const QUIET_HOURS = 48;
const HOUR_MS = 3_600_000;
const SECOND_MS = 1_000;

export async function quiesce(world: World): Promise<void> {
  const { platform, operators } = world;
  platform.heal();
  for (let hours = 0; hours < QUIET_HOURS && (hours === 0 || !world.settled); hours++) {
    world.call(
      "gauge",
      ({ core }) => core.gauge(OPERATOR),
      () => {},
    );
    platform.readCopy();
    await world.live(world.nowMs + HOUR_MS);
  }
  world.check();
  if (!world.quiet) world.fail(`the copy does not catch up in ${QUIET_HOURS} quiet hours`);
  platform.network.checkDelivered();
  checkWaiting(world);
  const owed = operators.credit.referred && !platform.network.grantedElsewhere.has("referral:acme");
  if (owed) world.fail("the other side of a referral did not get its grant");
  await audit(world);
  checkCopy(world);
}

/** The ledger's own audit, of the books and of the copy. */
async function audit(world: World): Promise<void> {
  const audited = world.object.core.management.audit();
  for (let answered = false; !answered; ) {
    void audited.then(() => {
      answered = true;
    });
    await world.live(world.nowMs + SECOND_MS);
    await turnOfTheLoop();
  }
  const result = granted(await audited);
  if ("job" in result) throw new Error("the audit has not ended");
  const { checks } = result;
  for (const { name, ok, detail } of checks) if (!ok) world.fail(`audit ${name}: ${detail}`);
}
