/**
 * The calls of the operator and of admins to one enterprise's Durable Object: settings, grants, the spend cap, prices,
 * names, referrals and audits. The core checks the caller of each call.
 */
import { byOf, type Caller, OPERATOR } from "../access/callers.ts";
import { type Denied, deny } from "../access/refusals.ts";
import type { ModelPrice } from "../catalog/price-entry.ts";
import { FIRST_SHARD } from "../copy/shards.ts";
import type { Settings } from "../ledger/books.ts";
import type { By } from "../ledger/entries.ts";
import type { Gauge } from "../ledger/gauge.ts";
import type { GrantRequest } from "../ledger/grants.ts";
import type { Micros } from "../ledger/micros.ts";
import type { Plan } from "../ledger/plans.ts";
import { isRefusal, type Refused, refuse } from "../ledger/refusals.ts";
import type { AtMs } from "../ledger/time.ts";
import type { GaugeJson } from "../wire/gauge.ts";
import { type GrantJson, showGrant } from "../wire/grant.ts";
import { type PricingJson, type Provisioned, type StateJson, showPricing, showState } from "./answers.ts";
import { loadShard } from "./books/copy-shard.ts";
import type { DirectoryChange, DirectorySize } from "./books/directory.ts";
import type { Keyring } from "./books/keyring.ts";
import type { Ledger } from "./books/ledger.ts";
import { provision } from "./books/provisioning.ts";
import { loadReferral, putReferral, refereeGrant } from "./books/referral.ts";
import { moveTo } from "./copy/move.ts";
import { loadMove, MOVE } from "./copy/move-cursor.ts";
import type { RebuildResult } from "./copy/rebuild.ts";
import type { AuditResult } from "./jobs/audit.ts";
import { type AuditJob, type AuditOptions, type AuditState, auditInCall, stateOfAudit } from "./jobs/audit-in-call.ts";
import type { JobRunner } from "./jobs/runner.ts";
import { learnPlanBefore } from "./plan-terms.ts";
import type { Platform } from "./platform.ts";

const BY_OPERATOR: By = "operator";

type ManagementDeps = {
  ledger: Ledger;
  platform: Platform;
  keyring: Keyring;
  jobs: JobRunner;
  /** Why the caller is refused now; null if it is not refused. */
  fault(caller: Caller): Refused | Denied | null;
  /** Runs the call, unless its caller is refused in this turn. */
  answer<T>(caller: Caller, act: () => T): T | Refused | Denied;
  showGauge(gauge?: Gauge): GaugeJson;
  afterChange(): void;
  /** Called before the enterprise's clock moves, because watchers must then see the new date. */
  clockMoves(): void;
};

export class Management {
  constructor(readonly deps: ManagementDeps) {}

  /**
   * Creates the enterprise, or changes its settings.
   * @param complete all settings of a new enterprise, or null if `patch` lacks some that a new enterprise requires
   * @param plans the catalogue of plans; a Worker of the last release does not send it
   * @param rotateSecret a Worker of the last release does not send it, and shows the derived secret of a new URL
   * @param shard the database for the copy of a new enterprise
   */
  provision(
    id: string,
    patch: Partial<Settings>,
    complete: Settings | null,
    testClockMs: AtMs | null | undefined,
    plans: readonly Plan[] | null = null,
    by: By = BY_OPERATOR,
    rotateSecret?: boolean,
    shard: string = FIRST_SHARD,
  ): Provisioned | Refused | Denied {
    if (this.deps.ledger.deletionBegunAtMs !== null) return refuse({ code: "enterprise_deleted" });
    const fault = this.deps.ledger.provisioned ? this.deps.fault(OPERATOR) : null;
    if (fault !== null) return fault;
    const request = { id, patch, complete, testClockMs, plans, by, rotateSecret, shard };
    const provisioned = provision(this.deps.ledger, request);
    if (this.deps.ledger.provisioned) this.deps.afterChange();
    return isRefusal(provisioned) ? provisioned : { ...provisioned, state: showState(provisioned.state) };
  }

  state(caller: Caller): StateJson | Refused | Denied {
    return this.deps.answer(caller, () => showState(this.deps.ledger.state()));
  }

  /** Moves the clock with `move`, after reading what the plan gives if the cycle ends by `toMs`. */
  async withPlan<T>(toMs: AtMs, move: () => T): Promise<T> {
    if (this.deps.fault(OPERATOR) === null) await learnPlanBefore(toMs, this.deps);
    return move();
  }

  moveClock(toMs: AtMs): StateJson | Refused | Denied {
    this.deps.clockMoves();
    return this.deps.answer(OPERATOR, () => {
      const moved = this.deps.ledger.moveClock(toMs);
      // By the real clock, the alarm does this when it is due.
      if (!isRefusal(moved)) this.deps.ledger.notifyOutlook();
      return showState(moved);
    });
  }

  followRealClock(): StateJson | Refused | Denied {
    return this.deps.answer(OPERATOR, () => showState(this.deps.ledger.followRealClock()));
  }

  /** @param by who adds it; a Worker of the last release does not send it */
  addGrant(request: GrantRequest, by: By = BY_OPERATOR): { grant: GrantJson; created: boolean } | Refused | Denied {
    return this.deps.answer(OPERATOR, () => {
      const added = this.deps.ledger.addGrant(request, by);
      return isRefusal(added) ? added : { ...added, grant: showGrant(added.grant) };
    });
  }

  voidGrant(id: string, by: By = BY_OPERATOR): GrantJson | Refused | Denied {
    return this.deps.answer(OPERATOR, () => {
      const voided = this.deps.ledger.voidGrant(id, by);
      return isRefusal(voided) ? voided : showGrant(voided);
    });
  }

  /**
   * Sets the spend cap. If `fromMicros` is given, the cap changes only if it currently equals `fromMicros`. Returns the
   * gauge, which shows the cap that is now in force.
   */
  setCap(caller: Caller, capMicros: Micros | null, fromMicros?: Micros | null): GaugeJson | Refused | Denied {
    return this.deps.answer(caller, () => {
      if (this.deps.keyring.lacksAdmin(caller)) return deny({ code: "scope_denied" });
      if (fromMicros !== undefined && fromMicros !== this.deps.ledger.books.capMicros) return this.deps.showGauge();
      const gauge = this.deps.ledger.setCap(capMicros, byOf(caller));
      return isRefusal(gauge) ? gauge : this.deps.showGauge(gauge);
    });
  }

  pricing(caller: Caller): PricingJson | Refused | Denied {
    return this.deps.answer(caller, () => showPricing(this.deps.ledger));
  }

  putOverrides(models: readonly ModelPrice[], by: By = BY_OPERATOR): PricingJson | Refused | Denied {
    return this.deps.answer(OPERATOR, () => showPricing(this.deps.ledger.putOverrides(models, by)));
  }

  putDirectory(change: DirectoryChange): DirectorySize | Refused | Denied {
    return this.deps.answer(OPERATOR, () => this.deps.ledger.putDirectory(change));
  }

  /**
   * Adds the grants of both sides of a referral. This enterprise is the one that was referred.
   * @param by who adds them; a Worker of the last release does not send it
   */
  async acceptReferral(
    referrer: string,
    bonusMicros: Micros,
    by: By = BY_OPERATOR,
  ): Promise<{ referrer: string } | Refused | Denied> {
    const fault = this.deps.fault(OPERATOR) ?? this.#alreadyReferred();
    if (fault !== null) return fault;
    if (!(await this.deps.platform.peers.exists(referrer))) return refuse({ code: "referral_code_unknown" });
    const accepted = this.deps.answer(OPERATOR, () => {
      // Another call may have accepted a referral during the await.
      const already = this.#alreadyReferred();
      if (already !== null) return already;
      const granted = this.deps.ledger.addGrant(refereeGrant(referrer, bonusMicros), by);
      if (isRefusal(granted)) return granted;
      const atMs = this.deps.ledger.nowMs();
      putReferral(this.deps.platform.sql, { referrer, bonusMicros, by, atMs, settled: false });
      return { referrer };
    });
    if (!isRefusal(accepted)) await this.deps.jobs.runNow("settle_referral");
    return accepted;
  }

  /** Audits the enterprise, for Workers of the last release. The scheduled reconciliation of this one calls `audit`. */
  async auditIfQuick(): Promise<AuditResult | { tooLarge: true } | Refused | Denied> {
    const audit = await this.audit({ sliced: true, maxAgeMs: 3_600_000 });
    return "job" in audit ? { tooLarge: true } : audit;
  }

  /** Audits the enterprise; see auditInCall. */
  async audit(options: AuditOptions = {}): Promise<AuditResult | AuditJob | Refused | Denied> {
    return this.deps.fault(OPERATOR) ?? auditInCall(this.deps.jobs, this.deps.platform, options);
  }

  /** Returns the audit that is running and the last result, for the operator's page. Starts nothing. */
  auditState(): AuditState | Refused | Denied {
    return this.deps.answer(OPERATOR, () => stateOfAudit(this.deps.jobs));
  }

  /** Writes this enterprise's copy in D1 again; see JobRunner.rebuild. */
  async rebuild(): Promise<RebuildResult | { job: string } | Refused | Denied> {
    return this.deps.fault(OPERATOR) ?? this.deps.jobs.rebuild();
  }

  /** Moves this enterprise's copy to another database. Returns the job. */
  async moveCopy(shard: string): Promise<{ job: string } | Refused | Denied> {
    const { ledger, jobs } = this.deps;
    const fault = this.deps.fault(OPERATOR);
    if (fault !== null) return fault;
    if (loadShard(ledger.sql) === shard && loadMove(ledger.sql) === null) {
      return refuse({ code: "validation_failed", errors: [{ path: "shard", message: "already has the copy" }] });
    }
    return { job: (await jobs.start(MOVE, moveTo(ledger, shard))).id };
  }

  #alreadyReferred(): Refused | null {
    return loadReferral(this.deps.platform.sql) === null ? null : refuse({ code: "already_referred" });
  }
}
