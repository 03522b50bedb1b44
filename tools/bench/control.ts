// Measures what budgets and channels cost: debits and starts of an enterprise with a thousand budgets, and debits of one
// with fifty channels, in turn with those of an enterprise without any. The budgets limit every id that the reports use,
// and are too large to be reached.
import { bearer, requestBytes } from "../workerd/http-connection.ts";
import type { Runtime } from "../workerd/runtime.ts";
import { runClosed } from "./http-load.ts";
import { formatNumber, type Row } from "./report.ts";
import { median, ratiosOf } from "./stats.ts";
import { Reporter } from "./workload.ts";

const CONNECTIONS = 32;
const BUDGETS = 1_000;
const CHANNELS = 50;
const LEAD_MS = 300;
/** How many short turns replace a planned one, so that other work on the machine affects all sides alike. */
const SHORT_TURNS = 3;
const LIMIT_MICROS = 4_000_000_000_000_000;

const SIDES = ["plain", "budgets", "channels"] as const;
type Side = (typeof SIDES)[number];

/** Requests per second, by round. */
type ControlRounds = { debits: Record<Side, number>[]; starts: Record<"plain" | "budgets", number>[] };

export async function measureControl(runtime: Runtime, rounds: number, measureMs: number): Promise<ControlRounds> {
  const keys = {} as Record<Side, string>;
  for (const side of SIDES) keys[side] = await runtime.provision(`control-${side}`);
  await setBudgets(runtime);
  for (let i = 0; i < CHANNELS; i++) {
    const channel = { kind: "webhook", target: `https://hooks.example.com/${i}` };
    await runtime.call("PUT", `/v1/enterprises/control-channels/channels/c${i}`, channel);
  }
  const result: ControlRounds = { debits: [], starts: [] };
  const turnMs = measureMs / SHORT_TURNS;
  for (let round = 0; round < rounds * SHORT_TURNS; round++) {
    const debits = {} as Record<Side, number>;
    for (const side of SIDES) debits[side] = await debitsPerSecond(runtime, side, keys[side], round, turnMs);
    const plain = await startsPerSecond(runtime, "plain", keys.plain, round, turnMs);
    const budgets = await startsPerSecond(runtime, "budgets", keys.budgets, round, turnMs);
    result.debits.push(debits);
    result.starts.push({ plain, budgets });
  }
  return result;
}

export function controlRows({ debits, starts }: ControlRounds): Row[] {
  const row = (measure: string, against: string, slow: number[], fast: number[], atMost: number): Row => ({
    measure,
    against,
    sides: `${formatNumber(median(slow))}/s : ${formatNumber(median(fast))}/s`,
    // The ratio of the times: more than 1 is slower.
    result: ratiosOf(fast, slow),
    unit: "×",
    target: { atMost },
  });
  const debitsOf = (side: Side) => debits.map((round) => round[side]);
  const startsOf = (side: "plain" | "budgets") => starts.map((round) => round[side]);
  return [
    row(`time of a debit with ${BUDGETS} budgets`, "no budgets", debitsOf("budgets"), debitsOf("plain"), 1.2),
    row(`time of a start with ${BUDGETS} budgets`, "no budgets", startsOf("budgets"), startsOf("plain"), 1.2),
    row(`time of a debit with ${CHANNELS} channels`, "no channels", debitsOf("channels"), debitsOf("plain"), 1.2),
  ];
}

/** The ids are those of the workload: 40 workspaces and 200 users. The other budgets limit ids that use nothing. */
async function setBudgets(runtime: Runtime): Promise<void> {
  const path = "/v1/enterprises/control-budgets/budgets";
  const put = (key: string) => runtime.call("PUT", `${path}/${key}`, { limit_micros: LIMIT_MICROS });
  for (let i = 0; i < BUDGETS / 2; i++) {
    const key = i < 40 ? `workspace/ws-${i}` : i < 240 ? `user/user-${i - 40}` : `group/group-${i}`;
    await put(`${key}/day`);
    await put(`${key}/cycle`);
  }
  await put("group/*/day");
}

async function debitsPerSecond(runtime: Runtime, side: Side, key: string, round: number, measureMs: number) {
  const reporters = Array.from({ length: CONNECTIONS }, (_, c) => new Reporter(`control-${round}-${c}`, 1));
  const path = `/v1/enterprises/control-${side}/debits`;
  const next = (c: number) => requestBytes("POST", path, bearer(key), (reporters[c] as Reporter).next());
  const { perSecond } = await runClosed({ port: runtime.port, next }, CONNECTIONS, { leadMs: LEAD_MS, measureMs });
  await runtime.project(`control-${side}`);
  return perSecond;
}

async function startsPerSecond(runtime: Runtime, side: Side, key: string, round: number, measureMs: number) {
  let runs = 0;
  const path = `/v1/enterprises/control-${side}/runs`;
  const next = () => {
    const number = ++runs;
    const who = `"surface":"cli","workspace":"ws-${number % 40}","user":"user-${number % 200}"`;
    const body = `{"run":"start-${round}-${number}",${who},"hold_micros":1000,"hold_ttl_seconds":60}`;
    return requestBytes("POST", path, bearer(key), body);
  };
  const { perSecond } = await runClosed({ port: runtime.port, next }, CONNECTIONS, { leadMs: LEAD_MS, measureMs });
  await runtime.project(`control-${side}`);
  return perSecond;
}
