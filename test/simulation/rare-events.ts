/**
 * The rare events that the simulation must produce. Each is counted when it happens, so a campaign can prove that it
 * did. The test fails for an event that never happens.
 */
export const RARE_EVENTS = [
  // network
  "report_lost",
  "answer_lost",
  "report_duplicated",
  "report_sent_50_times",
  "report_overtaken",
  "report_late_by_days",
  "report_late_beyond_retention",
  "report_refused_by_age",
  "report_after_retention_on_a_kept_meter",
  "reports_in_one_commit",
  // meters
  "final_lowered_the_charge",
  "finals_joined",
  "report_after_final",
  "alias_moved_to_another_model",
  "price_changed_under_an_open_meter",
  "charge_too_large",
  "unknown_model",
  "run_attribution_conflict",
  "started_in_future",
  "validation_failed",
  "run_closed_again",
  "estimated_final_replaced",
  "tier_reported",
  "searches_reported",
  "multiplier_changed",
  "usage_kept_without_a_price",
  "waiting_usage_priced",
  "waiting_usage_priced_by_a_report",
  "draws_moved_out_of_their_row",
  // buckets
  "bonus_drawn",
  "debt_made",
  "debt_paid_by_a_grant",
  "debt_paid_by_a_larger_allowance",
  "debt_paid_by_a_refund",
  "debt_written_off",
  "refund_to_the_allowance",
  "refund_to_a_grant",
  "refund_of_debt",
  "refund_lapsed",
  "grant_expired",
  "grant_voided",
  "grant_repeated",
  "grant_conflict",
  // time
  "cycle_turned",
  "cycle_turned_over_idle_months",
  "report_in_the_millisecond_of_a_turn",
  "operator_in_the_millisecond_of_a_turn",
  "expiry_in_the_millisecond_of_a_turn",
  "prices_plan_and_cycle_in_one_millisecond",
  "zone_or_anchor_changed",
  "clock_stepped_back",
  "clock_stepped_forward",
  "test_clock_moved",
  "holds_ended_in_portions",
  "grants_ended_in_portions",
  "meters_pruned",
  "run_forgotten",
  "entries_removed",
  // starts and holds
  "start_admitted",
  "start_repeated",
  "credits_exhausted",
  "insufficient_credits",
  "spend_cap_reached",
  "enterprise_suspended",
  "run_closed",
  "hold_raised",
  "hold_released",
  "hold_expired",
  "hold_exhausted",
  "race_admitted_some",
  // budgets
  "budget_set",
  "budget_removed",
  "budget_exhausted",
  "budget_stopped_a_run",
  "budget_announced",
  // operators
  "plan_changed",
  "cap_changed",
  "billing_model_changed",
  "price_book_put",
  "key_revoked",
  "revoked_key_refused",
  // object and platform
  "evicted",
  "evicted_while_projecting",
  "crashed_in_a_transaction",
  "crashed_at_the_commit",
  "crashed_in_a_cycle_turn",
  "storage_full",
  "storage_broke_outside_of_a_transaction",
  "group_retried_one_by_one",
  "alarm_late",
  "alarm_twice",
  "alarm_lost",
  "alarm_lost_until_the_next_call",
  "job_retried",
  "job_interrupted_between_slices",
  "restored",
  "restore_undid_charges",
  "restore_interrupted",
  "restore_met_a_request_on_its_way",
  // the copy
  "copy_down",
  "copy_down_for_hours",
  "copy_slow",
  "copy_out_of_order",
  "copy_timed_out_after_commit",
  "copy_confirm_lost",
  "copy_rebuilt",
  "copy_rebuild_continued_by_the_alarm",
  "copy_lost",
  "copy_replaced_by_an_older_one",
  "copy_found_wrong",
  "copy_found_equal",
  "copy_found_fresh",
  // webhooks
  "webhook_delivered",
  "webhook_retried",
  "webhook_given_up",
  // channels
  "channel_put",
  "channel_delivered",
  "slack_delivered",
  "email_sent",
  "channel_exhausted",
  "channel_recovered",
  // watchers
  "watcher_pushed",
  "watcher_expired",
  "watchers_found_up_to_date",
  // referrals
  "referral_accepted",
] as const;

export type RareEvent = (typeof RARE_EVENTS)[number];

export class RareEventCounts {
  readonly counts: Record<RareEvent, number> = Object.fromEntries(RARE_EVENTS.map((name) => [name, 0])) as Record<
    RareEvent,
    number
  >;

  count(name: RareEvent, times = 1): void {
    this.counts[name] += times;
  }

  add(other: RareEventCounts): void {
    for (const name of RARE_EVENTS) this.count(name, other.counts[name]);
  }

  /** The events that never happened. */
  get missing(): RareEvent[] {
    return RARE_EVENTS.filter((name) => this.counts[name] === 0);
  }
}
