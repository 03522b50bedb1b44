/**
 * Keeps the books of one enterprise: load → decide → commit → answer. Every method is one transaction without an
 * await, by a clock that is handed in; it knows SQLite and the ledger, and nothing of Workers, so a simulator can run
 * it as it is. What is in memory is a copy of what is stored, replaced only after a commit.
 */
import { decideAdmission, type StartRequest } from "../ledger/admission.ts";
import { type Books, type Settings, unitOf } from "../ledger/books.ts";
import { owesWithCredit } from "../ledger/buckets.ts";
import { cycleAt } from "../ledger/cycle.ts";
import { answerDebit, type DebitAnswer, decideDebit, type Report, runTotal } from "../ledger/debit.ts";
import { cycleStarted, freshCycle, nextDueAt } from "../ledger/due.ts";
import type { By } from "../ledger/entries.ts";
import { type Gauge, gaugeOf } from "../ledger/gauge.ts";
import { decideGrant, decideVoid, type GrantRequest, type GrantView, viewGrant } from "../ledger/grants.ts";
import { endHold } from "../ledger/holds.ts";
import { type AtMs, MAX_MICROS, type Micros } from "../ledger/micros.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import { decideCap, decideSettings } from "../ledger/settings.ts";
import { nothingTold } from "../ledger/thresholds.ts";
import { Change } from "./change.ts";
import { debitItem, holdItem } from "./journal.ts";
import { nextRevision } from "./progress.ts";
import type { Identity } from "./rows.ts";
import type { Sql } from "./sql.ts";
import { Store } from "./store.ts";
import { migrate, schemaStep } from "./tables.ts";

/** An enterprise as the object knows it: its identity, the settings asked for, and the gauge. */
export type EnterpriseState = { identity: Identity; settings: Settings; capMicros: Micros | null; gauge: Gauge };

export type StartAnswer = {
  run: string;
  created: boolean;
  hold: { micros: Micros; expiresAtMs: AtMs } | null;
  gauge: Gauge;
};

/** A start that was refused, with what helps the caller on. */
export type TurnedAway = Refused & { upgradeUrl: string | null; gauge: Gauge };

export class Bookkeeper {
  readonly store: Store;
  /** Null until loaded, and after a failed commit: the next call loads what is stored. */
  #kept: { books: Books; identity: Identity } | null = null;
  /** Not later than the end of any active hold; a bound that is too early only costs a look. */
  #holdEndMs = 0;

  constructor(
    readonly sql: Sql,
    readonly realNowMs: () => AtMs,
    /** Told when a commit has put an event into the outbox of webhooks. */
    readonly onOutbox: () => void = () => {},
  ) {
    this.store = new Store(sql);
  }

  /** False for an object that was never provisioned; asking writes nothing. */
  get provisioned(): boolean {
    return this.#kept !== null || (schemaStep(this.sql) > 0 && this.#load() !== null);
  }

  get identity(): Identity {
    return this.#state().identity;
  }

  /** The books as they were last settled. */
  get books(): Books {
    return this.#state().books;
  }

  /** The enterprise's clock: its own where it has one, else the real one, which is not followed backwards. */
  nowMs(): AtMs {
    const { identity } = this.#state();
    return identity.testClockMs ?? Math.max(this.realNowMs(), identity.lastAtMs);
  }

  /** When time itself will next change the books, by the enterprise's clock. */
  nextDueAtMs(): AtMs {
    return Math.min(nextDueAt(this.books), this.#holdEndMs);
  }

  create(id: string, settings: Settings, testClockMs: AtMs | null): EnterpriseState {
    migrate(this.sql);
    const nowMs = testClockMs ?? this.realNowMs();
    const bounds = cycleAt(nowMs, settings.timeZone, settings.anchorDay);
    const cycle = freshCycle({ settings }, bounds);
    const books: Books = {
      settings,
      cycle,
      grants: [],
      held: { credits: 0, usd: 0 },
      capMicros: null,
      told: nothingTold(cycle.startsAtMs, unitOf(settings.billingModel)),
      seq: 1,
    };
    const identity = { id, createdAtMs: nowMs, testClockMs, demo: false, lastAtMs: nowMs };
    this.sql.transaction(() => {
      this.store.putEnterprise(identity, books);
      this.store.putEntries([{ ...cycleStarted(cycle, null, nowMs, "operator"), seq: books.seq }]);
    });
    this.#kept = null;
    return this.state();
  }

  state(): EnterpriseState {
    return this.#change((change) => stateOf(change));
  }

  gauge(): Gauge {
    return this.#change((change) => gaugeOf(change.identity.id, change.books, change.nowMs));
  }

  /** Brings the books up to the clock. True when something was due. */
  settle(): boolean {
    const { seq } = this.books;
    return this.#change((change) => change.books.seq !== seq);
  }

  changeSettings(patch: Partial<Settings>, by: By): EnterpriseState | Refused {
    return this.#change((change) => {
      const settings = { ...change.books.settings, ...patch };
      const decided = decideSettings(change.books, settings, by, change.nowMs);
      if (isRefusal(decided)) return decided;
      change.books = decided.books;
      const paidMicros = change.payDebt();
      const entries = decided.entries.map((entry) =>
        entry.facts.type === "plan_changed"
          ? { ...entry, facts: { ...entry.facts, debt_paid_micros: paidMicros } }
          : entry,
      );
      change.record(entries);
      nextRevision(this.sql, "settings_revision");
      return stateOf(change);
    });
  }

  setCap(capMicros: Micros | null, by: By): Gauge | Refused {
    return this.#change((change) => {
      const decided = decideCap(change.books, capMicros, by, change.nowMs);
      if (isRefusal(decided)) return decided;
      change.books = decided.books;
      change.record(decided.entries);
      return gaugeOf(change.identity.id, change.books, change.nowMs);
    });
  }

  /** Moves a test clock forward; what is due on the way happens, in order. */
  moveClock(toMs: AtMs): EnterpriseState | Refused {
    const { identity } = this.#state();
    if (identity.testClockMs === null) return refuse({ code: "not_a_test_clock" });
    if (toMs < identity.testClockMs) return refuse({ code: "clock_backwards", clockAtMs: identity.testClockMs });
    return this.#change((change) => {
      change.identity = { ...change.identity, testClockMs: toMs };
      return stateOf(change);
    }, toMs);
  }

  /** Lets a demo enterprise leave its test clock for the real one, and marks its history as demo data. */
  followRealClock(): EnterpriseState | Refused {
    const { identity } = this.#state();
    const realMs = this.realNowMs();
    if (identity.testClockMs === null) return refuse({ code: "not_a_test_clock" });
    if (realMs < identity.testClockMs) return refuse({ code: "clock_backwards", clockAtMs: identity.testClockMs });
    return this.#change((change) => {
      change.identity = { ...change.identity, testClockMs: null, demo: true };
      return stateOf(change);
    }, realMs);
  }

  addGrant(request: GrantRequest, by: By): { grant: GrantView; created: boolean } | Refused {
    return this.#change((change) => {
      const known = this.store.loadGrants([request.id])[0] ?? null;
      const decided = decideGrant(change.books, known, request, change.nowMs);
      if (isRefusal(decided)) return decided;
      const { grant, created } = decided;
      change.books = decided.books;
      if (created) {
        const facts = {
          type: "grant_added",
          grant: grant.id,
          amount_micros: grant.amountMicros,
          source: grant.source,
          expires_at: grant.expiresAtMs === null ? null : new Date(grant.expiresAtMs).toISOString(),
          debt_paid_micros: change.payDebt(),
        } as const;
        change.record([{ atMs: change.nowMs, by, facts }]);
      }
      const now = change.books.grants.find((candidate) => candidate.id === grant.id) ?? grant;
      return { grant: viewGrant(now, change.nowMs), created };
    });
  }

  voidGrant(id: string, by: By): GrantView | Refused {
    return this.#change((change) => {
      const known = change.books.grants.find((grant) => grant.id === id) ?? this.store.loadGrants([id])[0];
      if (known === undefined) return refuse({ code: "not_found" });
      if (!change.books.grants.includes(known)) change.addGrants([known]);
      const decided = decideVoid(change.books, known, change.nowMs);
      change.books = decided.books;
      if (decided.voidedMicros !== null) {
        const facts = { type: "grant_voided", grant: id, amount_micros: decided.voidedMicros } as const;
        change.record([{ atMs: change.nowMs, by, facts }]);
      }
      return viewGrant(decided.grant, change.nowMs);
    });
  }

  /** Debits any number of reports in one transaction, in the order given; each is answered or refused on its own. */
  debit(reports: readonly Report[]): (DebitAnswer | Refused)[] {
    return this.#change((change) => {
      change.load([...new Set(reports.map((report) => report.run))]);
      return reports.map((report) => this.#debitOne(change, report));
    });
  }

  start(request: StartRequest): StartAnswer | TurnedAway {
    return this.#change((change) => {
      change.load([request.run]);
      const known = { books: change.books, run: change.run(request.run), meters: change.metersOf(request.run) };
      const decided = decideAdmission(known, request, change.nowMs);
      if (isRefusal(decided)) {
        const { upgradeUrl } = change.books.settings;
        return { ...decided, upgradeUrl, gauge: gaugeOf(change.identity.id, change.books, change.nowMs) };
      }
      change.books = decided.books;
      if (decided.changed) {
        change.putRun(decided.run);
        change.addItem(holdItem(decided.run, change.books.seq));
      }
      const { hold } = decided.run;
      return {
        run: request.run,
        created: decided.created,
        hold: hold === null ? null : { micros: hold.micros, expiresAtMs: hold.expiresAtMs },
        gauge: gaugeOf(change.identity.id, change.books, change.nowMs),
      };
    });
  }

  releaseHold(name: string): Gauge | Refused {
    return this.#change((change) => {
      change.load([name]);
      const run = change.run(name);
      if (run === null) return refuse({ code: "not_found" });
      if (run.hold !== null) {
        const ended = endHold(change.books, run);
        change.books = { ...ended.books, seq: ended.books.seq + 1 };
        change.putRun(ended.run);
        change.addItem(holdItem(run, change.books.seq));
      }
      return gaugeOf(change.identity.id, change.books, change.nowMs);
    });
  }

  #debitOne(change: Change, report: Report): DebitAnswer | Refused {
    const run = change.run(report.run);
    // Only a final report can lower a total, and only a refund needs grants that are used up.
    if (report.final) change.bringGrants(change.metersOf(report.run));
    const known = { books: change.books, run, meters: change.metersOf(report.run) };
    const debit = decideDebit(known, report, change.nowMs, (workspace) => this.store.groupOfWorkspace(workspace));
    if (isRefusal(debit)) return debit;
    change.books = debit.books;
    if (debit.run !== run) change.putRun(debit.run);
    if (debit.changed) {
      change.putMeter(debit.meter);
      change.addItem(debitItem(debit));
    }
    if (owesWithCredit(change.books, change.nowMs)) change.payDebt();
    const meters = change.metersOf(report.run);
    if (debit.closedRun) {
      change.books = { ...change.books, seq: change.books.seq + 1 };
      const facts = {
        type: "run_closed",
        run: report.run,
        credits_micros: runTotal(meters, "credits"),
        usd_micros: runTotal(meters, "usd"),
      } as const;
      change.record([{ atMs: change.nowMs, by: BY_AGENT, facts }]);
    }
    return answerDebit(debit, change.books, meters, change.nowMs);
  }

  /**
   * One change: settles what is due, lets `decide` replace values, commits. No await in here: nothing can come between
   * load and commit. When it throws, nothing is kept and nothing is stored.
   */
  #change<T>(decide: (change: Change) => T, nowMs = this.nowMs()): T {
    const before = this.#state();
    const change = new Change(this.store, before, nowMs);
    const due = nowMs >= this.nextDueAtMs();
    try {
      const answer = this.sql.transaction(() => {
        if (due) change.settle();
        const decided = decide(change);
        change.tell(this.realNowMs());
        change.commit();
        return decided;
      });
      this.#kept = { books: change.books, identity: change.identity };
      if (change.outboxGrew) this.onOutbox();
      this.#holdEndMs = due ? this.#loadHoldEnd() : Math.min(this.#holdEndMs, change.soonestHoldEnd());
      return answer;
    } catch (error) {
      this.#kept = null;
      throw error;
    }
  }

  #state(): { books: Books; identity: Identity } {
    const kept = this.#kept ?? this.#load();
    if (kept === null) throw new Error("the enterprise was never provisioned");
    return kept;
  }

  #load(): { books: Books; identity: Identity } | null {
    migrate(this.sql);
    this.#kept = this.store.loadEnterprise();
    this.#holdEndMs = this.#loadHoldEnd();
    return this.#kept;
  }

  #loadHoldEnd(): AtMs {
    return this.store.nextHoldEnd() ?? Number.POSITIVE_INFINITY;
  }
}

const BY_AGENT: By = "agent";
export const NEWEST = MAX_MICROS;

function stateOf(change: Change): EnterpriseState {
  const { books, identity, nowMs } = change;
  const gauge = gaugeOf(identity.id, books, nowMs);
  return { identity, settings: books.settings, capMicros: books.capMicros, gauge };
}
