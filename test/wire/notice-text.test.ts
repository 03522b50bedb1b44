// The texts of messages, as a person reads them on a phone. Snapshots: read the changed text before you accept it.
import { expect, it } from "vitest";
import type { GaugeJson } from "../../src/wire/gauge.ts";
import {
  exhaustedNotice,
  expiringNotice,
  type Notice,
  onTrackNotice,
  recoveredNotice,
  showNotice,
  TEST_NOTICE,
  thresholdNotice,
} from "../../src/wire/notice.ts";
import { confirmationEmail, emailOf, slackOf } from "../../src/wire/notice-text.ts";

const CREDIT = 1_000_000;
const SITE = "https://usage.platform.example";
const SENDER = {
  enterprise: "acme",
  name: "Acme Robotics",
  timeZone: "Europe/Berlin",
  atMs: Date.parse("2026-11-20T12:00:00Z"),
};

const CREDITS: GaugeJson = {
  enterprise: "acme",
  name: "Acme Robotics",
  billing_model: "credits",
  unit: "credits",
  plan: "pro",
  suspended: false,
  as_of: "2026-11-20T12:00:00.000Z",
  seq: 7,
  cycle: {
    starts_at: "2026-10-31T23:00:00.000Z",
    ends_at: "2026-11-30T23:00:00.000Z",
    days_elapsed: 19,
    days_remaining: 11,
    days_total: 30,
  },
  monthly: { allowance_micros: 2_000 * CREDIT, used_micros: 1_500 * CREDIT, remaining_micros: 500 * CREDIT },
  bonus: { used_micros: 0, remaining_micros: 0, next_expiry: null },
  spend: null,
  used_micros: 1_500 * CREDIT,
  total_micros: 2_000 * CREDIT,
  remaining_micros: 500 * CREDIT,
  debt_micros: 0,
  held_micros: 0,
  available_micros: 500 * CREDIT,
  used_percent: 75,
  avg_per_day_micros: 77 * CREDIT,
  run_out_days: 6.5,
  run_out_at: "2026-11-27T00:00:00.000Z",
  on_track_to_run_out: true,
  alerts: [],
};
const SPENT = { used_micros: 2_000 * CREDIT, remaining_micros: 0, run_out_at: "2026-11-20T12:00:00.000Z" };
const DOLLARS: GaugeJson = {
  ...CREDITS,
  billing_model: "byom",
  unit: "usd",
  monthly: null,
  bonus: null,
  spend: { cap_micros: 500 * CREDIT, used_micros: 412_400_000 },
  used_micros: 412_400_000,
  total_micros: 500 * CREDIT,
  remaining_micros: 87_600_000,
};
const budget = {
  dimension: "user",
  id: "u-17",
  name: "Ada",
  period: "day",
  limit_micros: 50 * CREDIT,
  used_micros: 38 * CREDIT,
  unit: "credits",
  action: "block",
  resets_at: "2026-11-20T23:00:00.000Z",
};
const budgetNotice = (code: string, over: Record<string, unknown>): Notice => ({
  type: "budget.crossed",
  code,
  level: "warning",
  message: "",
  details: { budget: { ...budget, ...over } },
});
const report = (over: Record<string, unknown> = {}): Notice => ({
  type: "cycle.reported",
  code: "cycle_report",
  level: "info",
  message: "",
  details: {
    cycle: { starts_at: "2026-09-30T22:00:00.000Z", ends_at: "2026-10-31T23:00:00.000Z" },
    unit: "credits",
    used_micros: 1_240 * CREDIT,
    limit_micros: 2_000 * CREDIT,
    requests: 312,
    top: {
      workspaces: [
        { id: "w1", name: "Checkout", amount_micros: 700 * CREDIT },
        { id: "w2", name: null, amount_micros: 540 * CREDIT },
      ],
      users: ["Ada", "Grace", "Edsger", "Barbara"].map((name) => ({ id: name, name, amount_micros: 310 * CREDIT })),
    },
    ...over,
  },
});

const NOTICES: Record<string, Notice> = {
  "a threshold of the credits": thresholdNotice(75, CREDITS),
  "a threshold of the spend cap": thresholdNotice(80, { ...DOLLARS, on_track_to_run_out: false }),
  "on track to run out": onTrackNotice(CREDITS),
  "on track to reach the cap": onTrackNotice(DOLLARS),
  "out of credits": exhaustedNotice({ ...CREDITS, ...SPENT }),
  "the cap is reached": exhaustedNotice({ ...DOLLARS, used_micros: 500 * CREDIT, remaining_micros: 0 }),
  "credits again": recoveredNotice(CREDITS),
  "bonus expires": expiringNotice(CREDITS, { atMs: Date.parse("2026-11-25T23:00:00Z"), micros: 100 * CREDIT }),
  "a daily budget": budgetNotice("budget_75", {}),
  "a budget that is used up": budgetNotice("budget_reached", { period: "cycle", used_micros: 51 * CREDIT, name: null }),
  "a budget that only warns": budgetNotice("budget_reached", { action: "warn", dimension: "group", name: "Team" }),
  "the report of a cycle": report(),
  "the report of an idle cycle": report({ used_micros: 0, requests: 0, top: {} }),
  "a test": TEST_NOTICE,
};

it.each(Object.entries(NOTICES))("email: %s", (_, notice) => {
  const { subject, text } = emailOf(showNotice(notice, SENDER), SITE);
  expect(`Subject: ${subject}\n\n${text}`).toMatchSnapshot();
});

it.each(["a threshold of the credits", "the report of a cycle"])("Slack: %s", (name) => {
  expect(slackOf(showNotice(NOTICES[name] as Notice, SENDER), SITE)).toMatchSnapshot();
});

it("an email that asks for confirmation", () => {
  const envelope = showNotice(TEST_NOTICE, SENDER);
  const { subject, text } = confirmationEmail(envelope, `${SITE}/confirm-email?token=abc`);
  expect(`Subject: ${subject}\n\n${text}`).toMatchSnapshot();
});

it("escapes names in Slack and in HTML, and keeps a subject on one line", () => {
  const envelope = showNotice(thresholdNotice(50, CREDITS), { ...SENDER, name: 'A\n<!channel> & "B"' });
  const { subject, html } = emailOf(envelope, SITE);
  expect(subject).toBe('A <!channel> & "B" has used 50 % of its credits');
  expect(html).toContain("A &lt;!channel&gt; &amp; &quot;B&quot; has used 50 %");
  expect(html).not.toContain("<!channel>");
  const slack = slackOf(envelope, SITE) as { text: string; blocks: { type: string; text: { text: string } }[] };
  expect(slack.text).toContain("A &lt;!channel&gt; &amp;");
  // A header is plain text, in which Slack reads no mention.
  expect(slack.blocks.map(({ type }) => type)).toEqual(["header", "section"]);
  const long = showNotice(thresholdNotice(50, CREDITS), { ...SENDER, name: "x".repeat(200) });
  const [header] = (slackOf(long, SITE) as typeof slack).blocks;
  expect(header?.text.text.length).toBe(150);
});

it("keeps the subject on one line, whatever the name of a budgeted id contains", () => {
  const { subject, text } = emailOf(showNotice(budgetNotice("budget_75", { name: "Ada\r\nBcc: x" }), SENDER), SITE);
  expect(subject).toBe("User Ada Bcc: x has used 75 % of their daily budget");
  expect(text.split("\n")[0]).toBe(subject);
});

it("says of the budget of the group none that it is of runs without a group", () => {
  const notice = budgetNotice("budget_75", { dimension: "group", id: "none", name: null });
  expect(emailOf(showNotice(notice, SENDER), SITE).subject).toBe(
    "Runs without a group have used 75 % of their daily budget",
  );
});

it("names what has no group, and leaves out the groups if there are none", () => {
  const top = (ids: string[]) => ({ groups: ids.map((id) => ({ id, name: null, amount_micros: CREDIT })) });
  const textOf = (ids: string[]) => emailOf(showNotice(report({ top: top(ids) }), SENDER), SITE).text;
  expect(textOf(["none", "red"])).toContain("Top groups: No group 1.0, red 1.0.");
  expect(textOf(["none"])).not.toContain("groups");
});

it("makes no forecast on the first day of a cycle", () => {
  const early = { ...CREDITS, cycle: { ...CREDITS.cycle, days_elapsed: 0 } };
  expect(emailOf(showNotice(thresholdNotice(75, early), SENDER), SITE).text).not.toContain("pace");
});
