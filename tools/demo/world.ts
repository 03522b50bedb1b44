// The three demo enterprises, as data: one on credits, one with its own model (byom), one on the free tier.
// Usage is given as a share of what an enterprise has. The seed scales it with the current price book, so that the
// dashboards look the same at all prices, and on every day on which the demo is first started: Acme is on track to run
// out, and the other two are not.

/** A person who starts runs; `cliShare` of them from the command line. */
interface DemoUser {
  id: string;
  name: string;
  group: string;
  cliShare: number;
}

/** A grant that the seed adds while it sends the history. */
export interface DemoGrant {
  id: string;
  source: "referral" | "promotion" | "goodwill";
  amount_micros: number;
  note: string;
  grantedDaysAgo: number;
  expiresInDays: number | null;
}

/** One demo enterprise. */
export interface DemoEnterprise {
  id: string;
  settings: {
    name: string;
    billing_model: "credits" | "byom";
    plan: string;
    time_zone: string;
    upgrade_url?: string;
    referral_url?: string;
  };
  /** How far into the cycle the enterprise is when the seed ends. */
  daysIntoCycle: number;
  /**
   * What this cycle's pace comes to at the cycle's end, as a share of what the enterprise then has (byom: of the cap).
   * Above 1, it is on track to run out.
   */
  paceRatio: number;
  /** What the earlier cycles used, the last one first, as a share of the allowance (byom: of the cap). */
  pastRatios: number[];
  monthlyCapMicros: number | null;
  /** The default budget of each user for a day. */
  dayBudgetMicros: number;
  grants: DemoGrant[];
  groups: { id: string; name: string }[];
  workspaces: { id: string; name: string; group_id?: string }[];
  users: DemoUser[];
  /** Models, most used first. Those that the price book lacks are left out. */
  models: string[];
  /** Runs per hour in the busiest hour of a working day. */
  runsPerBusyHour: number;
  /** The demo's agents start a run about this often. Each costs about this share of what remains, so credits never run out. */
  live: { everySeconds: number; shareOfRemaining: number };
}

const CREDIT = 1_000_000;
const USD = 1_000_000;

const ACME: DemoEnterprise = {
  id: "acme",
  settings: {
    name: "Acme Robotics",
    billing_model: "credits",
    plan: "team",
    time_zone: "Europe/Berlin",
    upgrade_url: "https://example.com/acme/upgrade",
    referral_url: "https://example.com/acme/invite",
  },
  daysIntoCycle: 20,
  paceRatio: 1.15,
  pastRatios: [0.86, 0.64],
  monthlyCapMicros: null,
  dayBudgetMicros: 400 * CREDIT,
  grants: [
    {
      id: "referral-hooli",
      source: "referral",
      amount_micros: 400 * CREDIT,
      note: "Hooli joined",
      grantedDaysAgo: 26,
      expiresInDays: null,
    },
    {
      id: "autumn-promotion",
      source: "promotion",
      amount_micros: 600 * CREDIT,
      note: "Seasonal promotion",
      grantedDaysAgo: 9,
      expiresInDays: 2,
    },
  ],
  groups: [
    { id: "product", name: "Product engineering" },
    { id: "platform", name: "Platform & infrastructure" },
    { id: "research", name: "Data & research" },
  ],
  workspaces: [
    { id: "fleet-console", name: "Fleet console", group_id: "product" },
    { id: "arm-firmware", name: "Arm firmware", group_id: "product" },
    { id: "customer-portal", name: "Customer portal", group_id: "product" },
    { id: "mobile-app", name: "Mobile app", group_id: "product" },
    { id: "checkout", name: "Checkout & payments", group_id: "product" },
    { id: "build-farm", name: "Build farm", group_id: "platform" },
    { id: "observability", name: "Observability", group_id: "platform" },
    { id: "identity", name: "Identity", group_id: "platform" },
    { id: "cluster", name: "Cluster", group_id: "platform" },
    { id: "grasp-planning", name: "Grasp planning", group_id: "research" },
    { id: "simulation", name: "Simulation", group_id: "research" },
    { id: "telemetry-lake", name: "Telemetry lake", group_id: "research" },
    { id: "docs", name: "Documentation" },
    { id: "hackdays", name: "Hack days" },
  ],
  users: [
    { id: "lena.vogt", name: "Lena Vogt", group: "product", cliShare: 0.1 },
    { id: "joerg.mueller", name: "Jörg Müller", group: "platform", cliShare: 0.8 },
    { id: "amara.okafor", name: "Amara Okafor", group: "product", cliShare: 0.2 },
    { id: "tomasz.nowak", name: "Tomasz Nowak", group: "research", cliShare: 0.4 },
    { id: "ines.carvalho", name: "Inês Carvalho", group: "product", cliShare: 0 },
    { id: "mehmet.yilmaz", name: "Mehmet Yılmaz", group: "platform", cliShare: 0.9 },
    { id: "sofia.rossi", name: "Sofia Rossi", group: "research", cliShare: 0.1 },
    { id: "niels.holm", name: "Niels Holm", group: "product", cliShare: 0.3 },
    { id: "priya.nair", name: "Priya Nair", group: "research", cliShare: 0.5 },
    { id: "clara.weiss", name: "Clara Weiß", group: "product", cliShare: 0 },
    { id: "david.cohen", name: "David Cohen", group: "platform", cliShare: 0.6 },
    { id: "yuki.tanaka", name: "Yuki Tanaka", group: "product", cliShare: 0.1 },
  ],
  models: ["claude-sonnet-4-5", "gpt-5", "claude-opus-4-5", "claude-haiku-4-5", "gemini-2.5-pro"],
  runsPerBusyHour: 9,
  live: { everySeconds: 6, shareOfRemaining: 0.0001 },
};

const GLOBEX: DemoEnterprise = {
  id: "globex",
  settings: { name: "Globex Energy", billing_model: "byom", plan: "enterprise", time_zone: "America/New_York" },
  daysIntoCycle: 21,
  paceRatio: 0.88,
  pastRatios: [0.94, 0.7],
  monthlyCapMicros: 500 * USD,
  dayBudgetMicros: 12 * USD,
  grants: [],
  groups: [
    { id: "grid", name: "Grid operations" },
    { id: "trading", name: "Trading" },
  ],
  workspaces: [
    { id: "load-forecast", name: "Load forecast", group_id: "grid" },
    { id: "outage-map", name: "Outage map", group_id: "grid" },
    { id: "meter-gateway", name: "Meter gateway", group_id: "grid" },
    { id: "price-feed", name: "Price feed", group_id: "trading" },
    { id: "risk-engine", name: "Risk engine", group_id: "trading" },
    { id: "settlement", name: "Settlement", group_id: "trading" },
    { id: "intranet", name: "Intranet" },
  ],
  users: [
    { id: "maria.gonzalez", name: "María González", group: "grid", cliShare: 0.2 },
    { id: "james.oconnor", name: "James O'Connor", group: "trading", cliShare: 0.7 },
    { id: "wei.zhang", name: "Wei Zhang", group: "grid", cliShare: 0.4 },
    { id: "fatima.hassan", name: "Fatima Hassan", group: "trading", cliShare: 0.1 },
    { id: "robert.smith", name: "Robert Smith", group: "grid", cliShare: 0 },
    { id: "elena.petrova", name: "Elena Petrova", group: "trading", cliShare: 0.5 },
    { id: "kwame.mensah", name: "Kwame Mensah", group: "grid", cliShare: 0.9 },
  ],
  models: ["gpt-5", "claude-sonnet-4-5", "gpt-5-mini", "gemini-2.5-pro"],
  runsPerBusyHour: 12,
  live: { everySeconds: 8, shareOfRemaining: 0.0001 },
};

const INITECH: DemoEnterprise = {
  id: "initech",
  settings: {
    name: "Initech",
    billing_model: "credits",
    plan: "free",
    time_zone: "Asia/Kolkata",
    upgrade_url: "https://example.com/initech/upgrade",
    referral_url: "https://example.com/initech/invite",
  },
  daysIntoCycle: 24,
  paceRatio: 0.92,
  pastRatios: [0.78, 0.5],
  monthlyCapMicros: null,
  dayBudgetMicros: 40 * CREDIT,
  grants: [],
  groups: [{ id: "everyone", name: "Everyone" }],
  workspaces: [
    { id: "tps-reports", name: "TPS reports", group_id: "everyone" },
    { id: "website", name: "Website", group_id: "everyone" },
    { id: "scratch", name: "Scratch" },
  ],
  users: [
    { id: "ananya.iyer", name: "Ananya Iyer", group: "everyone", cliShare: 0.2 },
    { id: "rahul.verma", name: "Rahul Verma", group: "everyone", cliShare: 0.6 },
    { id: "milton", name: "Milton", group: "everyone", cliShare: 0 },
  ],
  models: ["claude-haiku-4-5", "gpt-5-mini", "gemini-2.5-flash"],
  runsPerBusyHour: 1.2,
  live: { everySeconds: 40, shareOfRemaining: 0.001 },
};

/** The person whose budget is used up. */
export function memberWithBudget({ users }: DemoEnterprise): DemoUser {
  return users.at(-1) as DemoUser;
}

/** All demo enterprises, in the order in which their links are printed. */
export const DEMO_ENTERPRISES: readonly DemoEnterprise[] = [ACME, GLOBEX, INITECH];
