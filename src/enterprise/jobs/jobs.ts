/**
 * The background jobs of an enterprise's Durable Object, which its alarm runs. Each job reads from storage what is due.
 * It may therefore run at any time and any number of times, and a new instance continues where an evicted one stopped.
 */
import { nextOutlookAtMs } from "../../ledger/channel-alerts.ts";
import { type AtMs, DAY_MS } from "../../ledger/time.ts";
import { ERASE } from "../books/erasures.ts";
import type { Ledger } from "../books/ledger.ts";
import { PRICE_WAITING } from "../books/pricing.ts";
import { getProgress, setProgress } from "../books/progress.ts";
import { loadDueReport } from "../books/reports-due.ts";
import { nextWebhookAtMs } from "../books/webhook-queue.ts";
import { loadWebhookSecret, storeWebhookSecret } from "../books/webhook-secret.ts";
import { owesRebuild, REBUILD, REBUILD_START } from "../copy/copy-writer.ts";
import { list, listingDueAtMs } from "../copy/lister.ts";
import { sliceMove } from "../copy/move.ts";
import { loadSecondShard, MOVE, type MoveCursor } from "../copy/move-cursor.ts";
import type { Projector } from "../copy/projector.ts";
import type { RebuildCursor, Rebuilder } from "../copy/rebuild.ts";
import type { EraseCursor, Eraser } from "../data/eraser.ts";
import { learnPlanBefore } from "../plan-terms.ts";
import type { Platform } from "../platform.ts";
import { closeExpired, nextExpiryAtMs } from "../sockets/sockets.ts";
import { within } from "../within.ts";
import { AUDIT } from "./audit.ts";
import { checkSize } from "./check-size.ts";
import type { Deliverer } from "./deliverer.ts";
import { foldForBudgets } from "./fold-for-budgets.ts";
import { NEVER } from "./next-alarm.ts";
import { noteLateCopy } from "./note-late-copy.ts";
import { PRICE_WAITING_JOB, startDailyPass } from "./price-waiting.ts";
import { prune } from "./pruning.ts";
import { reportCycle } from "./report-cycle.ts";
import type { WaitingReporter } from "./report-waiting.ts";
import { RETENTION, RETENTION_JOB, startOfRetention } from "./retention.ts";
import { referralDueAtMs, settleReferral } from "./settle-referral.ts";
import type { SlicedJob } from "./sliced-job.ts";
import type { Slicer } from "./slicer.ts";

export type JobDeps = {
  platform: Platform;
  ledger: Ledger;
  projector: Projector;
  rebuilder: Rebuilder;
  waiting: WaitingReporter;
  eraser: Eraser;
};

/** The jobs whose work grows with history or with what became due. The runner starts them by name. */
export const SLICED_JOBS: Readonly<Record<string, SlicedJob<unknown, JobDeps>>> = {
  audit: AUDIT,
  [ERASE]: {
    listed: true,
    // While D1 cannot be reached, a person must not stay half erased.
    maxFailures: Number.POSITIVE_INFINITY,
    slice: ({ eraser, ledger }, cursor) =>
      // Rows are replaced in one database only. So an erasure waits until a move has left the old one.
      loadSecondShard(ledger.sql) === null
        ? eraser.slice(cursor as EraseCursor)
        : { next: cursor, pauseMs: MOVING_PAUSE_MS },
  },
  [RETENTION]: RETENTION_JOB as SlicedJob<unknown, JobDeps>,
  [PRICE_WAITING]: PRICE_WAITING_JOB as SlicedJob<unknown, JobDeps>,
  [REBUILD]: {
    listed: true,
    // While D1 cannot be reached, a lost copy must not be given up.
    maxFailures: Number.POSITIVE_INFINITY,
    slice: ({ rebuilder }, cursor) => rebuilder.slice(cursor as RebuildCursor),
  },
  [MOVE]: {
    listed: true,
    // A move that stopped halfway would leave rows in two databases.
    maxFailures: Number.POSITIVE_INFINITY,
    slice: ({ ledger, platform, rebuilder }, cursor) =>
      sliceMove({ ledger, platform, writer: rebuilder.writer }, cursor as MoveCursor),
  },
};

export type AlarmDeps = JobDeps & { slicer: Slicer<JobDeps>; deliverer: Deliverer };

export type Job = {
  /** Does the work that is due. Returns when the job is due again, or NEVER if only a change can make it due. */
  run(deps: AlarmDeps): AtMs | Promise<AtMs>;
  /** Returns when the job is due, from storage. A new instance calls this once, before it first sets the alarm. */
  loadDueAtMs?(deps: AlarmDeps): AtMs;
  /** Whether the job runs in the background, so that the other jobs do not wait for it. */
  background?: true;
};

/** While a job runs in the background, the alarm runs this often to check whether the job was cut off. */
export const CHECK_AGAIN_MS = 30_000;
const MOVING_PAUSE_MS = 1_000;
const PRUNE_PAUSE_MS = 1_000;
const PLAN_READ_AHEAD_MS = 600_000;
const NOTE_TIMEOUT_MS = 5_000;
const NOW = 0;

/** The jobs, in the order in which the alarm runs them. */
export const JOBS = {
  /** Stores the secret of the webhook URL, which the last release derived. */
  store_secret: {
    loadDueAtMs: ({ ledger }) => (lacksSecret(ledger) ? NOW : NEVER),
    run: async ({ ledger, platform }) => {
      await storeWebhookSecret(ledger, platform.webhooks);
      return NEVER;
    },
  },
  /** Runs slices of the sliced jobs. Runs in the background, because a slice may wait for D1. */
  slices: {
    background: true,
    loadDueAtMs: ({ slicer }) => slicer.nextDueAtMs(),
    run: ({ slicer }) => slicer.runDue(),
  },
  /** Turns cycles, and expires grants and holds. The runner reads from the ledger when this is due. */
  settle: {
    run: async ({ ledger, platform }) => {
      await learnPlanBefore(ledger.nowMs(), { ledger, platform });
      ledger.settle();
      return NEVER;
    },
  },
  /** Stores the referral code of an enterprise that the last release has created. */
  keep_referral_code: {
    loadDueAtMs: ({ ledger }) => (ledger.books.settings.referralCode === undefined ? NOW : NEVER),
    run: async ({ ledger, platform }) => {
      if (ledger.books.settings.referralCode !== undefined) return NEVER;
      const referralCode = await platform.referralCode(ledger.id);
      ledger.putSettings({ ...ledger.books.settings, referralCode });
      return NEVER;
    },
  },
  /** Reads what the plan gives shortly before the cycle ends, because a debit may run the turn before the alarm does. */
  read_plan: {
    loadDueAtMs: ({ ledger }) => planReadAtMs(ledger),
    run: async ({ ledger, platform }) => {
      if (planReadAtMs(ledger) > platform.clock.realNowMs()) return planReadAtMs(ledger);
      const { endsAtMs } = ledger.books.cycle;
      await learnPlanBefore(endsAtMs, { ledger, platform });
      setProgress(ledger.sql, "plan_read_for", endsAtMs);
      return planReadAtMs(ledger);
    },
  },
  /** Attributes payments of debt to the meters that owed it, in portions. */
  attribute_payments: {
    loadDueAtMs: ({ ledger }) => (ledger.paymentsWait ? NOW : NEVER),
    run: ({ ledger }) => (ledger.attributeWaiting() ? NOW : NEVER),
  },
  /** Queues what channels should know about what is coming. Runs with each alarm, so shortly after each change. */
  outlook: {
    loadDueAtMs: (deps) => outlookDueAtMs(deps),
    run: (deps) => {
      deps.ledger.notifyOutlook();
      return outlookDueAtMs(deps);
    },
  },
  /** Makes the reports of ended cycles, in slices. */
  report_cycle: {
    loadDueAtMs: ({ ledger }) => (loadDueReport(ledger.sql) === null ? NEVER : NOW),
    run: (deps) => (reportCycle(deps) ? NOW : NEVER),
  },
  /** Sends queued messages. Starts the deliveries, which go on in the background, and does not wait for them. */
  deliver: {
    loadDueAtMs: ({ ledger }) => nextWebhookAtMs(ledger.sql) ?? NEVER,
    run: ({ deliverer }) => {
      deliverer.start();
      return deliverer.nextDueAtMs();
    },
  },
  /** Adds the grant for the enterprise that referred this one. Runs in the background: that object may not respond. */
  settle_referral: {
    background: true,
    loadDueAtMs: ({ ledger }) => referralDueAtMs(ledger) ?? NEVER,
    run: async ({ ledger, platform }) => {
      await settleReferral(ledger, platform.peers, platform.clock.realNowMs());
      return referralDueAtMs(ledger) ?? NEVER;
    },
  },
  /** Lists the enterprise in its directory, if its copy is in another database. Runs in the background: D1 may be slow. */
  list: {
    background: true,
    loadDueAtMs: ({ ledger }) => listingDueAtMs(ledger),
    run: async ({ ledger, platform }) => {
      if (listingDueAtMs(ledger) <= platform.clock.realNowMs()) await list(ledger, platform);
      return listingDueAtMs(ledger);
    },
  },
  /** Warns when the storage is nearly full. Runs with every alarm. */
  check_size: {
    run: async ({ ledger, platform }) => {
      await checkSize(ledger, platform);
      return NEVER;
    },
  },
  /** Closes live sockets whose token or session has expired, even if there is no change to push to them. */
  close_expired: {
    loadDueAtMs: ({ platform }) => nextExpiryAtMs(platform.sockets.live()),
    run: ({ platform }) => closeExpired(platform.sockets.live(), platform.clock.realNowMs()),
  },
  /** Reports to the catalog what waits for a price. Runs in the background, because the catalog may not respond. */
  report_waiting: {
    background: true,
    loadDueAtMs: ({ waiting }) => waiting.dueAtMs(),
    run: async ({ waiting }) => {
      await waiting.report();
      return waiting.dueAtMs();
    },
  },
  /**
   * Deletes meters and runs that are past their retention, in portions. Once a day, starts the jobs for the rest and for
   * what waits for a price.
   */
  prune: {
    run: ({ ledger, platform }) => {
      startRetention(ledger);
      startDailyPass(ledger);
      return prune(ledger) ? platform.clock.realNowMs() + PRUNE_PAUSE_MS : NEVER;
    },
  },
  /** Folds the outbox for budgets while D1 is down. Runs in the background, in portions. */
  fold_for_budgets: {
    background: true,
    run: ({ ledger, platform }) => foldForBudgets(ledger, platform),
  },
  /** Sends changes to the copy. The runner decides when, because that depends on whether anybody is watching. */
  project: {
    run: async ({ projector, ledger, platform }) => {
      try {
        await projector.project();
      } finally {
        await noteLateCopy(ledger, platform);
      }
      return NEVER;
    },
  },
  /** Sends the number of messages that were given up to the catalog, whose metrics count them. */
  note_failed: {
    loadDueAtMs: ({ ledger }) => (owesFailedCount(ledger) ? NOW : NEVER),
    run: async ({ ledger, platform }) => {
      if (!owesFailedCount(ledger)) return NEVER;
      const failed = getProgress(ledger.sql, "deliveries_failed");
      await within(platform.defer, NOTE_TIMEOUT_MS, Promise.resolve(platform.noteFailedDeliveries(ledger.id, failed)));
      setProgress(ledger.sql, "deliveries_failed_recorded", failed);
      return NEVER;
    },
  },
  /** Starts a rebuild that the last release had not finished, or that a step of the schema asks for. */
  rebuild: {
    loadDueAtMs: ({ ledger }) => (owesRebuild(ledger.sql) ? NOW : NEVER),
    run: ({ ledger }) => {
      if (owesRebuild(ledger.sql)) {
        ledger.sql.transaction(() => {
          ledger.startJob(REBUILD, REBUILD_START);
          setProgress(ledger.sql, "rebuilt", getProgress(ledger.sql, "rebuild_asked"));
        });
      }
      return NEVER;
    },
  },
} as const satisfies Record<string, Job>;

export type JobName = keyof typeof JOBS;

function startRetention(ledger: Ledger): void {
  const { sql } = ledger;
  const nowMs = ledger.nowMs();
  const lastMs = Math.max(getProgress(sql, "retention_at"), ledger.identity.createdAtMs);
  if (nowMs - lastMs < DAY_MS) return;
  sql.transaction(() => {
    ledger.startJob(RETENTION, startOfRetention(ledger));
    setProgress(sql, "retention_at", nowMs);
  });
}

/** Returns when to read the plan before this cycle's turn; NEVER after it was read, and for a test clock. */
function planReadAtMs({ books, identity, sql }: Ledger): AtMs {
  const { endsAtMs } = books.cycle;
  if (identity.testClockMs !== null || getProgress(sql, "plan_read_for") >= endsAtMs) return NEVER;
  // Most cycles end at the same instant, so the objects spread their calls over ten minutes.
  return endsAtMs - PLAN_READ_AHEAD_MS - (identity.createdAtMs % PLAN_READ_AHEAD_MS);
}

function lacksSecret({ sql, provisioned, books }: Ledger): boolean {
  return (
    provisioned && books.settings.webhookUrl !== null && loadWebhookSecret(sql, books.settings.webhookUrl) === null
  );
}

function owesFailedCount({ sql }: Ledger): boolean {
  return getProgress(sql, "deliveries_failed") > getProgress(sql, "deliveries_failed_recorded");
}

/** When time alone may next change the outlook. A test clock stands still, and moving it is a change. */
function outlookDueAtMs({ ledger }: JobDeps): AtMs {
  if (ledger.identity.testClockMs !== null || ledger.store.channels.active.length === 0) return NEVER;
  return nextOutlookAtMs(ledger.books, ledger.nowMs());
}
