// Three hundred agents start at once under overlapping budgets and a nearly empty balance, five times: exactly those that fit
// are admitted.
import { afterAll, beforeAll, expect, it } from "vitest";
import { OPERATOR_KEY, type Server, startServer } from "../docs/server.ts";
import { BudgetCrowd } from "./budget-crowd.ts";

const AGENTS = 300;
const BALANCE_FOR = 60;
const TIMEOUT_MS = 300_000;

let server: Server;
const refused = { balance: 0, budget: 0 };

beforeAll(async () => {
  server = await startServer();
}, TIMEOUT_MS);
afterAll(() => server?.stop());

it.each([1, 2, 3, 4, 5])("admits exactly those that fit, in round %i", { timeout: TIMEOUT_MS }, async (round) => {
  const plan = { agents: AGENTS, atOnce: AGENTS, balanceFor: BALANCE_FOR };
  const outcome = await new BudgetCrowd(server.url, OPERATOR_KEY, `round-${round}`, plan).run();
  expect(outcome).toMatchObject({ violations: [], overspentMicros: 0 });
  expect(outcome.refused.balance + outcome.refused.budget + outcome.admitted).toBe(AGENTS);
  expect(outcome.admitted).toBeGreaterThan(0);
  refused.balance += outcome.refused.balance;
  refused.budget += outcome.refused.budget;
});

it("had agents in these rounds that a budget refused, and agents that the balance refused", () => {
  expect(refused.balance).toBeGreaterThan(0);
  expect(refused.budget).toBeGreaterThan(0);
});
