/**
 * The Durable Object of one enterprise: the only truth about its balance (rule R11). A thin shell around the
 * ledger: it guards the door, gathers debits into group commits, keeps one alarm for all that is due, and sends
 * the copy what changed. What is in memory here is either reread from storage or harmless to lose, and says so.
 */
import { DurableObject } from "cloudflare:workers";
import { byOf, type Caller } from "../access/callers.ts";
import { type Denied, deny } from "../access/refusals.ts";
import { currentPrices } from "../catalog/current-prices.ts";
import type { StartRequest } from "../ledger/admission.ts";
import type { Books, Settings } from "../ledger/books.ts";
import type { Report } from "../ledger/debit.ts";
import type { Entry } from "../ledger/entries.ts";
import type { Gauge } from "../ledger/gauge.ts";
import { type GrantRequest, type GrantView, viewGrant } from "../ledger/grants.ts";
import type { Micros } from "../ledger/micros.ts";
import { type Receipt, viewMeter } from "../ledger/receipt.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import type { AtMs } from "../ledger/time.ts";
import { type DebitAnswerJson, showDecided } from "../wire/debit-answer.ts";
import type { StartAnswer, StartRefused } from "./books/commands.ts";
import { CommitQueue } from "./books/commit-queue.ts";
import type { DirectoryChange, DirectorySize } from "./books/directory.ts";
import { Keyring, type KeyView, type NewKey } from "./books/keyring.ts";
import { type EnterpriseState, Ledger } from "./books/ledger.ts";
import { loadReferral, putReferral, refereeGrant } from "./books/referral.ts";
import { sqlOfStorage } from "./books/sql.ts";
import { listWebhooks, putWebhook, type WebhookView } from "./books/webhook-queue.ts";
import { copyAsOfMs } from "./copy/projection.ts";
import { loadRunRows } from "./copy/run-rows.ts";
import { type AuditCheck, auditBooks, countMeters } from "./jobs/audit.ts";
import { Background } from "./jobs/background.ts";
import { LivePush } from "./sockets/live.ts";
import {
  acceptSocket,
  CLOSE_UNAUTHORIZED,
  closeSocket,
  hasExpired,
  OWNER_HEADER,
  ownerOf,
  type SocketOwner,
  sendTo,
  socketsOfKey,
} from "./sockets/sockets.ts";
import { parseMessage, replyTo } from "./sockets/stream.ts";

/**
 * What a reader of the copy must know: the window, the unit, and as of when the copy is complete. Whether the enterprise
 * is suspended is no part of the gauge, and people still have to be told.
 */
export type CopyView = {
  gauge: Gauge;
  suspended: boolean;
  timeZone: string;
  cycleStartsAtMs: AtMs;
  nowMs: AtMs;
  copyAsOfMs: AtMs;
};

export type Audit = { checkedAtMs: AtMs; checks: AuditCheck[] };

/** What a PUT has done; `newWebhookUrl` is set when webhooks go to another address from now on. */
export type Provisioned = { created: boolean; state: EnterpriseState; newWebhookUrl: string | null };

export class EnterpriseObject extends DurableObject<Env> {
  readonly #ledger = new Ledger(
    sqlOfStorage(this.ctx.storage),
    () => Date.now(),
    () => this.#background.outboxGrew(),
  );
  readonly #background = new Background(this.ctx, this.env, this.#ledger);
  readonly #keyring = new Keyring(this.#ledger.sql);
  readonly #debits = new CommitQueue<Report, DebitAnswerJson | Refused>(
    (reports) => this.#ledger.debit(reports).map(showDecided),
    () => this.#afterChange(),
  );
  /** The books that watchers were last told of, or are about to be. */
  #shown: Books | null = null;
  readonly #live = new LivePush(() => this.#push());

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    // Answered without waking the object.
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  // ---- agents

  async debit(caller: Caller, reports: readonly Report[]): Promise<(DebitAnswerJson | Refused)[] | Refused | Denied> {
    return this.#fault(caller) ?? this.#debits.add(reports);
  }

  start(caller: Caller, request: StartRequest): StartAnswer | StartRefused | Refused | Denied {
    return this.#answer(caller, () => this.#ledger.start(request));
  }

  releaseHold(caller: Caller, run: string): Gauge | Refused | Denied {
    return this.#answer(caller, () => this.#ledger.releaseHold(run));
  }

  // ---- readers

  gauge(caller: Caller): Gauge | Refused | Denied {
    return this.#answer(caller, () => this.#ledger.gauge());
  }

  /** What a question to the copy needs from the truth; guards the door for it. */
  copyView(caller: Caller): CopyView | Refused | Denied {
    return this.#answer(caller, () => {
      const gauge = this.#ledger.gauge();
      const { cycle, settings } = this.#ledger.books;
      return {
        gauge,
        suspended: settings.suspended,
        timeZone: cycle.timeZone,
        cycleStartsAtMs: cycle.startsAtMs,
        nowMs: this.#ledger.nowMs(),
        copyAsOfMs: copyAsOfMs(this.#ledger),
      };
    });
  }

  receipt(caller: Caller, run: string): Receipt | Refused | Denied {
    return this.#answer(caller, () => {
      const row = loadRunRows(this.#ledger, [run])[0];
      if (row === undefined) return refuse({ code: "not_found" });
      const { cycleStartsAtMs: _cycle, cycleMicros: _micros, ...view } = row;
      return { ...view, meters: this.#ledger.store.loadMeters([run]).map(viewMeter) };
    });
  }

  /** Entries newest first, those before `beforeSeq`; one more than `limit` tells that there are more. */
  entries(caller: Caller, beforeSeq: number, limit: number): Entry[] | Refused | Denied {
    return this.#answer(caller, () => this.#ledger.store.loadEntryPage(beforeSeq, limit + 1));
  }

  /** Grants newest first, with the seq that a page goes on from. */
  grants(caller: Caller, beforeSeq: number, limit: number): { seq: number; view: GrantView }[] | Refused | Denied {
    return this.#answer(caller, () => {
      this.#ledger.settle();
      const page = this.#ledger.store.loadGrantPage(beforeSeq, limit + 1);
      return page.map((grant) => ({ seq: grant.seq, view: viewGrant(grant, this.#ledger.nowMs()) }));
    });
  }

  grant(caller: Caller, id: string): GrantView | Refused | Denied {
    return this.#answer(caller, () => {
      this.#ledger.settle();
      const grant = this.#ledger.store.loadGrants([id])[0];
      return grant === undefined ? refuse({ code: "not_found" }) : viewGrant(grant, this.#ledger.nowMs());
    });
  }

  // ---- sockets

  /** Opens a socket for a caller whom the Worker has let in. */
  override fetch(request: Request): Response {
    const owner = JSON.parse(request.headers.get(OWNER_HEADER) ?? "") as SocketOwner;
    const fault = this.#fault(owner.caller);
    if (fault !== null) return Response.json(fault.refusal, { status: 403 });
    const { client, server } = acceptSocket(this.ctx, owner);
    if (owner.kind === "live") server.send(JSON.stringify(this.#ledger.gauge()));
    this.#afterChange();
    return new Response(null, { status: 101, webSocket: client });
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const owner = ownerOf(socket);
    if (owner.kind === "live") return;
    if (hasExpired(owner) || this.#fault(owner.caller) !== null) {
      closeSocket(socket, CLOSE_UNAUTHORIZED, "unauthorized");
      return;
    }
    const prices = await currentPrices(this.env, this.ctx);
    const request = parseMessage(message, prices.find);
    if ("reply" in request) {
      sendTo(socket, JSON.stringify(request.reply));
      return;
    }
    const { reports } = request;
    const decided = reports.length === 0 ? [] : await this.#debits.add(reports);
    sendTo(socket, JSON.stringify(replyTo(request, decided)));
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    closeSocket(socket, code);
  }

  // ---- operator and admins

  /** Creates the enterprise, or changes what is given of it. `settings` is complete for a creation. */
  provision(
    id: string,
    patch: Partial<Settings>,
    complete: Settings | null,
    testClockMs: AtMs | null | undefined,
  ): Provisioned | Refused | Denied {
    if (!this.#ledger.provisioned) {
      if (complete === null) return refuse({ code: "validation_failed", errors: missingForCreation(patch) });
      const state = this.#ledger.create(id, complete, testClockMs ?? null);
      this.#afterChange();
      return { created: true, state, newWebhookUrl: complete.webhookUrl };
    }
    const { identity } = this.#ledger;
    const named = [null, undefined, identity.createdAtMs, identity.testClockMs].includes(testClockMs);
    if (!named || (typeof testClockMs === "number" && identity.testClockMs === null)) {
      const message = "a clock is given at creation, and then only moved forward";
      return refuse({ code: "validation_failed", errors: [{ path: "test_clock", message }] });
    }
    return this.#answer(OPERATOR, () => {
      const before = this.#ledger.books.settings.webhookUrl;
      const state = this.#ledger.changeSettings(patch, byOf(OPERATOR));
      if (isRefusal(state)) return state;
      const { webhookUrl } = state.settings;
      return { created: false, state, newWebhookUrl: webhookUrl === before ? null : webhookUrl };
    });
  }

  state(caller: Caller): EnterpriseState | Refused | Denied {
    return this.#answer(caller, () => this.#ledger.state());
  }

  moveClock(toMs: AtMs): EnterpriseState | Refused | Denied {
    // Days pass for watchers, whether or not anything in the books was due.
    this.#shown = null;
    return this.#answer(OPERATOR, () => this.#ledger.moveClock(toMs));
  }

  followRealClock(): EnterpriseState | Refused | Denied {
    return this.#answer(OPERATOR, () => this.#ledger.followRealClock());
  }

  addGrant(request: GrantRequest): { grant: GrantView; created: boolean } | Refused | Denied {
    return this.#answer(OPERATOR, () => this.#ledger.addGrant(request, byOf(OPERATOR)));
  }

  voidGrant(id: string): GrantView | Refused | Denied {
    return this.#answer(OPERATOR, () => this.#ledger.voidGrant(id, byOf(OPERATOR)));
  }

  /** With `fromMicros` only while that is the cap: else it stays as it is, which the gauge then shows. */
  setCap(caller: Caller, capMicros: Micros | null, fromMicros?: Micros | null): Gauge | Refused | Denied {
    return this.#answer(caller, () => {
      if (fromMicros !== undefined && fromMicros !== this.#ledger.books.capMicros) return this.#ledger.gauge();
      return this.#ledger.setCap(capMicros, byOf(caller));
    });
  }

  putDirectory(change: DirectoryChange): DirectorySize | Refused | Denied {
    return this.#answer(OPERATOR, () => this.#ledger.putDirectory(change));
  }

  addKey(caller: Caller, key: NewKey): KeyView | Refused | Denied {
    return this.#answer(caller, () => this.#keyring.add(key, byOf(caller), Date.now()));
  }

  keys(caller: Caller): KeyView[] | Refused | Denied {
    return this.#answer(caller, () => this.#keyring.list());
  }

  revokeKey(caller: Caller, id: string): { revoked: true } | Refused | Denied {
    return this.#answer(caller, () => {
      const refusal = this.#keyring.revoke(caller, id, Date.now());
      if (refusal !== null) return refusal;
      for (const socket of socketsOfKey(this.ctx, id)) closeSocket(socket, CLOSE_UNAUTHORIZED, "key revoked");
      return { revoked: true as const };
    });
  }

  /** Uses a sign-in link up. */
  useLink(id: string, expiresAtMs: AtMs): { used: true } | Refused | Denied {
    return this.#answer(OPERATOR, () => {
      const fresh = this.#keyring.useLink(id, expiresAtMs, Date.now());
      return fresh ? { used: true as const } : deny({ code: "link_used" });
    });
  }

  /** Grants both sides of a referral; this object is the referee's and keeps the fact. */
  async acceptReferral(referrer: string, bonusMicros: Micros): Promise<{ referrer: string } | Refused | Denied> {
    const fault = this.#fault(OPERATOR) ?? this.#alreadyReferred();
    if (fault !== null) return fault;
    const known = await this.env.ENTERPRISE.getByName(referrer).state(OPERATOR);
    if (isRefusal(known)) return refuse({ code: "referral_code_unknown" });
    // Other calls may have come in between: nothing that was true before the await is taken for granted.
    const accepted = this.#answer(OPERATOR, () => {
      const already = this.#alreadyReferred();
      if (already !== null) return already;
      const granted = this.#ledger.addGrant(refereeGrant(referrer, bonusMicros), byOf(OPERATOR));
      if (isRefusal(granted)) return granted;
      putReferral(this.#ledger.sql, { referrer, bonusMicros, atMs: this.#ledger.nowMs(), settled: false });
      return { referrer };
    });
    if (!isRefusal(accepted)) await this.#background.attempt("settle_referral");
    return accepted;
  }

  /** For the scheduled reconciliation: a book whose audit would keep debits waiting for long is left alone. */
  async auditIfQuick(): Promise<Audit | { tooLarge: true } | Refused | Denied> {
    const fault = this.#fault(OPERATOR);
    if (fault !== null) return fault;
    return countMeters(this.#ledger.sql, QUICK_METERS + 1) > QUICK_METERS ? { tooLarge: true } : this.audit();
  }

  async audit(): Promise<Audit | Refused | Denied> {
    const fault = this.#fault(OPERATOR);
    if (fault !== null) return fault;
    this.#ledger.settle();
    const checks = auditBooks(this.#ledger);
    checks.push(await this.#background.auditCopy());
    return { checkedAtMs: this.#ledger.nowMs(), checks };
  }

  /** Deletes the copy of this enterprise and writes it anew. */
  async rebuild(): Promise<{ batches: number } | Refused | Denied> {
    const fault = this.#fault(OPERATOR);
    if (fault !== null) return fault;
    return { batches: await this.#background.rebuild() };
  }

  /** The delivery log of webhooks, newest first, those before `beforeNumber`; one more than `limit`. */
  webhooks(beforeNumber: number, limit: number): { number: number; view: WebhookView }[] | Refused | Denied {
    return this.#answer(OPERATOR, () => listWebhooks(this.#ledger.sql, beforeNumber, limit + 1));
  }

  testWebhook(): { queued: true } | Refused | Denied {
    return this.#answer(OPERATOR, () => {
      if (this.#ledger.books.settings.webhookUrl === null) return refuse(NO_WEBHOOK_URL);
      const { id } = this.#ledger.identity;
      const timestamp = new Date(this.#ledger.nowMs()).toISOString();
      putWebhook(this.#ledger.sql, { type: "test", timestamp, data: { enterprise: id } }, Date.now());
      this.#background.outboxGrew();
      return { queued: true as const };
    });
  }

  // ---- what happens without a caller

  override async alarm(): Promise<void> {
    if (!this.#ledger.provisioned) return;
    await this.#background.runDue();
    this.#afterChange();
  }

  // ---- below: how the above is done

  #fault(caller: Caller): Refused | Denied | null {
    if (!this.#ledger.provisioned) return refuse({ code: "not_found" });
    const fault = this.#keyring.findFault(caller);
    return fault === null ? null : deny(fault);
  }

  #answer<T>(caller: Caller, act: () => T): T | Refused | Denied {
    const fault = this.#fault(caller);
    if (fault !== null) return fault;
    const answer = act();
    this.#afterChange();
    return answer;
  }

  #alreadyReferred(): Refused | null {
    return loadReferral(this.#ledger.sql) === null ? null : refuse({ code: "already_referred" });
  }

  /** After any call that may have changed something: what is due in the background, and who watches, learn of it. */
  #afterChange(): void {
    const watched = this.ctx.getWebSockets("live").length > 0;
    this.#background.changed(watched);
    const { books } = this.#ledger;
    if (books === this.#shown) return;
    this.#shown = books;
    if (watched) this.#live.changed();
  }

  /** Sends the gauge to everyone who watches; those whose token has expired are sent away for a fresh one. */
  #push(): void {
    const message = JSON.stringify(this.#ledger.gauge());
    for (const socket of this.ctx.getWebSockets("live")) {
      if (hasExpired(ownerOf(socket))) closeSocket(socket, CLOSE_UNAUTHORIZED, "expired");
      else sendTo(socket, message);
    }
  }
}

const NO_WEBHOOK_URL = {
  code: "validation_failed" as const,
  errors: [{ path: "webhook_url", message: "is not set for this enterprise" }],
};
const OPERATOR: Caller = { kind: "operator" };
/** Their audit takes about half a second, in which nothing else is answered. */
const QUICK_METERS = 100_000;

function missingForCreation(patch: Partial<Settings>) {
  const needed = { name: patch.name, billing_model: patch.billingModel, plan: patch.plan };
  return Object.entries(needed)
    .filter(([, value]) => value === undefined)
    .map(([path]) => ({ path, message: "required to create an enterprise" }));
}
