/**
 * The calls to one enterprise's Durable Object about its messages: channels, the confirmation of an email address, tests,
 * the delivery log, and the secret of the webhook URL. The core checks the caller of each call.
 */
import { byOf, type Caller, OPERATOR } from "../access/callers.ts";
import { type Denied, deny } from "../access/refusals.ts";
import { MAX_CHANNELS } from "../ledger/channels.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import { DAY_MS } from "../ledger/time.ts";
import { type ChannelJson, isMasked, maskTarget, type NewChannel, showChannel } from "../wire/channel.ts";
import { type Envelope, showNotice, TEST_NOTICE } from "../wire/notice.ts";
import { formatIso } from "../wire/time.ts";
import { showWebhook, type WebhookJson } from "../wire/webhook.ts";
import type { StoredChannel } from "./books/channels.ts";
import type { Keyring } from "./books/keyring.ts";
import type { Ledger } from "./books/ledger.ts";
import { countWebhooks, giveUpAll, lastWebhooks, listWebhooks, putAttempted } from "./books/webhook-queue.ts";
import { newWebhookSecret, storeWebhookSecret } from "./books/webhook-secret.ts";
import { CONFIRMATION, findReceiver } from "./jobs/receivers.ts";
import { send } from "./jobs/send.ts";
import { onlyUserOf } from "./members.ts";
import type { Platform } from "./platform.ts";

const NO_WEBHOOK_URL = refuse({
  code: "validation_failed",
  errors: [{ path: "webhook_url", message: "is not set for this enterprise" }],
});
const OTHER_TARGET = refuse({
  code: "validation_failed",
  errors: [{ path: "target", message: "is masked, and is not the target of this channel" }],
});
/** A confirmation is sent again at most this often for one channel, and this many times a day for all of them. */
const CONFIRM_AGAIN_MS = 60_000;
const MAX_CONFIRMATIONS_PER_DAY = 100;

/** A channel that was made or changed. */
type PutChannel = { channel: ChannelJson; created: boolean };

type NotificationDeps = {
  ledger: Ledger;
  platform: Platform;
  keyring: Keyring;
  /** Runs the call, unless its caller is refused in this turn. */
  answer<T>(caller: Caller, act: () => T): T | Refused | Denied;
};

export class NotificationCalls {
  constructor(readonly deps: NotificationDeps) {}

  /**
   * Makes or changes a channel. Only this answer shows a new signing secret, and the target as it was sent.
   * @param site the address under which the caller reached this deployment, for links in messages
   */
  putChannel(caller: Caller, id: string, put: NewChannel, site: string): PutChannel | Refused | Denied {
    return this.#manage(caller, () => {
      if (put.kind === "email" && !this.deps.platform.emails.configured()) {
        return refuse({ code: "email_not_configured" });
      }
      return this.deps.ledger.changeChannels((channels): PutChannel | Refused => {
        const known = channels.find(id);
        if (known === null && channels.list().length >= MAX_CHANNELS) return refuse({ code: "too_many_channels" });
        const target = known?.kind === put.kind && put.target === maskTarget(known) ? known.target : put.target;
        if (put.kind === "slack" && isMasked(target)) return OTHER_TARGET;
        const sameTarget = known?.kind === put.kind && known.target === target;
        const secret = put.kind === "webhook" && (!sameTarget || put.rotateSecret) ? newWebhookSecret() : null;
        const channel = this.#askToConfirm({
          createdBy: byOf(caller),
          createdAtMs: this.deps.ledger.nowMs(),
          ...known,
          id,
          kind: put.kind,
          target,
          events: put.events,
          thresholds: put.thresholds,
          active: put.active,
          site,
          secret: put.kind === "webhook" ? (secret ?? known?.secret ?? null) : null,
          confirmId: sameTarget ? (known?.confirmId ?? null) : null,
          confirmSentAtMs: sameTarget ? (known?.confirmSentAtMs ?? null) : null,
          confirmedAtMs: sameTarget ? (known?.confirmedAtMs ?? null) : null,
        });
        channels.put(channel);
        const last = lastWebhooks(this.deps.ledger.sql).get(id) ?? null;
        const shown = { ...showChannel(channel, last), target: put.target };
        return {
          channel: secret === null ? shown : { ...shown, webhook_secret: secret },
          created: known === null,
        };
      });
    });
  }

  /** Lists the channels by id. */
  channels(caller: Caller): ChannelJson[] | Refused | Denied {
    return this.deps.answer(caller, () => {
      if (this.#seesOnlyOwn(caller)) return refuse({ code: "not_found" });
      const last = lastWebhooks(this.deps.ledger.sql);
      return this.deps.ledger.store.channels
        .list()
        .map((channel) => showChannel(channel, last.get(channel.id) ?? null));
    });
  }

  /** Removes a channel, and gives up what waits for it. */
  deleteChannel(caller: Caller, id: string): { deleted: true } | Refused | Denied {
    return this.#manage(caller, () => {
      if (this.deps.ledger.store.channels.find(id) === null) return refuse({ code: "not_found" });
      return this.deps.ledger.changeChannels((channels) => {
        channels.delete(id);
        giveUpAll(this.deps.ledger.sql, id, "the channel was removed", this.#realNowMs());
        return { deleted: true as const };
      });
    });
  }

  /** Sends a test message at once, also to a paused channel, and returns how that went. It is not retried. */
  async testChannel(caller: Caller, id: string): Promise<{ delivered: boolean; detail: string } | Refused | Denied> {
    const { ledger, platform } = this.deps;
    const channel = this.#manage(caller, () => ledger.store.channels.find(id) ?? refuse({ code: "not_found" }));
    if (isRefusal(channel)) return channel;
    if (channel.kind === "email" && channel.confirmedAtMs === null) {
      return { delivered: false, detail: "The recipient has not confirmed this address yet." };
    }
    const envelope = this.#testEnvelope();
    const event = {
      id: `msg_${crypto.randomUUID()}`,
      channel: id,
      type: envelope.type,
      body: JSON.stringify(envelope),
    };
    const createdAtMs = this.#realNowMs();
    const receiver = await findReceiver(this.deps, event);
    const network = {
      fetch: (url: string, init: RequestInit) => platform.webhooks.fetch(url, init),
      sendEmail: platform.emails.send,
    };
    const answer = await send(event, receiver, network, createdAtMs);
    putAttempted(ledger.sql, { ...event, createdAtMs }, answer, this.#realNowMs());
    return { delivered: answer.error === null, detail: detailOf(channel, answer) };
  }

  /** Confirms the address of an email channel. Returns the address. An old or used-up link is refused. */
  confirmEmail(id: string, confirmId: string): { address: string } | Refused | Denied {
    return this.deps.answer(OPERATOR, () => {
      const known = this.#findConfirmable(id, confirmId);
      if (isRefusal(known)) return known;
      if (known.confirmedAtMs === null) {
        const confirmedAtMs = this.#realNowMs();
        this.deps.ledger.changeChannels((channels) => channels.put({ ...known, confirmedAtMs }));
      }
      return { address: known.target };
    });
  }

  /** Returns what a confirmation link is about, without confirming. */
  readConfirmation(id: string, confirmId: string): { address: string; name: string } | Refused | Denied {
    return this.deps.answer(OPERATOR, () => {
      const known = this.#findConfirmable(id, confirmId);
      return isRefusal(known) ? known : { address: known.target, name: this.deps.ledger.books.settings.name };
    });
  }

  /**
   * Returns the delivery log before `beforeNumber`, newest first. Returns `limit` + 1 events if there are more than
   * `limit`. A Worker of the last release names no caller; it has checked that it is the operator.
   */
  webhooks(
    beforeNumber: number,
    limit: number,
    caller = OPERATOR,
  ): { number: number; view: WebhookJson }[] | Refused | Denied {
    return this.deps.answer(caller, () => {
      if (this.#seesOnlyOwn(caller)) return refuse({ code: "not_found" });
      const log = listWebhooks(this.deps.platform.sql, beforeNumber, limit + 1);
      return log.map((webhook) => ({ number: webhook.number, view: showWebhook(webhook) }));
    });
  }

  testWebhook(): { queued: true } | Refused | Denied {
    return this.deps.answer(OPERATOR, () => {
      if (this.deps.ledger.books.settings.webhookUrl === null) return NO_WEBHOOK_URL;
      this.deps.ledger.queueWebhook(this.#testEnvelope());
      return { queued: true as const };
    });
  }

  /**
   * Stores the secret of the webhook URL, if none is stored yet: the one that the last release derived. The object does
   * this by itself when it wakes; this call wakes it.
   */
  async storeWebhookSecret(): Promise<{ stored: true } | Refused | Denied> {
    const url = this.deps.answer(OPERATOR, () => ({ url: this.deps.ledger.books.settings.webhookUrl }));
    if (isRefusal(url)) return url;
    await storeWebhookSecret(this.deps.ledger, this.deps.platform.webhooks);
    return { stored: true };
  }

  /** Has a confirmation sent for an email channel that needs one, unless one was sent just now. */
  #askToConfirm(channel: StoredChannel): StoredChannel {
    const { ledger } = this.deps;
    const nowMs = this.#realNowMs();
    if (channel.kind !== "email" || channel.confirmedAtMs !== null) return channel;
    if (channel.confirmSentAtMs !== null && nowMs - channel.confirmSentAtMs < CONFIRM_AGAIN_MS) return channel;
    if (countWebhooks(ledger.sql, CONFIRMATION, nowMs - DAY_MS) >= MAX_CONFIRMATIONS_PER_DAY) return channel;
    // The link is made when the email is sent, so that neither the queue nor the delivery log has it.
    const { id, books } = ledger;
    const data = { enterprise: id, name: books.settings.name };
    ledger.queueWebhook({ type: CONFIRMATION, timestamp: formatIso(ledger.nowMs()), data }, channel.id);
    return { ...channel, confirmId: channel.confirmId ?? crypto.randomUUID(), confirmSentAtMs: nowMs };
  }

  #findConfirmable(id: string, confirmId: string): StoredChannel | Refused | Denied {
    const known = this.deps.ledger.store.channels.find(id);
    return known === null || known.confirmId !== confirmId ? deny({ code: "link_invalid" }) : known;
  }

  #testEnvelope(): Envelope {
    const { id, books } = this.deps.ledger;
    const atMs = this.deps.ledger.nowMs();
    return showNotice(TEST_NOTICE, { enterprise: id, name: books.settings.name, timeZone: books.cycle.timeZone, atMs });
  }

  #seesOnlyOwn(caller: Caller): boolean {
    return onlyUserOf(caller, this.deps.ledger.books.settings) !== null;
  }

  #manage<T>(caller: Caller, act: () => T): T | Refused | Denied {
    return this.deps.answer(caller, () => {
      return this.deps.keyring.lacksAdmin(caller) ? deny({ code: "scope_denied" }) : act();
    });
  }

  #realNowMs() {
    return this.deps.platform.clock.realNowMs();
  }
}

function detailOf({ kind }: StoredChannel, { status, error }: { status: number | null; error: string | null }): string {
  if (kind === "email")
    return error === null ? "The mail service accepted the message." : `The email failed: ${error}.`;
  const who = kind === "slack" ? "Slack" : "The receiver";
  if (status !== null) return `${who} answered ${status}.`;
  return error === "TimeoutError" ? `${who} did not answer within 10 seconds.` : `${who} cannot be reached: ${error}.`;
}
