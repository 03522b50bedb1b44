// What an earlier system has recorded: who used which model on each local day. Each row has another key, and the amounts
// come from a seed. `sumBy` adds up the rows in its own way, for comparison with what the product shows.
import { seededRandom, wholeBetween } from "../../tools/kit/random.ts";

export type UsageRow = {
  day: string;
  surface: "web" | "cli";
  workspace: string;
  group: string;
  user: string;
  model: string;
  requests: number;
  amount_micros: number;
  usage: { input_tokens: number; output_tokens: number };
};

export type Sum = { requests: number; micros: number; inputTokens: number; outputTokens: number };

const MODELS = ["gpt-5", "claude-sonnet-4-5", "a model of the past"].map((name) => name.replaceAll(" ", "-"));
const WORKSPACES = 40;
const GROUPS = 8;
const DAY_MS = 86_400_000;

/** Returns the rows of each user for as many days, of which the last is the day before `endsOn`. */
export function makeRows(users: number, days: number, endsOn: string): UsageRow[] {
  const random = seededRandom(20_261_127);
  const rows: UsageRow[] = [];
  for (let daysBack = days; daysBack > 0; daysBack--) {
    const day = new Date(Date.parse(endsOn) - daysBack * DAY_MS).toISOString().slice(0, 10);
    for (let user = 0; user < users; user++) {
      const surfaces = (user + daysBack) % 3 === 0 ? (["web", "cli"] as const) : (["web"] as const);
      for (const surface of surfaces) {
        rows.push({
          day,
          surface,
          workspace: `workspace-${user % WORKSPACES}`,
          group: `group-${(user % WORKSPACES) % GROUPS}`,
          user: `user-${user}`,
          model: MODELS[(user + (surface === "web" ? daysBack : 0)) % MODELS.length] as string,
          requests: wholeBetween(random, 1, 20),
          amount_micros: wholeBetween(random, 0, 3_000_000),
          usage: { input_tokens: wholeBetween(random, 0, 200_000), output_tokens: wholeBetween(random, 0, 20_000) },
        });
      }
    }
  }
  return rows;
}

/** Returns the sums of the rows with each value of `keyOf`. */
export function sumBy(rows: readonly UsageRow[], keyOf: (row: UsageRow) => string): Map<string, Sum> {
  const sums = new Map<string, Sum>();
  for (const row of rows) {
    const sum = sums.get(keyOf(row)) ?? { requests: 0, micros: 0, inputTokens: 0, outputTokens: 0 };
    sum.requests += row.requests;
    sum.micros += row.amount_micros;
    sum.inputTokens += row.usage.input_tokens;
    sum.outputTokens += row.usage.output_tokens;
    sums.set(keyOf(row), sum);
  }
  return sums;
}

export function sumMicros(rows: readonly UsageRow[]): number {
  return rows.reduce((sum, { amount_micros }) => sum + amount_micros, 0);
}
