import { globSync, readFileSync } from "node:fs";
import { availableParallelism, totalmem } from "node:os";
import process from "node:process";
import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { keepTemporaryFilesInMemory } from "./test/support/memory-folder.ts";
import { buildAssets } from "./tools/build-assets.mjs";

keepTemporaryFilesInMemory();

// The Worker imports the names of the built files, and the tests in workerd read wrangler.toml without running its build.
await buildAssets();

/** A file in Chromium needs 1.3 GB for itself, its Worker and the browser, and the run needs another gigabyte. */
const BYTES_A_FILE = 2e9;
/** The memory of the machine, or of its container, whose limit is 0 if it is not known. */
const memory = Math.min(totalmem(), process.constrainedMemory() || totalmem());

/** Files at a time. Many wait for timers, sockets and other processes, so on two cores three keep both busy. */
const WORKERS = Math.max(3, Math.min(availableParallelism(), Math.floor(memory / BYTES_A_FILE)));

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

/** Tests with a time limit on what a person sees. Those that run at the same time give way (test/support/give-way.ts). */
const TIMED_BROWSER_TESTS = "test/browser/latency.test.ts";

const GIVE_WAY = "./test/support/give-way.ts";

/** The files that take longest, longest first in each project. They start first, so that no core waits for one at the end. */
const LONG_FILES = [
  "test/worker/bad-input.test.ts",
  "test/worker/bad-pages.test.ts",
  "test/worker/usage-filters.test.ts",
  "test/worker/shards.test.ts",
  "test/worker/bad-schema.test.ts",
  "test/worker/lost-copy.test.ts",
  "test/worker/access-matrix.test.ts",
  "test/worker/limits.test.ts",
  "test/worker/rebuild.test.ts",
  "test/worker/reconcile.test.ts",
  "test/upgrade/upgrade.test.ts",
  "test/contention/contention.test.ts",
  "test/crash/whole-data.test.ts",
  "test/crash/crash.test.ts",
  "test/crash/restore.test.ts",
  "test/browser/operator-tasks.test.ts",
  "test/browser/operator.test.ts",
  "test/browser/restart.test.ts",
  "test/browser/usage-states.test.ts",
  "test/browser/usage-bar.test.ts",
  "test/browser/live.test.ts",
  "test/browser/interaction.test.ts",
  "test/browser/no-script.test.ts",
  "test/simulation/simulation.test.ts",
  "test/tools/deploy.test.ts",
  "test/client/agent-streams.test.ts",
  "test/enterprise/books/model.test.ts",
  "test/client/docs.test.ts",
  "test/docs/examples.test.ts",
  "test/simulation/reordering.test.ts",
  "test/docs/interface.test.ts",
  "test/docs/runbook.test.ts",
  "test/enterprise/jobs/retention.test.ts",
  "test/enterprise/books/due-at-once.test.ts",
  "test/client/end-to-end.test.ts",
  "test/client/package.test.ts",
  "test/enterprise/books/debt.test.ts",
  "test/enterprise/jobs/audit-slices.test.ts",
  "test/tools/capacity.test.ts",
];

/**
 * The projects one after another, because a process is used again only for the next file of the same project. Those whose
 * files wait for other processes come in the middle, and the one with the shortest files is last, so that both cores have
 * work until the end. The timed tests wait most of their time, and start while there is still other work.
 */
const PROJECTS = ["worker", "process", "browser", "browser-timed", "core"];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rankOf = ({ moduleId }: TestSpecification) => {
      const rank = LONG_FILES.findIndex((file) => moduleId.endsWith(`/${file}`));
      return rank === -1 ? LONG_FILES.length : rank;
    };
    const placeOf = ({ project }: TestSpecification) => PROJECTS.indexOf(project.name);
    return (await super.sort(files)).toSorted((a, b) => placeOf(a) - placeOf(b) || rankOf(a) - rankOf(b));
  }
}

/**
 * Time limits of all tests. A limit only ends what waits for something that never comes, so a machine that is twenty times
 * slower than usual must stay within it. Tests of what must be quick set their own limits.
 */
const patient = {
  testTimeout: 300_000,
  hookTimeout: 600_000,
  expect: { poll: { timeout: 60_000 } },
};

const browser = {
  ...patient,
  // Playwright takes a second to load.
  isolate: false,
  globalSetup: ["./test/browser/unpack-chromium.ts"],
};

// Four kinds of tests: core, in plain Node (rules and tools); worker, in workerd (the Worker and its objects); process,
// against the built Worker as a separate process, which is killed and put under load; browser, in Chromium (screens).
export default defineConfig({
  test: {
    globalSetup: ["./test/support/bundle-folder.ts"],
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          ...patient,
          // More random cases take longer (test/support/cases.ts).
          testTimeout: Math.max(patient.testTimeout, Number(process.env.FUELGAUGE_CASES ?? 0) * 400),
          name: "core",
          // These files share nothing that they change, so a process runs many of them, and loads each module once.
          isolate: false,
          setupFiles: [GIVE_WAY],
          include: ["test/{client,docs,enterprise,ledger,pages,simulation,tools,wire}/**/*.test.ts", "test/*.test.ts"],
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
                BAD_INPUTS: process.env.FUELGAUGE_BAD_INPUTS ?? "20",
                CUBE_RUNS: process.env.FUELGAUGE_CUBE_RUNS ?? "300",
                SHARD_ENTERPRISES: process.env.FUELGAUGE_SHARD_ENTERPRISES ?? "12",
                BAD_INPUT_SEED: process.env.FUELGAUGE_SEED ?? "20261123",
                MIGRATIONS: await readD1Migrations("./migrations"),
              },
            },
          })),
        ],
        test: {
          ...patient,
          name: "worker",
          // One workerd runs many files. setup.ts gives each an empty storage and fresh modules.
          isolate: false,
          include: ["test/worker/**/*.test.ts"],
          setupFiles: ["./test/worker/setup.ts"],
          // One file for each library instead of hundreds of modules, which every test file would load one by one.
          deps: { optimizer: { ssr: { enabled: true, include: WORKER_LIBRARIES } } },
          maxWorkers: WORKERS,
        },
      },
      {
        test: {
          ...patient,
          name: "process",
          include: ["test/{contention,crash,raw-http,upgrade,volume}/**/*.test.ts"],
          maxWorkers: WORKERS,
        },
      },
      {
        test: {
          ...browser,
          name: "browser",
          include: ["test/browser/**/*.test.ts"],
          exclude: [TIMED_BROWSER_TESTS],
          setupFiles: [GIVE_WAY],
          // Each file starts its own Worker and Chromium on free ports.
          maxWorkers: WORKERS,
        },
      },
      {
        test: {
          ...browser,
          name: "browser-timed",
          include: [TIMED_BROWSER_TESTS],
          maxWorkers: WORKERS,
        },
      },
    ],
  },
});
