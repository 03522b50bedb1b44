/**
 * The Durable Object of one enterprise. It only binds the core to the platform. Method names, arguments and return
 * values must stay compatible between releases: during a deploy, old Workers call new objects and new Workers call old
 * ones. This file is long because it has one method for each call.
 */
import { DurableObject } from "cloudflare:workers";
import type { Caller } from "../access/callers.ts";
import type { TokenClaims } from "../access/tokens.ts";
import type { ModelPrice } from "../catalog/price-entry.ts";
import type { RestoreStepName } from "../catalog/restore-steps.ts";
import type { StartRequest } from "../ledger/admission.ts";
import type { Settings } from "../ledger/books.ts";
import type { BudgetKey, BudgetScope, BudgetTerms } from "../ledger/budget.ts";
import type { By } from "../ledger/entries.ts";
import type { GrantRequest } from "../ledger/grants.ts";
import type { Micros } from "../ledger/micros.ts";
import type { Plan } from "../ledger/plans.ts";
import { isRefusal } from "../ledger/refusals.ts";
import type { AtMs } from "../ledger/time.ts";
import type { NewChannel } from "../wire/channel.ts";
import { fromPreviousWorker, type SentReport } from "../wire/previous-release.ts";
import { type DebitBody, writeBody } from "../wire/report.ts";
import type { ViewAsked } from "./answers.ts";
import type { DirectoryChange } from "./books/directory.ts";
import type { NewKey } from "./books/keyring.ts";
import type { BudgetPage } from "./budget-calls.ts";
import { EnterpriseCore } from "./core.ts";
import { durablePlatform } from "./durable-platform.ts";
import type { AuditOptions } from "./jobs/audit-in-call.ts";
import { HibernatingSocket, HibernatingSockets } from "./sockets/hibernating.ts";
import { OWNER_HEADER, type SocketOwner } from "./sockets/sockets.ts";

/** How long an object that was deleted lives on, so that close frames are sent and the last call is answered. */
const CLOSING_MS = 500;

export class EnterpriseObject extends DurableObject<Env> {
  readonly #sockets = new HibernatingSockets(this.ctx);
  /** Whether a deletion has closed sockets. */
  #hadSockets = false;
  #core = this.#newCore();

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    // The platform replies to pings without waking the object.
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair("ping", "pong"));
  }

  // Agents

  /** @param body writes the response's body here; a Worker of the last release does not send it */
  async debit(caller: Caller, reports: readonly SentReport[], body: DebitBody = null) {
    const results = await this.#core.debit(caller, reports.map(fromPreviousWorker));
    return isRefusal(results) ? results : (writeBody(results, body) ?? results);
  }

  pricesChanged(version: number) {
    return this.#core.pricesChanged(version);
  }

  async start(caller: Caller, request: StartRequest) {
    const answer = this.#core.start(caller, request);
    // The row of a run that is forgotten must not refuse a new run with its id.
    if (!isRefusal(answer) || !(await this.#core.jobs.forgetRun(request.run, answer))) return answer;
    return this.#core.start(caller, request);
  }

  releaseHold(caller: Caller, run: string) {
    return this.#core.releaseHold(caller, run);
  }

  // Readers

  /** @param asText returns the gauge as JSON text; a Worker of the last release does not send it */
  gauge(caller: Caller, asText = false) {
    const gauge = this.#core.gauge(caller);
    return asText && !isRefusal(gauge) ? JSON.stringify(gauge) : gauge;
  }

  cycles(caller: Caller, beforeMs: AtMs, limit: number) {
    return this.#core.cycles(caller, beforeMs, limit);
  }

  copyView(caller: Caller, asked?: ViewAsked) {
    return this.#core.copyView(caller, asked);
  }

  checkCopy() {
    return this.#core.checkCopy();
  }

  receipt(caller: Caller, run: string) {
    return this.#core.receipt(caller, run);
  }

  entries(caller: Caller, beforeSeq: number, limit: number) {
    return this.#core.entries(caller, beforeSeq, limit);
  }

  grants(caller: Caller, beforeSeq: number, limit: number) {
    return this.#core.grants(caller, beforeSeq, limit);
  }

  grant(caller: Caller, id: string) {
    return this.#core.grant(caller, id);
  }

  // The operator and admins

  /** @param plans the catalogue of plans; a Worker of the last release sends neither it nor what follows it */
  provision(
    id: string,
    patch: Partial<Settings>,
    complete: Settings | null,
    testClockMs: AtMs | null | undefined,
    plans: readonly Plan[] | null = null,
    by?: By,
    rotateSecret?: boolean,
    shard?: string,
  ) {
    return this.#core.management.provision(id, patch, complete, testClockMs, plans, by, rotateSecret, shard);
  }

  /** @param who issues a token: then the answer also has its `issuedAtMs`. An object of the last release ignores it. */
  state(
    caller: Caller,
    who?: Parameters<EnterpriseCore["access"]["issue"]>[0],
  ): ReturnType<EnterpriseCore["management"]["state"]> {
    return who === undefined ? this.#core.management.state(caller) : this.#core.access.issue(who);
  }

  endSession(caller: Caller) {
    return this.#core.access.endSession(caller);
  }

  signOutPerson(user: string) {
    return this.#core.access.signOutPerson(user);
  }

  moveClock(toMs: AtMs) {
    const { management } = this.#core;
    return management.withPlan(toMs, () => management.moveClock(toMs));
  }

  followRealClock() {
    const { management } = this.#core;
    return management.withPlan(Date.now(), () => management.followRealClock());
  }

  /** @param by who adds it, here and below; a Worker of the last release does not send it */
  addGrant(request: GrantRequest, by?: By) {
    return this.#core.management.addGrant(request, by);
  }

  voidGrant(id: string, by?: By) {
    return this.#core.management.voidGrant(id, by);
  }

  setCap(caller: Caller, capMicros: Micros | null, fromMicros?: Micros | null) {
    return this.#core.management.setCap(caller, capMicros, fromMicros);
  }

  putBudget(caller: Caller, key: BudgetKey, terms: BudgetTerms) {
    return this.#core.budgets.put(caller, key, terms);
  }

  removeBudget(caller: Caller, key: BudgetKey) {
    return this.#core.budgets.remove(caller, key);
  }

  budgets(caller: Caller, page: BudgetPage) {
    return this.#core.budgets.list(caller, page);
  }

  budgetsReached(caller: Caller, dimension: BudgetScope["dimension"]) {
    return this.#core.budgets.reached(caller, dimension);
  }

  budgetsOf(caller: Caller, scope: BudgetScope) {
    return this.#core.budgets.of(caller, scope);
  }

  budgetsOfEach(caller: Caller, scopes: readonly BudgetScope[]) {
    return this.#core.budgets.ofEach(caller, scopes);
  }

  pricing(caller: Caller) {
    return this.#core.management.pricing(caller);
  }

  putOverrides(models: readonly ModelPrice[], by?: By) {
    return this.#core.management.putOverrides(models, by);
  }

  putDirectory(change: DirectoryChange) {
    return this.#core.management.putDirectory(change);
  }

  addKey(caller: Caller, key: NewKey) {
    return this.#core.access.addKey(caller, key);
  }

  keys(caller: Caller, page?: { afterId: string | null; limit: number }) {
    return this.#core.access.keys(caller, page);
  }

  key(caller: Caller, id: string) {
    return this.#core.access.key(caller, id);
  }

  revokeKey(caller: Caller, id: string) {
    return this.#core.access.revokeKey(caller, id);
  }

  /** @param who a Worker of the last release does not send it */
  useLink(id: string, expiresAtMs: AtMs, who: Pick<TokenClaims, "user" | "role" | "issuedAtMs"> | null = null) {
    return this.#core.access.useLink({ id, expiresAtMs, ...who });
  }

  acceptReferral(referrer: string, bonusMicros: Micros, by?: By) {
    return this.#core.management.acceptReferral(referrer, bonusMicros, by);
  }

  auditIfQuick() {
    return this.#core.management.auditIfQuick();
  }

  audit(options?: AuditOptions) {
    return this.#core.management.audit(options);
  }

  auditState() {
    return this.#core.management.auditState();
  }

  moveCopy(shard: string) {
    return this.#core.management.moveCopy(shard);
  }

  rebuild() {
    return this.#core.management.rebuild();
  }

  /** @param caller a Worker of the last release does not send it */
  webhooks(beforeNumber: number, limit: number, caller?: Caller) {
    return this.#core.notifications.webhooks(beforeNumber, limit, caller);
  }

  testWebhook() {
    return this.#core.notifications.testWebhook();
  }

  storeWebhookSecret() {
    return this.#core.notifications.storeWebhookSecret();
  }

  putChannel(caller: Caller, id: string, put: NewChannel, site: string) {
    return this.#core.notifications.putChannel(caller, id, put, site);
  }

  channels(caller: Caller) {
    return this.#core.notifications.channels(caller);
  }

  deleteChannel(caller: Caller, id: string) {
    return this.#core.notifications.deleteChannel(caller, id);
  }

  testChannel(caller: Caller, id: string) {
    return this.#core.notifications.testChannel(caller, id);
  }

  readConfirmation(channel: string, confirmId: string) {
    return this.#core.notifications.readConfirmation(channel, confirmId);
  }

  confirmEmail(channel: string, confirmId: string) {
    return this.#core.notifications.confirmEmail(channel, confirmId);
  }

  // The operator, on the enterprise's data as a whole

  /** Does a part of the enterprise's deletion, and deletes the object's storage last. */
  async deleteStep(enterprise: string) {
    this.#hadSockets ||= this.#sockets.all().length > 0;
    const step = await this.#core.data.deleteStep(enterprise);
    if (step.done) {
      await this.ctx.storage.deleteAlarm();
      await this.ctx.storage.deleteAll();
      // Nothing that the old core has in memory exists any more.
      this.#core = this.#newCore();
      // The platform keeps the connection of a client that never sent a message until the object sleeps.
      if (this.#hadSockets) setTimeout(() => this.ctx.abort("the enterprise was deleted"), CLOSING_MS);
    }
    return step;
  }

  eraseUser(user: string, by?: By) {
    return this.#core.data.eraseUser(user, by);
  }

  checkRestore(...call: Parameters<EnterpriseCore["checkRestore"]>) {
    return this.#core.checkRestore(...call);
  }

  /** One step of a restore; the catalog names it. The steps change together with the catalog, so they have one method. */
  async restoreStep(name: RestoreStepName, args: unknown[]): Promise<unknown> {
    const { restorer } = this.#core;
    return (restorer[name] as (...args: unknown[]) => unknown).apply(restorer, args);
  }

  importHistory(...call: Parameters<EnterpriseCore["data"]["importHistory"]>) {
    return this.#core.data.importHistory(...call);
  }

  exportPage(...call: Parameters<EnterpriseCore["data"]["exportPage"]>) {
    return this.#core.data.exportPage(...call);
  }

  // The platform

  /** Opens a socket. The Worker forwards the client's request and names the socket's owner in a header. */
  override fetch(request: Request): Response {
    const owner = JSON.parse(request.headers.get(OWNER_HEADER) ?? "") as SocketOwner;
    let client: WebSocket | null = null;
    const refused = this.#core.openSocket(owner, () => {
      const accepted = this.#sockets.accept(owner);
      client = accepted.client;
      return accepted.socket;
    });
    if (refused !== null) return Response.json(refused.refusal, { status: 403 });
    return new Response(null, { status: 101, webSocket: client });
  }

  override webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    return this.#core.receive(new HibernatingSocket(socket), message);
  }

  override webSocketClose(socket: WebSocket, code: number): void {
    new HibernatingSocket(socket).close(code);
    this.#sockets.recount();
  }

  override webSocketError(): void {
    this.#sockets.recount();
  }

  override alarm(): Promise<void> {
    return this.#core.alarm();
  }

  #newCore(): EnterpriseCore {
    return new EnterpriseCore(durablePlatform(this.ctx, this.env, this.#sockets));
  }
}
