/**
 * Every state of the usage page: how to create an enterprise in that state over the HTTP interface, and the texts that the
 * page then shows. November 2026 has 30 days, and the test clock stands where the state needs it.
 */
import type { Enterprise, Site } from "./site.ts";

type State = {
  name: string;
  kind: string;
  create: (site: Site) => Promise<Enterprise>;
  /** By selector: text that the element must contain, with single spaces. */
  texts: Record<string, string>;
};

const onDay = (day: number, time = "12:00") => `2026-11-${String(day).padStart(2, "0")}T${time}:00.000Z`;
const TOKENS_PER_CREDIT = 10_000;
const TOKENS_PER_DOLLAR = 1_000_000;
const DOLLAR_MICROS = 1_000_000;
const BYOM = { billing_model: "byom", plan: "enterprise", name: "Globex Energy", monthly_allowance_micros: null };

/** Splits the usage over three runs of two users and two workspaces, so that the tables have rows. */
async function spend(enterprise: Enterprise, tokens: number): Promise<void> {
  await enterprise.directory({
    groups: [{ id: "product", name: "Product engineering" }],
    workspaces: [
      { id: "w1", name: "Fleet console", group_id: "product" },
      { id: "w2", name: "Arm firmware" },
    ],
    users: [
      { id: "u1", name: "Lena Vogt" },
      { id: "u2", name: "Jörg Müller" },
    ],
  });
  const parts = [0.5, 0.3, 0.2].map((share) => Math.round(tokens * share));
  parts[0] = tokens - (parts[1] ?? 0) - (parts[2] ?? 0);
  await enterprise.run(parts[0]);
  await enterprise.run(parts[1] ?? 0, { surface: "cli", workspace: "w2", user: "u2" });
  await enterprise.run(parts[2] ?? 0, { user: "u2", model: "other" });
  await enterprise.project();
}

function credits(
  day: string,
  used: number,
  more: { bonus?: number; settings?: Record<string, unknown>; expires?: string } = {},
) {
  return async (site: Site) => {
    const enterprise = await site.newEnterprise({ test_clock: day, ...more.settings });
    if (more.bonus) await enterprise.grant(more.bonus, more.expires ? { expires_at: more.expires } : {});
    if (used > 0) await spend(enterprise, used * TOKENS_PER_CREDIT);
    else await enterprise.project();
    return enterprise;
  };
}

function byom(day: string, dollars: number, capDollars: number | null) {
  return async (site: Site) => {
    const enterprise = await site.newEnterprise({ ...BYOM, test_clock: day });
    if (capDollars !== null) await enterprise.cap(capDollars * DOLLAR_MICROS);
    if (dollars > 0) await spend(enterprise, dollars * TOKENS_PER_DOLLAR);
    else await enterprise.project();
    return enterprise;
  };
}

export const STATES: State[] = [
  {
    name: "suspended",
    kind: "suspended",
    create: async (site) => {
      const enterprise = await credits(onDay(11), 500)(site);
      await enterprise.put({ suspended: true });
      return enterprise;
    },
    texts: {
      "#status": "Suspended. No new run starts. Runs in progress are asked to stop",
      ".headline": "500 of 1,500 credits used 33 %",
    },
  },
  {
    name: "fresh",
    kind: "nothing_used",
    create: credits(onDay(3), 0),
    texts: {
      "#status": "Nothing used yet. 1,500 credits can be used until Tue 1 Dec.",
      "#card-run-out": "— nothing used yet",
      "#chart-summary": "Nothing was used in the last 7 days.",
      "#top-workspace": "Nothing used yet.",
    },
  },
  {
    name: "too early",
    kind: "too_early",
    create: credits(onDay(1, "09:00"), 90),
    texts: {
      "#status": "Too early to tell. The forecast starts 24 hours into the cycle.",
      "#card-run-out": "— too early to tell",
      "#card-elapsed": "0 of 30",
    },
  },
  {
    name: "on track",
    kind: "on_track",
    create: credits(onDay(11), 500, { bonus: 500, expires: "2026-12-14T00:00:00.000Z" }),
    texts: {
      "#status": "On track. About 571 credits left on 1 Dec.",
      ".headline": "500 of 2,000 credits used 25 %",
      "#allocation": "1,500 monthly + 500 bonus − 500 used = 1,500 left",
      ".legend": "Bonus 0 of 500 · 500 expire 14 Dec",
      "#card-remaining": "20 until Tue 1 Dec",
      "#card-average": "47.6 credits, in this cycle",
      "#card-run-out": "31.5 days 12 days after the reset",
    },
  },
  {
    name: "half used",
    kind: "used_50",
    create: credits(onDay(23), 930, { bonus: 0 }),
    texts: { "#status": "62 % used with 8 days to go. On track: about 260 credits left on 1 Dec. Invite" },
  },
  {
    name: "three quarters used",
    kind: "used_75",
    create: credits(onDay(27), 1_155),
    texts: { "#status": "77 % used with 4 days to go. On track: about 192 credits left on 1 Dec. Upgrade plan" },
  },
  {
    name: "nine tenths used",
    kind: "used_90",
    create: credits(onDay(29), 1_377),
    texts: { "#status": "91 % used with 2 days to go. On track: about 50.5 credits left on 1 Dec. Upgrade plan" },
  },
  {
    name: "running out",
    kind: "running_out",
    create: credits(onDay(23), 1_184, { settings: { monthly_allowance_micros: 1_500_000_000 } }),
    texts: {
      "#status":
        "78 % used with 8 days to go. At this pace, credits run out on Sun 29 Nov, 1 day before the reset. Upgrade plan",
      "#card-run-out": "6 days around Sun 29 Nov",
    },
  },
  {
    name: "out within a day",
    kind: "out_within_a_day",
    create: credits(onDay(28), 1_480),
    texts: {
      "#status": "Out of credits in about 8 hours. At this pace, credits run out on Sat 28 Nov at 20:55. Upgrade plan",
      "#card-run-out": "8 hours around Sat 28 Nov, 20:55",
    },
  },
  {
    name: "bonus in use",
    kind: "used_75",
    create: credits(onDay(28), 1_620, { bonus: 500 }),
    texts: {
      "#status": "81 % used with 3 days to go.",
      "#allocation": "The monthly allowance is used up; runs now draw on bonus credits.",
      ".legend": "Monthly 1,500 of 1,500 Bonus 120 of 500",
    },
  },
  {
    name: "exhausted",
    kind: "exhausted",
    create: credits(onDay(20), 1_512),
    texts: {
      "#status": "Out of credits. New runs can start again on Tue 1 Dec, or once credits are added. Upgrade plan",
      ".headline": "1,512 of 1,500 credits used 100 %",
      ".legend": "Over 12.0",
      "#allocation": "Runs in progress used 12.0 credits that no credit covered.",
      "#card-run-out": "Now nothing is left",
    },
  },
  {
    name: "free tier",
    kind: "on_track",
    create: credits(onDay(20), 120, { settings: { plan: "free" } }),
    texts: { "#status": "On track.", ".headline": "120 of 500 credits used 24 %" },
  },
  {
    name: "last day",
    kind: "on_track",
    create: credits(onDay(30, "19:00"), 300),
    texts: { "#card-remaining": "5 until Tue 1 Dec", "#cards": "Hours remaining" },
  },
  {
    name: "bonus expires",
    kind: "running_out",
    create: credits(onDay(21, "00:00"), 1_000, {
      bonus: 1_500,
      expires: "2026-11-25T00:00:00.000Z",
      settings: { monthly_allowance_micros: 1_000_000_000 },
    }),
    texts: {
      "#status":
        "40 % used with 10 days to go. At this pace, credits run out on Wed 25 Nov, 6 days before the reset; about 1,300 credits expire unused.",
    },
  },
  {
    name: "all held",
    kind: "on_track",
    create: async (site) => {
      const enterprise = await credits(onDay(20), 100)(site);
      const hold = { run: "held", surface: "web", workspace: "w1", user: "u1", hold_micros: 1_400_000_000 };
      await site.sendOk("POST", `${enterprise.path}/runs`, hold);
      return enterprise;
    },
    texts: {
      ".legend": "Left 1,400 · 1,400 held for runs",
      "#allocation": "All that is left is held for runs in progress: no new run starts until one of them ends.",
    },
  },
  {
    name: "no cap",
    kind: "no_cap",
    create: byom(onDay(22), 412.4, null),
    texts: {
      "#status": "No spend cap. $412.40 is spent this cycle, and spending has no limit. Set a cap",
      ".headline": "$412.40 spent this cycle, with no cap",
      "#card-run-out": "— no cap is set",
    },
  },
  {
    name: "below the cap",
    kind: "on_track",
    create: byom(onDay(22), 206.4, 500),
    texts: {
      "#status": "On track. About $212.00 below the cap on 1 Dec.",
      ".headline": "$206.40 of $500.00 cap spent 41 %",
    },
  },
  {
    name: "near the cap",
    kind: "used_90",
    create: byom(onDay(29), 455, 500),
    texts: { "#status": "91 % used with 2 days to go. On track: about $21.05 below the cap on 1 Dec. Raise cap" },
  },
  {
    name: "cap reached",
    kind: "cap_reached",
    create: byom(onDay(22), 503.21, 500),
    texts: {
      "#status":
        "Spend cap reached. $503.21 is spent: no new run starts until Tue 1 Dec or until the cap is raised. Raise cap",
      "#card-run-out": "Now the cap is reached",
    },
  },
];
