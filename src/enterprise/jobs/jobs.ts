/**
 * The table of the object's jobs: what the alarm does without a caller. A job finds in storage what is due, so it may
 * run at any time and any number of times, and a new instance continues where an evicted one stopped.
 */
import type { AtMs } from "../../ledger/time.ts";
import type { Ledger } from "../books/ledger.ts";
import { nextWebhookAtMs } from "../books/webhook-queue.ts";
import type { Projector } from "../copy/projector.ts";
import type { Rebuilder } from "../copy/rebuild.ts";
import type { Platform } from "../platform.ts";
import { closeExpired, nextExpiryAtMs } from "../sockets/sockets.ts";
import { deliverWebhooks, type Receiver } from "./deliver-webhooks.ts";
import { NEVER } from "./next-alarm.ts";
import { prune } from "./pruning.ts";
import { owesReferral, settleReferral } from "./settle-referral.ts";

export type JobDeps = { platform: Platform; ledger: Ledger; projector: Projector; rebuilder: Rebuilder };

export type Job = {
  /** Does what is due; returns when the job is due again, or NEVER if only a change can make it due. */
  run(deps: JobDeps): AtMs | Promise<AtMs>;
  /** When the job is due by what storage says. A new instance asks this once, before it first sets the alarm. */
  loadDueAtMs?(deps: JobDeps): AtMs;
  /** Runs beside the others, which do not wait for it. */
  beside?: true;
};

/** While something runs beside the alarm, the alarm rings this often to see whether it was cut off. */
export const LOOK_AGAIN_MS = 30_000;
const PRUNE_PAUSE_MS = 1_000;
const NOW = 0;

/** In the order in which the alarm runs them. */
export const JOBS = {
  /** Sends queued webhooks. A receiver may take ten seconds to answer. */
  deliver: {
    beside: true,
    loadDueAtMs: ({ ledger }) => nextWebhookAtMs(ledger.sql) ?? NEVER,
    run: async (deps) => {
      const { ledger, platform } = deps;
      const { sql } = ledger;
      const { clock, webhooks } = platform;
      await deliverWebhooks({
        sql,
        receiver: () => findReceiver(deps),
        fetch: (url, init) => webhooks.fetch(url, init),
        realNowMs: () => clock.realNowMs(),
      });
      return nextWebhookAtMs(sql) ?? NEVER;
    },
  },
  /** Turns cycles, and expires grants and holds. When it is due is the ledger's to say. */
  settle: {
    run: ({ ledger }) => {
      ledger.settle();
      return NEVER;
    },
  },
  /** Gives the enterprise that referred this one its grant. */
  settle_referral: {
    loadDueAtMs: ({ ledger }) => (owesReferral(ledger) ? NOW : NEVER),
    run: async ({ ledger, platform }) => {
      await settleReferral(ledger, platform.peers);
      return NEVER;
    },
  },
  /** Closes the sockets of watchers whose token or session has expired, also when nothing changes that would be pushed. */
  close_expired: {
    loadDueAtMs: ({ platform }) => nextExpiryAtMs(platform.sockets.live()),
    run: ({ platform }) => closeExpired(platform.sockets.live(), platform.clock.realNowMs()),
  },
  /** Deletes what is past its retention, a portion at a time. */
  prune: {
    run: ({ ledger, platform }) => (prune(ledger) ? platform.clock.realNowMs() + PRUNE_PAUSE_MS : NEVER),
  },
  /** Sends the copy what it lacks. The runner sets when, because it depends on who watches. */
  project: {
    run: async ({ projector }) => {
      await projector.project();
      return NEVER;
    },
  },
  /** Finishes a rebuild of the copy that was cut off or failed. */
  rebuild: {
    loadDueAtMs: ({ rebuilder }) => (rebuilder.owed ? NOW : NEVER),
    run: async ({ rebuilder, platform }) => {
      if (!rebuilder.owed) return NEVER;
      if (rebuilder.running) return platform.clock.realNowMs() + LOOK_AGAIN_MS;
      await rebuilder.rebuild();
      return NEVER;
    },
  },
} as const satisfies Record<string, Job>;

export type JobName = keyof typeof JOBS;

async function findReceiver({ ledger, platform }: JobDeps): Promise<Receiver | null> {
  const url = ledger.books.settings.webhookUrl;
  return url === null ? null : { url, secret: await platform.webhooks.secretOf(ledger.id, url) };
}
