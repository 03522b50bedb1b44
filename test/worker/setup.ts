/** Every test file starts with the tables of the copy, and nothing in them. */
import { applyD1Migrations, type D1Migration } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterAll, beforeAll, expect } from "vitest";
import { sent } from "./client.ts";

beforeAll(async () => {
  await applyD1Migrations(env.DB, (env as unknown as { MIGRATIONS: D1Migration[] }).MIGRATIONS);
});

// Figures that a campaign adds up.
afterAll(() => {
  if (!expect.getState().testPath?.includes("/bad-")) return;
  console.log(`${sent.requests} requests of generated and hostile input, ${sent.serverErrors} server errors`);
});
