// Lists of runs look through a bounded number of runs for each page, and still find every run that matches.
import { beforeAll, expect, it } from "vitest";
import { openCopy } from "../../../src/copy/checked-copy.ts";
import { readRunPage } from "../../../src/copy/read-runs.ts";
import type { Selection } from "../../../src/copy/selection.ts";
import { pickEarly, seededRandom, wholeBetween } from "../../../tools/kit/random.ts";
import { CopyDb } from "../../simulation/copy-db.ts";

const RUNS = 400;
const MAX_SCANNED = 25;
const db = new CopyDb(async (apply) => apply());

type Listed = { [Name in keyof Selection]-?: NonNullable<Selection[Name]> } & { run: string; started: number };
const runs: Listed[] = [];

beforeAll(() => {
  const random = seededRandom(7);
  for (let i = 0; i < RUNS; i++) {
    const run: Listed = {
      run: `r${i}`,
      // Many runs start in the same millisecond.
      started: wholeBetween(random, 0, 60),
      surface: random() < 0.5 ? "web" : "cli",
      workspace: pickEarly(random, ["w1", "w2", "w3"]),
      group: pickEarly(random, ["none", "g1"]),
      user: pickEarly(random, ["u1", "u2", "u3"]),
      model: pickEarly(random, ["m1", "m2", "m3"]),
    };
    runs.push(run);
    db.rows(
      `INSERT INTO runs (enterprise, run, surface, workspace, group_id, user, started_at_ms, models, unit, charged_micros,
          cycle_starts_at_ms, cycle_micros, final, revision)
        VALUES ('acme', ?, ?, ?, ?, ?, ?, '[]', 'credits', 1, 0, 1, 1, 1)`,
      ...[run.run, run.surface, run.workspace, run.group, run.user, run.started],
    );
    db.rows(
      "INSERT INTO run_models (enterprise, run, model, started_at_ms, used, revision) VALUES ('acme', ?, ?, ?, 1, 1)",
      ...[run.run, run.model, run.started],
    );
  }
});

const COMBINATIONS: Selection[] = [
  {},
  { user: "u3" },
  { user: "u1", workspace: "w3" },
  { user: "u1", surface: "web", model: "m3" },
  { group: "none", model: "m2" },
  { group: "g1", model: "m2", workspace: "w1" },
  { surface: "cli", workspace: "w2" },
  { user: "u1", workspace: "w9" },
];

async function listAll(selection: Selection) {
  const copy = openCopy(db, "acme", null);
  const query = {
    enterprise: "acme",
    selection,
    startedFromMs: 5,
    startedToMs: null,
    sort: "newest",
    limit: 4,
  } as const;
  const listed: string[] = [];
  let emptyPages = 0;
  for (let after: { value: number; run: string } | null = null; emptyPages < RUNS; ) {
    const page = await readRunPage(copy, { ...query, after }, MAX_SCANNED);
    expect(page.runs.length).toBeLessThanOrEqual(query.limit);
    listed.push(...page.runs.map(({ run }) => run));
    if (page.runs.length === 0) emptyPages += 1;
    if (page.next === null) return { listed, emptyPages };
    after = page.next;
  }
  throw new Error("the list does not end");
}

it.each(COMBINATIONS)("finds every run of %j, newest first", async (selection) => {
  const matches = (run: Listed) =>
    Object.entries(selection).every(([name, value]) => run[name as keyof Listed] === value);
  const expected = runs
    .filter((run) => run.started >= 5 && matches(run))
    .sort((a, b) => b.started - a.started || (a.run < b.run ? 1 : -1));
  const { listed } = await listAll(selection);
  expect(listed).toEqual(expected.map(({ run }) => run));
});

it("looks through a bounded number of runs for a page that finds none", async () => {
  const { listed, emptyPages } = await listAll({ user: "u1", workspace: "w9" });
  expect(listed).toEqual([]);
  expect(emptyPages).toBeGreaterThan(3);
});
