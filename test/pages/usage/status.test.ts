// The status line and the cards of the usage page for each state of an enterprise.
import { describe, expect, it } from "vitest";
import { type AlertCode, alertOf } from "../../../src/ledger/alerts.ts";
import type { Credit } from "../../../src/ledger/forecast.ts";
import { cardsOf } from "../../../src/pages/usage/cards.tsx";
import { outlookOf } from "../../../src/pages/usage/outlook.ts";
import { type Reader, statusOf } from "../../../src/pages/usage/status.ts";
import type { ParsedAlert } from "../../../src/wire/alerts.ts";
import type { ParsedGauge } from "../../../src/wire/gauge.ts";
import { byomGauge, creditsGauge, UNIT, withExpiry } from "../gauges.ts";

const UPGRADE = { label: "Upgrade plan", url: "https://platform.example/upgrade" };
const INVITE = { label: "Invite", url: "https://platform.example/invite" };
const RAISE = { label: "Raise cap", url: "/settings/model" };
const alert = (code: AlertCode, actionUrl: string | null): ParsedAlert => ({
  ...alertOf(code),
  message: "",
  actionUrl,
});

const ADMIN = { timeZone: "UTC", role: "admin", suspended: false } as const;
const MEMBER = { ...ADMIN, role: "member" } as const;
const status = (of: ParsedGauge, reader: Reader = ADMIN, grants: Credit["grants"] = []) => {
  const { gauge, forecast } = withExpiry(of, grants);
  return statusOf(gauge, outlookOf(gauge, forecast), reader);
};
const kind = (gauge: ParsedGauge) => status(gauge).kind;
const on = (day: number, time = "12:00") => `2026-11-${String(day).padStart(2, "0")}T${time}:00.000Z`;

describe("the status is the first that matches", () => {
  it("exhausted or cap reached, even in the first hours", () => {
    expect(kind(creditsGauge({ now: on(23), used: 1_500 }))).toBe("exhausted");
    expect(kind(creditsGauge({ now: on(1, "03:00"), used: 1_600 }))).toBe("exhausted");
    expect(kind(byomGauge({ used: 500, cap: 500 }))).toBe("cap_reached");
  });

  it("then out within a day, then running out", () => {
    expect(kind(creditsGauge({ now: on(28), used: 1_480 }))).toBe("out_within_a_day");
    expect(kind(creditsGauge({ now: on(23), used: 1_184 }))).toBe("running_out");
    expect(kind(byomGauge({ now: on(23), used: 400, cap: 500 }))).toBe("running_out");
  });

  it("then the highest threshold reached, to the micro", () => {
    expect(kind(creditsGauge({ now: on(29), used: 1_350 }))).toBe("used_90");
    expect(kind(creditsGauge({ now: on(29), used: 1_349.999999 }))).toBe("used_75");
    expect(kind(creditsGauge({ now: on(27), used: 1_125 }))).toBe("used_75");
    expect(kind(creditsGauge({ now: on(23), used: 750 }))).toBe("used_50");
    expect(kind(creditsGauge({ now: on(23), used: 749.999999 }))).toBe("on_track");
  });

  it("too early to tell in the first 24 hours, and a forecast right after", () => {
    const gauge = creditsGauge({ now: on(1, "23:59"), used: 700 });
    expect(gauge.onTrackToRunOut).toBe(true);
    expect(status(gauge)).toMatchObject({ kind: "too_early", actions: [] });
    expect(kind(creditsGauge({ now: on(2, "00:00"), used: 700 }))).toBe("running_out");
  });

  it("no cap before anything that needs one", () => {
    expect(kind(byomGauge({ used: 0 }))).toBe("no_cap");
    expect(kind(byomGauge({ used: 412 }))).toBe("no_cap");
    expect(kind(byomGauge({ used: 0, cap: 500 }))).toBe("nothing_used");
    expect(kind(creditsGauge({ used: 0 }))).toBe("nothing_used");
    expect(kind(creditsGauge({ used: 10 }))).toBe("on_track");
  });
});

it("names in the warning the run-out date and the days before the reset", () => {
  const { lead, sentence, level } = status(creditsGauge({ now: on(23), used: 1_184 }));
  expect(level).toBe("warning");
  expect(lead).toBe("78 % used with 8 days to go.");
  expect(sentence).toBe("At this pace, credits run out on Sun 29 Nov, 1 day before the reset.");
});

it("counts hours on the last day before the reset", () => {
  const { lead } = status(creditsGauge({ now: on(30, "20:30"), used: 800 }));
  expect(lead).toBe("53 % used with 4 hours to go.");
});

describe("a suspension", () => {
  it("is shown before any other status, with whom to ask and without actions", () => {
    const alerts = [alert("exhausted", UPGRADE.url)];
    const gauge = creditsGauge({ now: on(23), used: 1_500, alerts });
    expect(status(gauge, { ...ADMIN, suspended: true })).toEqual({
      kind: "suspended",
      level: "critical",
      lead: "Suspended.",
      sentence:
        "No new run starts. Runs in progress are asked to stop, and what they still use is charged. Ask your platform operator to lift the suspension.",
      actions: [],
    });
  });
});

describe("bonus that expires before the reset", () => {
  const grant = (credits: number, expires: string) => ({ micros: credits * UNIT, expiresAtMs: Date.parse(expires) });

  it("is not counted as left if it would expire unused at the current pace", () => {
    // At 40 a day the allowance lasts beyond the 29th, so no bonus is drawn before it expires.
    const gauge = creditsGauge({ now: on(21, "00:00"), used: 800, bonus: 200 });
    expect(status(gauge).sentence).toBe("About 500 credits left on 1 Dec.");
    expect(status(gauge, ADMIN, [grant(200, on(29))]).sentence).toBe(
      "About 300 credits left on 1 Dec, after about 200 credits expire.",
    );
    expect(status(gauge, ADMIN, [grant(200, "2026-12-02T00:00:00.000Z")]).sentence).toBe(
      "About 500 credits left on 1 Dec.",
    );
  });

  it("is drawn in order of expiry before it expires", () => {
    // The allowance is used up and 50 a day are drawn: by the 25th, 200 from a and nothing from b, which ends then too.
    const of = creditsGauge({ now: on(21, "00:00"), used: 1_000, monthly: 1_000, bonus: 1_500 });
    const { gauge, forecast } = withExpiry(of, [
      grant(300, on(25, "00:00")),
      grant(100, on(25, "00:00")),
      grant(1_100, on(30)),
    ]);
    // 100 of a and 100 of b expire, and 825 of c after 5.5 more days at 50. Then nothing is left.
    expect(outlookOf(gauge, forecast).expiringMicros).toBe((100 + 100 + 825) * UNIT);
    expect(gauge).toMatchObject({ runOutAtMs: Date.parse(on(30)), onTrackToRunOut: true });
  });

  it("makes the balance run out before the reset if nothing else is left then", () => {
    const gauge = creditsGauge({ now: on(26, "00:00"), used: 1_500, monthly: 1_500, bonus: 400 });
    expect(status(gauge).kind).toBe("used_75");
    const { kind, lead, sentence } = status(gauge, ADMIN, [grant(400, on(28, "00:00"))]);
    expect(kind).toBe("running_out");
    expect(lead).toBe("78 % used with 5 days to go.");
    expect(sentence).toBe(
      "At this pace, credits run out on Sat 28 Nov, 3 days before the reset; about 280 credits expire unused.",
    );
  });
});

describe("just enough", () => {
  it("is what credits are that run out within 3 % of the cycle after the reset", () => {
    // 30 days of 50 credits: 1,500 credits last until the reset, and 45 more until 0.9 days later.
    expect(kind(creditsGauge({ now: on(11, "00:00"), used: 500, monthly: 1_500 }))).toBe("just_enough");
    expect(kind(creditsGauge({ now: on(11, "00:00"), used: 500, monthly: 1_544 }))).toBe("just_enough");
    expect(kind(creditsGauge({ now: on(11, "00:00"), used: 500, monthly: 1_546 }))).toBe("on_track");
    expect(status(creditsGauge({ now: on(11, "00:00"), used: 500, monthly: 1_540 }))).toMatchObject({
      lead: "Just enough.",
      sentence: "About 40.0 credits left on 1 Dec.",
    });
  });
});

describe("actions", () => {
  it("come from the alerts, each once and at most two", () => {
    const alerts = [
      alert("on_track_to_run_out", UPGRADE.url),
      alert("usage_75", UPGRADE.url),
      alert("bonus_in_use", INVITE.url),
      alert("cap_not_set", RAISE.url),
    ];
    expect(status(creditsGauge({ used: 1_200, alerts })).actions).toEqual([UPGRADE, INVITE]);
  });

  it("are left out if the enterprise has no link for them", () => {
    const alerts = [alert("usage_75", null), alert("bonus_in_use", INVITE.url)];
    expect(status(creditsGauge({ used: 1_200, alerts })).actions).toEqual([INVITE]);
  });

  it("offer to change the cap only to admins", () => {
    const gauge = byomGauge({ used: 480, cap: 500, alerts: [alert("cap_90", RAISE.url)] });
    expect(status(gauge).actions).toEqual([RAISE]);
    expect(status(gauge, MEMBER).actions).toEqual([]);
  });
});

describe("cards", () => {
  const cards = (gauge: ParsedGauge) =>
    Object.fromEntries(
      cardsOf({ gauge, outlook: outlookOf(gauge, withExpiry(gauge).forecast), timeZone: "UTC" }).map(
        ({ id, label, value, note }) => [id, `${label}: ${value}, ${note}`],
      ),
    );

  it("round elapsed days down and remaining days up", () => {
    expect(cards(creditsGauge({ now: on(23, "23:59"), used: 1_240, bonus: 500 }))).toEqual({
      remaining: "Days remaining: 8, until Tue 1 Dec",
      elapsed: "Days elapsed: 22, of 30",
      average: "Average per day: 53.9, credits, in this cycle",
      "run-out": "Run out in: 14.1 days, 7 days after the reset",
    });
  });

  it("show a dash with the reason if there is no forecast", () => {
    expect(cards(creditsGauge({ used: 0 }))["run-out"]).toBe("Run out in: —, nothing used yet");
    expect(cards(creditsGauge({ now: on(1), used: 5 }))["run-out"]).toBe("Run out in: —, too early to tell");
    expect(cards(byomGauge({ used: 0, cap: 5 }))["run-out"]).toBe("Cap reached in: —, nothing spent yet");
    expect(cards(byomGauge({ used: 5 }))["run-out"]).toBe("Cap reached in: —, no cap is set");
    expect(cards(byomGauge({ used: 500, cap: 500 }))["run-out"]).toBe("Cap reached in: Now, the cap is reached");
  });

  it("show the run-out date, and its time if it is within a day", () => {
    expect(cards(creditsGauge({ now: on(23), used: 1_184 }))["run-out"]).toBe("Run out in: 6 days, around Sun 29 Nov");
    expect(cards(creditsGauge({ now: on(28), used: 1_480 }))["run-out"]).toBe(
      "Run out in: 8 hours, around Sat 28 Nov, 20:55",
    );
  });
});

describe("an allowance of 0", () => {
  const gauge = creditsGauge({ monthly: 0, bonus: 100, used: 100 });

  it("promises no reset, because the reset adds nothing", () => {
    const outlook = outlookOf(gauge, undefined);
    expect(statusOf(gauge, outlook, ADMIN).sentence).toBe("New runs can start again once credits are added.");
    const left = creditsGauge({ monthly: 0, bonus: 1_000, used: 500 });
    const texts = cardsOf({ gauge: left, outlook: outlookOf(left, undefined), timeZone: "UTC" });
    expect(JSON.stringify(texts)).not.toContain("reset");
  });
});
