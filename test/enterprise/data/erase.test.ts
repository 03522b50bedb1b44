// Erasing a person: no table of the object or the copy has the id or the name afterwards, and sums stay. This file is long
// because it lists every text column.
import { beforeEach, describe, expect, it } from "vitest";
import type { Caller } from "../../../src/access/callers.ts";
import { budgetStates } from "../../../src/enterprise/books/budget-commands.ts";
import { EnterpriseCore } from "../../../src/enterprise/core.ts";
import { auditInCall } from "../../../src/enterprise/jobs/audit-in-call.ts";
import { isRefusal } from "../../../src/ledger/refusals.ts";
import { CopyDb } from "../../simulation/copy-db.ts";
import { DAY_MS, NOON, report, settings, start } from "../../support/books.ts";
import { type StubPlatform, stubPlatform } from "../stub-platform.ts";

const ADA = "ada@example.com";
const NAME = "Ada Lovelace";
const OPERATOR: Caller = { kind: "operator" };

/** Every column of the object that can hold text, and what erasing a person does with it. */
const TEXT_COLUMNS: Record<string, "erased" | "never a person"> = {
  "runs.user": "erased",
  "runs.pruned": "erased",
  "outbox_items.items": "erased",
  "totals_cycle.id": "erased",
  "cube.user": "erased",
  "names.id": "erased",
  "names.name": "erased",
  "entries.caused_by": "erased",
  "keys.name": "erased",
  "keys.created_by": "erased",
  "grants.note": "erased",
  "webhooks.body": "erased",
  "jobs.result": "erased",
  "jobs.detail": "erased",
  "jobs.cursor": "erased",
  "export_log.id": "erased",
  "sign_outs.id": "erased",
  "budgets.id": "erased",
  "budget_levels.id": "erased",
  "totals_day.id": "erased",
  "held_sums.id": "erased",
  "outbox_items.held": "erased",
  "entries.facts": "erased",
  "channels.target": "erased",
  "channels.created_by": "erased",
  "reports_due.cursor": "erased",
  "erasures.user": "erased",
  "erasures.name": "erased",
  ...Object.fromEntries(
    [
      // Ids of enterprises, runs, workspaces, groups, models, grants, keys, links and jobs.
      ...[
        "enterprise.id",
        "runs.run",
        "runs.workspace",
        "runs.group_id",
        "meters.run",
        "meters.model",
        "late_runs.run",
      ],
      ...[
        "waiting_meters.run",
        "waiting_meters.model",
        "cube.workspace",
        "cube.group_id",
        "cube.model",
        "names.group_id",
      ],
      ...[
        "totals_model.model",
        "grants.id",
        "open_grants.id",
        "older_draws.run",
        "older_draws.model",
        "older_draws.sums",
        "older_draws.draws",
        "keys.id",
        "links_used.id",
        "webhooks.id",
        "jobs.id",
        "referral.referrer",
        "referral.added_by",
      ],
      ...["debt_payments.grant_id", "erasures.replacement", "erasures.hash", "erasures.hash_key", "meters.priced_as"],
      // Text from operators and from models' names.
      ...[
        "enterprise.settings",
        "price_overrides.entry",
        "meters.reported_as",
        "waiting_names.name",
        "webhooks.last_error",
      ],
      // Words of a fixed list, times, numbers and sums.
      ...["enterprise.cycle_time_zone", "enterprise.notified", "cycles.time_zone", "grants.source", "meters.unit"],
      ...["meters.draws", "meters.further_usage", "runs.surface", "runs.hold_unit", "outbox_items.time_zone"],
      ...["totals_time.span", "totals_time.unit", "totals_time.surface", "totals_cycle.unit", "totals_cycle.dimension"],
      ...["names.kind", "keys.scopes", "keys.hash", "progress.name", "webhooks.type", "jobs.name", "jobs.state"],
      ...["sign_outs.kind", "debt_payments.bucket", "further_rates.rates", "cube.unit", "cube.tier", "cube.surface"],
      ...[
        "cube.kinds",
        "cube.hours",
        "totals_model.unit",
        "totals_model.tier",
        "totals_model.kinds",
        "export_log.kind",
      ],
      ...["deleted_sums.name", "deleted_sums.micros"],
      ...["budget_levels.dimension", "budget_levels.period", "budgets.action", "budgets.dimension", "budgets.period"],
      ...[
        "budgets.unit",
        "held_sums.dimension",
        "channels.confirm_id",
        "channels.events",
        "channels.id",
        "channels.kind",
        "channels.secret",
      ],
      ...["channels.site", "channels.thresholds", "enterprise.alerted", "reports_due.facts", "reports_due.unit"],
      ...["totals_day.dimension", "totals_day.unit", "webhook_secret.secret", "webhook_secret.url", "webhooks.channel"],
      ...[
        "restoring.job",
        "restoring.cursor",
        "keys.secret_id",
        "copy_shard.shard",
        "waiting_names.tier",
        "waiting_names.usage",
      ],
    ].map((column) => [column, "never a person"]),
  ),
};

/** The same for the copy. Its other columns have ids of enterprises, words of a fixed list, or numbers. */
const COPY_PERSON_COLUMNS = [
  "runs.user",
  "usage_by_dimension.id",
  "usage_cube.user",
  "names.id",
  "names.name",
  "entries.caused_by",
];

let platform: StubPlatform;
let copy: CopyDb;
let core: EnterpriseCore;
let copyWorks: boolean;

beforeEach(() => {
  copyWorks = true;
  copy = new CopyDb(async (apply) => {
    if (!copyWorks) throw new Error("D1 cannot be reached");
    apply();
  });
  platform = stubPlatform({ copy });
  core = openCore();
  const complete = settings({ allowanceOverrideMicros: 1_000_000, webhookUrl: "https://hooks.example/x" });
  core.management.provision("acme", complete, complete, null);
});

function openCore(): EnterpriseCore {
  return new EnterpriseCore(platform);
}

const person = (user: string, issuedAtMs = NOON): Caller => ({
  kind: "user",
  user,
  role: "admin",
  token: { id: `session-of-${user}`, issuedAtMs, expiresAtMs: NOON + DAY_MS },
});

/** Puts the person into every table. */
async function fill(): Promise<void> {
  const { ledger } = core;
  core.management.putDirectory({ workspaces: [], groups: [], users: [{ id: ADA, name: NAME }] });
  core.access.addKey(person(ADA), { id: "k1", name: ADA, scopes: ["read"], hash: "h", expiresAtMs: null });
  core.access.addKey(OPERATOR, { id: "k2", name: NAME, scopes: ["read"], hash: "h", expiresAtMs: null });
  core.management.addGrant({ id: "g1", amountMicros: 5, source: "goodwill", note: ADA, expiresAtMs: null });
  core.data.exportPage("usage", null, 100);
  ledger.debit([report(10, { run: "r1", user: ADA }), report(20, { run: "r2", user: "bob" })]);
  await core.alarm();
  core.data.exportPage("usage", null, 100);
  ledger.debit([report(15, { run: "r1", user: ADA }), report(5, { run: "r3", user: ADA, model: "m2" })]);
  ledger.queueWebhook({ type: "test", timestamp: "", data: { enterprise: "acme", by: ADA, run: ADA } } as never);
  core.access.signOutPerson(ADA);
  ledger.sql.run("UPDATE runs SET pruned = json_object('user', user) WHERE run = 'r3'");
  ledger.sql.run("UPDATE runs SET pruned = NULL");
  ledger.sql.run("INSERT INTO budgets VALUES ('user', ?, 'day', 5, 'warn', 'credits')", ADA);
  ledger.sql.run("INSERT INTO budget_levels VALUES ('user', ?, 'day', ?, 90)", ADA, NOON);
  ledger.sql.run(
    `INSERT INTO channels (id, kind, target, thresholds, active, site, created_by, created_at_ms)
      VALUES ('c1', 'email', ?, '[]', 0, '', ?, 1)`,
    ADA,
    `user:${ADA}`,
  );
  ledger.budgets.clear();
  budgetStates(ledger, [{ dimension: "user", id: ADA }]);
  ledger.start(start({ run: "r4", user: ADA, holdMicros: 7, startedAtMs: NOON }));
  await core.alarm();
  ledger.start(start({ run: "r5", user: ADA, holdMicros: 8, startedAtMs: NOON }));
  expect(texts((statement) => ledger.sql.all(statement)).join()).toContain('held_sums {"dimension":"user","id":"ada');
  const terms = { limitMicros: 5, action: "warn", unit: "credits" } as const;
  const facts = { type: "budget_changed", dimension: "user", id: ADA, period: "day", from: null, to: terms } as const;
  ledger.apply((change) => {
    change.takeSeq();
    change.record([{ atMs: change.nowMs, by: "operator", facts }]);
  });
  ledger.budgets.clear();
}

function texts(rowsOf: (statement: string) => Record<string, unknown>[]): string[] {
  const tables = rowsOf("SELECT name FROM sqlite_master WHERE type = 'table'").map(({ name }) => name as string);
  return tables.flatMap((table) => rowsOf(`SELECT * FROM ${table}`).map((row) => `${table} ${JSON.stringify(row)}`));
}

const objectTexts = () => texts((statement) => platform.sql.all(statement));
const copyTexts = () => texts((statement) => copy.rows(statement));
const naming = (rows: string[]) => rows.filter((row) => row.includes(ADA) || row.includes(NAME));

async function erase(user = ADA): Promise<void> {
  const erased = await core.data.eraseUser(user);
  expect(isRefusal(erased)).toBe(false);
}

function replacementOf(): string {
  return platform.sql.all("SELECT replacement FROM erasures ORDER BY real_at_ms DESC")[0]?.replacement as string;
}

async function auditFaults(): Promise<unknown[]> {
  await core.alarm();
  const audit = await auditInCall(core.jobs, platform, {});
  return "checks" in audit ? audit.checks.filter(({ ok }) => !ok) : [audit];
}

describe("erasing a person", () => {
  it("knows every text column of the object, and of the copy those that hold a person", () => {
    const columns = platform.sql
      .all(
        "SELECT m.name || '.' || p.name AS name FROM sqlite_master AS m, pragma_table_info(m.name) AS p WHERE m.type = 'table' AND p.type NOT IN ('INTEGER', 'REAL')",
      )
      .map(({ name }) => name as string)
      .filter((name) => !name.startsWith("sqlite_"));
    // A new column: add a stage to src/enterprise/data/erase-stages.ts if it may hold the id or the name of a person.
    expect(columns.sort()).toEqual(Object.keys(TEXT_COLUMNS).sort());
    const named = copy
      .rows(
        "SELECT m.name || '.' || p.name AS name FROM sqlite_master AS m, pragma_table_info(m.name) AS p WHERE m.type = 'table'",
      )
      .map(({ name }) => name as string);
    const persons = named.filter(
      (name) => /\.(user|caused_by|name|id)$/.test(name) && !/^(enterprises|sqlite)/.test(name),
    );
    expect(persons.sort()).toEqual([...COPY_PERSON_COLUMNS].sort());
  });

  it("leaves the id and the name in no table, and keeps the sums", async () => {
    await fill();
    const sums = () =>
      platform.sql.all(
        "SELECT sum(amount_micros) AS cube, (SELECT sum(amount_micros + day_micros) FROM totals_cycle WHERE dimension = 'user') AS totals FROM cube",
      );
    expect(await auditFaults()).toEqual([]);
    const before = sums();
    expect(naming(objectTexts()).length).toBeGreaterThan(8);
    expect(naming(copyTexts()).length).toBeGreaterThan(4);
    await erase();
    // The webhook names a run with the same text, which is not a person.
    const left = naming(objectTexts());
    expect(left).toEqual([expect.stringMatching(/^webhooks .*\\"run\\":\\"ada@example.com\\"/)]);
    expect(left[0]?.split(ADA)).toHaveLength(2);
    await core.alarm();
    expect(naming(copyTexts())).toEqual([]);
    expect(sums()).toEqual(before);
    const [budget] = budgetStates(core.ledger, [{ dimension: "user", id: replacementOf() }]);
    expect(budget?.heldMicros).toBe(15);
    expect(replacementOf()).toMatch(/^erased-[0-9a-f]{8}$/);
    expect(copyTexts().filter((row) => row.includes(replacementOf())).length).toBeGreaterThan(4);
    expect(await auditFaults()).toEqual([]);
  });

  it("books late reports under the replacement, and new runs under a new person", async () => {
    await fill();
    await erase();
    platform.nowMs += 1_000;
    const userOf = (run: string) => platform.sql.all("SELECT user FROM runs WHERE run = ?", run)[0]?.user;
    const answers = core.ledger.debit([
      report(30, { run: "r1", user: ADA }),
      report(30, { run: "late", user: ADA, startedAtMs: NOON }),
      report(30, { run: "new", user: ADA, startedAtMs: platform.nowMs }),
    ]);
    expect(answers.filter(isRefusal)).toEqual([]);
    expect(["r1", "late", "new"].map(userOf)).toEqual([replacementOf(), replacementOf(), ADA]);
    expect(await auditFaults()).toEqual([]);
    // The new person can be erased as well.
    const first = replacementOf();
    platform.nowMs += 1_000;
    await erase();
    expect(userOf("new")).toMatch(/^erased-/);
    expect(userOf("new")).not.toBe(first);
    expect(userOf("r1")).toBe(first);
  });

  it("takes a start after the erasure as a new person's, although the clock stands still", async () => {
    await fill();
    await erase();
    const startOf = (run: string, startedAtMs?: number) => core.ledger.start(start({ run, user: ADA, startedAtMs }));
    expect([startOf("new"), startOf("late", NOON)].filter(isRefusal)).toEqual([]);
    const userOf = (run: string) => platform.sql.all("SELECT user FROM runs WHERE run = ?", run)[0]?.user;
    expect(["new", "late"].map(userOf)).toEqual([ADA, replacementOf()]);
  });

  it("ends sessions, links and embed tokens, but none that are issued later", async () => {
    await erase();
    const embed: Caller = { ...person(ADA), kind: "embed" } as Caller;
    expect(core.gauge(person(ADA))).toMatchObject({ refusal: { code: "key_missing" } });
    expect(core.gauge(embed)).toMatchObject({ refusal: { code: "key_revoked" } });
    const link = { id: "l1", expiresAtMs: NOON + DAY_MS, user: ADA, role: "member", issuedAtMs: NOON } as const;
    expect(core.access.useLink(link)).toMatchObject({ refusal: { code: "link_invalid" } });
    const issued = core.access.issue({ user: ADA, role: "admin", kind: "session" });
    if (isRefusal(issued)) throw new Error("the session was refused");
    expect(isRefusal(core.gauge(person(ADA, issued.issuedAtMs)))).toBe(false);
    expect(isRefusal(core.gauge(person("bob")))).toBe(false);
  });

  it("writes an entry that does not name the person", async () => {
    await erase();
    const entries = core.entries(OPERATOR, Number.MAX_SAFE_INTEGER, 10);
    if (isRefusal(entries)) throw new Error("the journal was refused");
    expect(entries[0]).toMatchObject({ by: "operator", facts: { type: "user_erased", replacement: replacementOf() } });
  });

  it("shows an export what it changed, and that the person's usage was removed", async () => {
    await fill();
    const first = core.data.exportPage("usage", null, 1);
    if (isRefusal(first)) throw new Error("the export was refused");
    let cursor = first.next;
    const rows = new Map(first.lines.map((line) => [line.id, line]));
    const readOn = () => {
      for (;;) {
        const page = core.data.exportPage("usage", cursor, 2);
        if (isRefusal(page)) throw new Error("the export was refused");
        for (const line of page.lines) line.removed ? rows.delete(line.id) : rows.set(line.id, line);
        cursor = page.next;
        if (page.ended) return;
      }
    };
    readOn();
    const sum = () => [...rows.values()].reduce((total, line) => total + Number(line.amount_micros), 0);
    const before = [rows.size, sum()];
    await erase();
    readOn();
    expect(JSON.stringify([...rows.values()])).not.toContain(ADA);
    expect([rows.size, sum()]).toEqual(before);
  });

  it("continues in another instance after D1 was unavailable, and books everything under the replacement meanwhile", async () => {
    await fill();
    await core.alarm();
    copyWorks = false;
    platform.copy = {
      prepare: () => {
        throw new Error("D1 cannot be reached");
      },
      batch: () => Promise.reject(new Error("D1")),
    };
    const asked = await core.data.eraseUser(ADA);
    const again = await core.data.eraseUser(ADA);
    expect(again).toEqual(asked);
    expect(platform.sql.all("SELECT state FROM jobs WHERE name = 'erase'")).toEqual([{ state: "running" }]);
    core = openCore();
    core.ledger.debit([report(3, { run: "during", user: ADA, startedAtMs: platform.nowMs })]);
    copyWorks = true;
    platform.copy = copy;
    for (
      let i = 0;
      i < 20 && platform.sql.all("SELECT 1 FROM jobs WHERE name = 'erase' AND state = 'running'").length > 0;
      i++
    ) {
      platform.nowMs += 61_000;
      await core.jobs.runSlices("erase", 100);
    }
    await core.alarm();
    expect(naming(copyTexts())).toEqual([]);
    expect(naming(objectTexts())).toHaveLength(1);
    expect(platform.sql.all("SELECT user FROM runs WHERE run = 'during'")[0]?.user).toBe(replacementOf());
    expect(await auditFaults()).toEqual([]);
  });

  it("erases a person without any rows", async () => {
    await erase("nobody");
    expect(platform.sql.all("SELECT user FROM erasures")).toEqual([{ user: null }]);
  });
});
