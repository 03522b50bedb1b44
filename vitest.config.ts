import { globSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { buildAssets } from "./tools/build-assets.mjs";

// The Worker imports the names of the built files, and the tests in workerd read wrangler.toml without running its build.
await buildAssets();

/** Vitest leaves one core to itself. On two cores, that would run one file at a time. */
const WORKERS = Math.max(2, availableParallelism() - 1);

/** Every library that the Worker imports. One that is missing here would be loaded twice, with two copies of its state. */
const WORKER_LIBRARIES = [
  "hono/jsx/jsx-runtime",
  ...new Set(
    globSync("src/**/*.{ts,tsx}", { exclude: ["src/browser/**"] }).flatMap((file) =>
      [...readFileSync(file, "utf8").matchAll(/^import (?!type )[^;]*? from "([^."][^":]*)";$/gm)].map(
        ([, name]) => name as string,
      ),
    ),
  ),
];

/** Tests with a time limit on what a person sees. Other work on the machine would falsify it, so they run alone. */
const TIMED_BROWSER_TESTS = "test/browser/latency.test.ts";

const browser = {
  // Playwright takes a second to load.
  isolate: false,
  testTimeout: 60_000,
  hookTimeout: 120_000,
  globalSetup: ["./test/browser/unpack-chromium.ts"],
  // Pages are slow on a busy machine. Tests of what must be quick set their own limits.
  expect: { poll: { timeout: 15_000 } },
};

// Four kinds of tests: core, in plain Node (rules and tools); worker, in workerd (the Worker and its objects); process,
// against the built Worker as a separate process, which is killed and put under load; browser, in Chromium (screens).
export default defineConfig({
  test: {
    globalSetup: ["./test/support/bundle-folder.ts"],
    projects: [
      {
        test: {
          name: "core",
          // These files share nothing that they change, so a process runs many of them, and loads each module once.
          isolate: false,
          include: ["test/{client,docs,enterprise,ledger,pages,simulation,tools,wire}/**/*.test.ts", "test/*.test.ts"],
          testTimeout: 60_000,
          expect: { poll: { timeout: 15_000 } },
          maxWorkers: WORKERS,
        },
      },
      {
        plugins: [
          cloudflareTest(async () => ({
            wrangler: { configPath: "./wrangler.toml" },
            miniflare: {
              // The databases of the jurisdiction eu. Enterprises without a jurisdiction have one database.
              d1Databases: ["DB_EU", "DB_EU_1"],
              bindings: {
                OPERATOR_KEY: "operator-key-of-the-tests-32-characters",
                SIGNING_SECRET: "signing-secret-of-the-tests-32-characters",
                // All tests come from one address. The tests of the rate limits set their own factor.
                RATE_LIMIT_FACTOR: "1000",
                SIMULATE_REGIONS: "true",
                EMAIL_FROM: "fuelgauge@platform.example",
                BAD_INPUTS: process.env.FUELGAUGE_BAD_INPUTS ?? "40",
                CUBE_RUNS: process.env.FUELGAUGE_CUBE_RUNS ?? "300",
                SHARD_ENTERPRISES: process.env.FUELGAUGE_SHARD_ENTERPRISES ?? "12",
                BAD_INPUT_SEED: process.env.FUELGAUGE_SEED ?? "20261123",
                MIGRATIONS: await readD1Migrations("./migrations"),
              },
            },
          })),
        ],
        test: {
          name: "worker",
          // One workerd runs many files. setup.ts gives each an empty storage and fresh modules.
          isolate: false,
          include: ["test/worker/**/*.test.ts"],
          setupFiles: ["./test/worker/setup.ts"],
          // One file for each library instead of hundreds of modules, which every test file would load one by one.
          deps: { optimizer: { ssr: { enabled: true, include: WORKER_LIBRARIES } } },
          testTimeout: 60_000,
          maxWorkers: WORKERS,
        },
      },
      {
        test: {
          name: "process",
          include: ["test/{contention,crash,raw-http,upgrade,volume}/**/*.test.ts"],
          fileParallelism: false,
        },
      },
      {
        test: {
          ...browser,
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          exclude: [TIMED_BROWSER_TESTS],
          // Each file starts its own Worker and Chromium on free ports. Two at a time use both cores of a small machine.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: { ...browser, name: "browser-timed", include: [TIMED_BROWSER_TESTS], fileParallelism: false },
      },
    ],
  },
});
