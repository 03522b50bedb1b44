/**
 * Checks a gauge against the contract (rule R9 and the section on the gauge), with the sums of the reference.
 */
import type { GaugeJson } from "../../src/wire/gauge.ts";
import { datesBetween, firstInstantOf, localDateOf } from "../support/reference-calendar.ts";
import type { World } from "./world.ts";

const DAY_MS = 86_400_000;
const SOON_MS = 7 * DAY_MS;

export function checkGauge(world: World, gauge: GaugeJson, nowMs: number): void {
  const { reference } = world;
  const { money, settings, unit, cap } = reference;
  const { used, total, remaining, held, available } = reference.balance(unit, nowMs);
  const credits = unit === "credits";
  const iso = (ms: number) => new Date(ms).toISOString();
  const bonus = money.bonusLeft(nowMs);
  world.same(
    "the gauge",
    [
      [gauge.enterprise, gauge.name, gauge.billing_model, gauge.unit, gauge.plan, gauge.suspended, gauge.as_of],
      [gauge.cycle.starts_at, gauge.cycle.ends_at],
      [gauge.used_micros, gauge.total_micros, gauge.remaining_micros, gauge.held_micros, gauge.available_micros],
      gauge.debt_micros,
      gauge.monthly,
      gauge.bonus,
      gauge.spend,
    ],
    [
      ["acme", settings.name, settings.billingModel, unit, settings.plan, settings.suspended, iso(nowMs)],
      [iso(money.cycle.startsMs), iso(money.cycle.endsMs)],
      [used, total, remaining, held, available],
      credits ? money.taken("debt") : 0,
      credits
        ? {
            allowance_micros: money.cycle.allowance,
            used_micros: money.taken("monthly"),
            remaining_micros: money.monthlyLeft,
          }
        : null,
      credits
        ? { used_micros: money.taken("grant"), remaining_micros: bonus, next_expiry: nextExpiry(world, nowMs) }
        : null,
      credits ? null : { cap_micros: cap, used_micros: used },
    ],
  );
  checkPercent(world, gauge.used_percent, used, total);
  checkDays(world, gauge, nowMs);
  checkForecast(world, gauge, nowMs);
  const codes = [...(settings.suspended ? ["suspended"] : []), ...alertCodes(world, gauge, nowMs)];
  world.same("alerts", gauge.alerts.map(({ code }) => code).sort(), codes.sort());
}

/** Two decimals. The contract does not say how a half is rounded. */
export function checkPercent(world: World, found: number | null, used: number, total: number | null): void {
  const expected = total === null || total === 0 ? null : (used / total) * 100;
  const near = found === null || expected === null ? found === expected : Math.abs(found - expected) <= 0.0051;
  if (!near) world.fail(`used_percent is ${found}, ${used} of ${total} is ${expected}`);
}

function nextExpiry({ reference }: World, nowMs: number) {
  const first = reference.money.usable(nowMs).find(({ expiresMs }) => expiresMs !== null);
  if (first === undefined || first.expiresMs === null) return null;
  const micros = reference.money
    .usable(nowMs)
    .filter(({ expiresMs }) => expiresMs === first.expiresMs)
    .reduce((sum, { left }) => sum + left, 0);
  return { at: new Date(first.expiresMs).toISOString(), micros };
}

function checkDays(world: World, { cycle }: GaugeJson, nowMs: number): void {
  const { startsMs, endsMs, zone } = world.reference.money.cycle;
  // After a change of zone a cycle may start in the middle of a local day: then days are not dates.
  if (firstInstantOf(localDateOf(startsMs, zone), zone) !== startsMs) return;
  const [total, elapsed] = [datesBetween(startsMs, endsMs, zone), datesBetween(startsMs, nowMs, zone)];
  const found = [cycle.days_total, cycle.days_elapsed, cycle.days_remaining];
  world.same("days of the cycle", found, [total, elapsed, total - elapsed]);
}

function checkForecast(world: World, gauge: GaugeJson, nowMs: number): void {
  const { used_micros: used, remaining_micros: remaining } = gauge;
  const { money } = world.reference;
  const { startsMs, endsMs } = money.cycle;
  const perDay = used / Math.max(1, (nowMs - startsMs) / DAY_MS);
  if (Math.abs(gauge.avg_per_day_micros - perDay) > 1) world.fail(`avg_per_day is ${gauge.avg_per_day_micros}`);
  const days = remaining === null ? null : remaining === 0 ? 0 : perDay === 0 ? null : daysUntilEmpty();
  function daysUntilEmpty(): number {
    if (gauge.unit === "usd") return (remaining ?? 0) / perDay;
    let atMs = nowMs + (money.monthlyLeft / perDay) * DAY_MS;
    for (const { left, expiresMs } of money.usable(nowMs)) {
      if (expiresMs !== null && expiresMs <= atMs) continue;
      atMs = Math.min(atMs + (left / perDay) * DAY_MS, expiresMs ?? Number.POSITIVE_INFINITY);
    }
    return (atMs - nowMs) / DAY_MS;
  }
  const found = gauge.run_out_days;
  const near = found === null || days === null ? found === days : Math.abs(found - days) <= 0.0051 + days * 1e-9;
  if (!near) world.fail(`run_out_days is ${found}, not ${days}`);
  const outMs = days === null || days > 3_652 ? null : nowMs + days * DAY_MS;
  const early = outMs !== null && outMs < endsMs - 1;
  if (early && !gauge.on_track_to_run_out) world.fail("runs out before the end of the cycle, but does not say so");
  if ((outMs ?? endsMs + 2) > endsMs + 1 && gauge.on_track_to_run_out)
    world.fail("says that it runs out, but does not");
}

function alertCodes({ reference }: World, gauge: GaugeJson, nowMs: number): string[] {
  const { money, settings, cap } = reference;
  const { used, total, remaining } = reference.balance(reference.unit, nowMs);
  const reached = (percents: number[]) =>
    percents
      .filter((percent) => (total ?? 0) > 0 && BigInt(used) * 100n >= BigInt(total ?? 0) * BigInt(percent))
      .at(-1);
  const track = gauge.on_track_to_run_out && nowMs - money.cycle.startsMs >= DAY_MS;
  if (reference.unit === "usd") {
    if (cap === null) return ["cap_not_set"];
    if (used >= cap) return ["cap_reached"];
    const level = reached([75, 90]);
    return [...(track ? ["on_track_to_reach_cap"] : []), ...(level === undefined ? [] : [`cap_${level}`])];
  }
  const codes: string[] = [];
  const level = reached([50, 75, 90]);
  if (remaining === 0) codes.push("exhausted");
  else {
    if (track) codes.push("on_track_to_run_out");
    if (level !== undefined) codes.push(`usage_${level}`);
    if (money.monthlyLeft === 0) codes.push("bonus_in_use");
  }
  const soon = money.usable(nowMs).some(({ expiresMs }) => expiresMs !== null && expiresMs - nowMs <= SOON_MS);
  if (soon) codes.push("bonus_expiring");
  if (settings.plan === "free") codes.push("free_tier");
  return codes;
}
