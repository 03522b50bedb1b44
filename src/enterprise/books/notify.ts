/**
 * Queues the messages that a change of the books causes, in the transaction of that change: for the webhook URL the
 * thresholds as they have always been, and for each active channel what it wants to know. It decides nothing: the rules
 * are in src/ledger.
 */
import { alertOf } from "../../ledger/alerts.ts";
import { type Books, type Cycle, unitOf } from "../../ledger/books.ts";
import {
  type BalanceChange,
  decideBalanceChange,
  decideOutlook,
  thresholdPassed,
} from "../../ledger/channel-alerts.ts";
import { wantsCode } from "../../ledger/channels.ts";
import { gaugeOf } from "../../ledger/gauge.ts";
import { decideCrossing } from "../../ledger/thresholds.ts";
import type { AtMs } from "../../ledger/time.ts";
import { showAlert } from "../../wire/alerts.ts";
import { type GaugeJson, showGauge } from "../../wire/gauge.ts";
import { type AlertLinks, type DeploymentLinks, linksOf } from "../../wire/links.ts";
import {
  exhaustedNotice,
  expiringNotice,
  type Notice,
  onTrackNotice,
  recoveredNotice,
  type Sender,
  showNotice,
  thresholdNotice,
} from "../../wire/notice.ts";
import type { StoredChannel } from "./channels.ts";
import { oweReport } from "./reports-due.ts";
import type { Sql } from "./sql.ts";
import { putWebhook, WEBHOOK_URL } from "./webhook-queue.ts";

/** What the webhook URL gets in addition to its thresholds. */
const ALSO_TO_WEBHOOK_URL: readonly string[] = ["budget.crossed"];

type Situation = {
  sql: Sql;
  id: string;
  books: Books;
  nowMs: AtMs;
  realNowMs: AtMs;
  /** The active channels. */
  channels: readonly StoredChannel[];
  deploymentLinks: DeploymentLinks;
};

type Changed = Situation & {
  /** The books before the change. */
  before: Books;
  /** What other decisions of this change want to say. */
  notices: readonly Notice[];
  /** The cycle that ended with this change, if one did. */
  ended: Cycle | null;
};

/** Returns the books with what people were notified of, and whether something was queued. */
export function notify(changed: Changed): { books: Books; queued: boolean } {
  const crossing = decideCrossing(changed.books, changed.nowMs);
  let { books } = crossing;
  const queue = new NoticeQueue({ ...changed, books });
  if (crossing.crossed !== null) queue.toWebhookUrl(crossing.crossed);
  for (const notice of changed.notices) queue.send(notice);
  if (changed.channels.length > 0) {
    const { alerted, change } = decideBalanceChange(books, changed.nowMs);
    books = alerted === books.alerted ? books : { ...books, alerted };
    queue.sendChange(change);
    if (changed.ended !== null && changed.channels.some((channel) => wantsCode(channel, "cycle_report"))) {
      oweReport(changed.sql, { ...reportFacts(changed.before, changed.ended), afterSeq: books.seq });
    }
  } else if (books.alerted != null) books = { ...books, alerted: null };
  return { books, queued: queue.queued };
}

/** Queues what the forecast and the expiry of grants have to say now. Returns the books with what was queued. */
export function notifyOutlook(now: Situation): { books: Books; queued: boolean } {
  const { alerted, outlook } = decideOutlook(now.books, now.nowMs);
  if (alerted === (now.books.alerted ?? null)) return { books: now.books, queued: false };
  const queue = new NoticeQueue(now);
  if (outlook.onTrack) queue.send(onTrackNotice(queue.gauge()));
  if (outlook.expiring !== null) queue.send(expiringNotice(queue.gauge(), outlook.expiring));
  return { books: { ...now.books, alerted }, queued: queue.queued };
}

/** Addresses messages: queues a message once for each receiver that wants it. */
class NoticeQueue {
  queued = false;
  #gauge: GaugeJson | null = null;

  constructor(readonly now: Situation) {}

  gauge(): GaugeJson {
    const { books, id, nowMs } = this.now;
    this.#gauge ??= showGauge(gaugeOf(id, books, nowMs), this.#links());
    return this.#gauge;
  }

  /** Queues the message for the webhook URL, if it gets this type, and for each channel that wants its code. */
  send(notice: Notice): void {
    const { books, channels } = this.now;
    if (books.settings.webhookUrl !== null && ALSO_TO_WEBHOOK_URL.includes(notice.type)) this.#put(notice, WEBHOOK_URL);
    for (const channel of channels) if (wantsCode(channel, notice.code)) this.#put(notice, channel.id);
  }

  sendChange(change: BalanceChange): void {
    if (change.toPercent > change.fromPercent) {
      for (const channel of this.now.channels) {
        const percent = thresholdPassed(change, channel.thresholds);
        if (percent === null) continue;
        const notice = thresholdNotice(percent, this.gauge());
        if (wantsCode(channel, notice.code)) this.#put(notice, channel.id);
      }
    }
    if (change.exhausted) this.send(exhaustedNotice(this.gauge()));
    if (change.recovered) this.send(recoveredNotice(this.gauge()));
  }

  /** Queues a threshold for the webhook URL. Its form is older than that of the other messages, and stays. */
  toWebhookUrl(crossed: Parameters<typeof alertOf>[0]): void {
    const { sql, books, id, realNowMs } = this.now;
    if (books.settings.webhookUrl === null) return;
    const gauge = this.gauge();
    const { code, level, message } = showAlert(alertOf(crossed), this.#links());
    const data = { enterprise: id, code, level, message, gauge };
    putWebhook(sql, { type: "threshold.crossed", timestamp: gauge.as_of, data }, realNowMs);
    this.queued = true;
  }

  #links(): AlertLinks {
    return linksOf(this.now.books.settings, this.now.id, this.now.deploymentLinks);
  }

  #put(notice: Notice, channel: string): void {
    putWebhook(this.now.sql, showNotice(notice, this.#sender()), this.now.realNowMs, channel);
    this.queued = true;
  }

  #sender(): Sender {
    const { books, id, nowMs } = this.now;
    return { enterprise: id, name: books.settings.name, timeZone: books.cycle.timeZone, atMs: nowMs };
  }
}

function reportFacts({ settings, capMicros }: Books, cycle: Cycle) {
  const unit = unitOf(settings.billingModel);
  const usedMicros =
    unit === "usd" ? cycle.spendUsedMicros : cycle.monthlyUsedMicros + cycle.bonusUsedMicros + cycle.debtMicros;
  return {
    unit,
    startsAtMs: cycle.startsAtMs,
    endsAtMs: cycle.endsAtMs,
    usedMicros,
    limitMicros: unit === "usd" ? capMicros : cycle.allowanceMicros,
  };
}
