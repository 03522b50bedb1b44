/**
 * Replies to the messages of the debit stream. Every message gets a reply, even if prices cannot be read or the ledger
 * fails. The only exception is a message whose sender is refused before the commit.
 */
import type { Denied } from "../../access/refusals.ts";
import type { Report } from "../../ledger/debit.ts";
import { isRefusal, type Refused } from "../../ledger/refusals.ts";
import type { DebitAnswerJson } from "../../wire/debit-answer.ts";
import type { Platform } from "../platform.ts";
import { busyReply, parseMessage, parseRequest, replyTo } from "./stream.ts";

/** Returns why the sender is refused now, or null if it is not refused. */
type Refuse = () => Refused | Denied | null;

export class DebitStream {
  constructor(
    readonly platform: Platform,
    /** Commits reports, unless `refuse` returns a refusal right before the commit. */
    readonly debit: (
      reports: readonly Report[],
      refuse: Refuse,
    ) => Promise<(DebitAnswerJson | Refused)[] | Refused | Denied>,
    readonly enterprise: () => string,
  ) {}

  /** Returns the reply to a message, or the refusal of its sender. */
  async answer(text: string | ArrayBuffer, refuse: Refuse): Promise<Record<string, unknown> | Refused | Denied> {
    // The sender of reports is checked right before their commit. The sender of any other message is checked here.
    const message = parseMessage(text);
    if ("reply" in message) return refuse() ?? message.reply;
    try {
      const prices = await this.platform.prices();
      const request = parseRequest(message, prices.find);
      if ("reply" in request) return refuse() ?? request.reply;
      const decided = request.reports.length === 0 ? (refuse() ?? []) : await this.debit(request.reports, refuse);
      return isRefusal(decided) ? decided : replyTo(request, decided);
    } catch (error) {
      this.platform.log.error({ event: "message_failed", enterprise: this.enterprise(), error: String(error) });
      return busyReply(message);
    }
  }
}
