import { describe, expect, it } from "vitest";
import type { Alert } from "../../src/ledger/alerts.ts";
import { cardsOf } from "../../src/pages/cards.tsx";
import { outlookOf } from "../../src/pages/outlook.ts";
import { statusOf } from "../../src/pages/status.ts";
import { byomGauge, creditsGauge } from "./gauges.ts";

const ADMIN = { timeZone: "UTC", role: "admin" } as const;
const MEMBER = { timeZone: "UTC", role: "member" } as const;
const kind = (gauge: Parameters<typeof statusOf>[0]) => statusOf(gauge, ADMIN).kind;
const on = (day: number, time = "12:00") => `2026-11-${String(day).padStart(2, "0")}T${time}:00.000Z`;

describe("the first state that matches wins", () => {
  it("puts nothing left before everything else, also in the first hours", () => {
    expect(kind(creditsGauge({ now: on(23), used: 1_500 }))).toBe("exhausted");
    expect(kind(creditsGauge({ now: on(1, "03:00"), used: 1_600 }))).toBe("exhausted");
    expect(kind(byomGauge({ used: 500, cap: 500 }))).toBe("cap_reached");
  });

  it("tells out within a day from running out", () => {
    expect(kind(creditsGauge({ now: on(28), used: 1_480 }))).toBe("out_within_a_day");
    expect(kind(creditsGauge({ now: on(23), used: 1_184 }))).toBe("running_out");
    expect(kind(byomGauge({ now: on(23), used: 400, cap: 500 }))).toBe("running_out");
  });

  it("tells the highest threshold once the pace is right, to the micro", () => {
    expect(kind(creditsGauge({ now: on(29), used: 1_350 }))).toBe("used_90");
    expect(kind(creditsGauge({ now: on(29), used: 1_349.999999 }))).toBe("used_75");
    expect(kind(creditsGauge({ now: on(27), used: 1_125 }))).toBe("used_75");
    expect(kind(creditsGauge({ now: on(23), used: 750 }))).toBe("used_50");
    expect(kind(creditsGauge({ now: on(23), used: 749.999999 }))).toBe("on_track");
  });

  it("makes no forecast in the first 24 hours, and one right after", () => {
    const gauge = creditsGauge({ now: on(1, "23:59"), used: 700 });
    expect(gauge.on_track_to_run_out).toBe(true);
    expect(statusOf(gauge, ADMIN)).toMatchObject({ kind: "too_early", actions: [] });
    expect(kind(creditsGauge({ now: on(2, "00:00"), used: 700 }))).toBe("running_out");
  });

  it("speaks of a missing cap before anything that needs one", () => {
    expect(kind(byomGauge({ used: 0 }))).toBe("no_cap");
    expect(kind(byomGauge({ used: 412 }))).toBe("no_cap");
    expect(kind(byomGauge({ used: 0, cap: 500 }))).toBe("nothing_used");
    expect(kind(creditsGauge({ used: 0 }))).toBe("nothing_used");
    expect(kind(creditsGauge({ used: 10 }))).toBe("on_track");
  });
});

it("words the warning banner with the date and the days before the reset", () => {
  const { lead, sentence, level } = statusOf(creditsGauge({ now: on(23), used: 1_184 }), ADMIN);
  expect(level).toBe("warning");
  expect(lead).toBe("78 % used with 8 days to go.");
  expect(sentence).toBe("At this pace credits run out Sun 29 Nov, 1 day before the reset.");
});

it("counts the last hours before the reset as hours", () => {
  const { lead } = statusOf(creditsGauge({ now: on(30, "20:30"), used: 800 }), ADMIN);
  expect(lead).toBe("53 % used with 4 hours to go.");
});

describe("actions", () => {
  const upgrade = { label: "Upgrade plan", url: "https://platform.example/upgrade" };
  const invite = { label: "Invite", url: "https://platform.example/invite" };
  const raise = { label: "Raise cap", url: "/settings/model" };
  const alert = (code: Alert["code"], action: NonNullable<Alert["action"]>): Alert => ({
    code,
    level: "info",
    message: "",
    action,
  });

  it("are those of the alerts, each once, at most two", () => {
    const alerts = [
      alert("on_track_to_run_out", upgrade),
      alert("usage_75", upgrade),
      alert("bonus_in_use", invite),
      alert("free_tier", { label: "Third", url: "https://platform.example/" }),
    ];
    expect(statusOf(creditsGauge({ used: 1_200, alerts }), ADMIN).actions).toEqual([upgrade, invite]);
  });

  it("offer a change of the cap to admins only", () => {
    const gauge = byomGauge({ used: 480, cap: 500, alerts: [alert("cap_90", raise)] });
    expect(statusOf(gauge, ADMIN).actions).toEqual([raise]);
    expect(statusOf(gauge, MEMBER).actions).toEqual([]);
  });
});

describe("cards", () => {
  const cards = (gauge: Parameters<typeof outlookOf>[0]) =>
    Object.fromEntries(
      cardsOf({ gauge, outlook: outlookOf(gauge), timeZone: "UTC" }).map(({ id, label, value, note }) => [
        id,
        `${label}: ${value}, ${note}`,
      ]),
    );

  it("round elapsed days down and remaining days up", () => {
    expect(cards(creditsGauge({ now: on(23, "23:59"), used: 1_240, bonus: 500 }))).toEqual({
      remaining: "Days remaining: 8, until Tue 1 Dec",
      elapsed: "Days elapsed: 22, of 30",
      average: "Average per day: 53.9, credits, in this cycle",
      "run-out": "Run out in: After the reset, at this pace",
    });
  });

  it("say when there is no answer, and why", () => {
    expect(cards(creditsGauge({ used: 0 }))["run-out"]).toBe("Run out in: —, nothing used yet");
    expect(cards(creditsGauge({ now: on(1), used: 5 }))["run-out"]).toBe("Run out in: —, too early to tell");
    expect(cards(byomGauge({ used: 5 }))["run-out"]).toBe("Cap reached in: —, no cap is set");
    expect(cards(byomGauge({ used: 500, cap: 500 }))["run-out"]).toBe("Cap reached in: Now, the cap is reached");
  });

  it("give the date of running out, and the time within a day", () => {
    expect(cards(creditsGauge({ now: on(23), used: 1_184 }))["run-out"]).toBe("Run out in: 6 days, about Sun 29 Nov");
    expect(cards(creditsGauge({ now: on(28), used: 1_480 }))["run-out"]).toBe(
      "Run out in: 8 hours, about Sat 28 Nov, 20:55",
    );
  });
});
