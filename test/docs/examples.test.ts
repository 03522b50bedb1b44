/**
 * Runs every block of code in the README and in docs/, unchanged, against a started server. A block that does not run
 * here must be listed below with the reason, or with the test that runs it.
 */
import { copyFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { blocksOf } from "./blocks.ts";
import { OPERATOR_KEY, type Printed, ROOT, type Server, startServer } from "./server.ts";

/** Blocks that another test runs. */
const RUN_ELSEWHERE: Record<string, string> = {
  "README.md: Two commands": "this test starts its server with npm start, and npm test runs this test",
  "docs/embed.md: The usage bar in your editor": "test/browser/reference.test.ts puts the bar on a page with it",
  "docs/scale.md: The curve": "test/tools/capacity.test.ts runs both commands",
  "docs/embed.md: The usage bar in your editor (2)": "test/browser/reference.test.ts gives the bar its token with it",
  "docs/operate.md: Rotate the secrets": "test/docs/setup.test.ts rotates the secrets with it",
  "docs/operate.md: Rotate the secrets (2)": "test/docs/setup.test.ts rotates the secrets with it",
  "docs/operate.md: Rotate the secrets (3)": "test/docs/setup.test.ts rotates the secrets with it",
};
/** Blocks that cannot run here. */
const CANNOT_RUN: Record<string, string> = {
  "README.md: Deploy": "needs an account; test/tools/deploy.test.ts runs its dry run",
  "docs/operate.md: Deploy": "needs an account; test/tools/deploy.test.ts runs its dry run",
  "docs/operate.md: Deploy (2)": "needs an account, and a repository that Cloudflare can read",
  "docs/operate.md: Deploy from CI": "is a workflow; test/docs/setup.test.ts checks its commands",
  "docs/operate.md: More databases":
    "is a part of wrangler.toml; test/worker/shards.test.ts runs with more than one database",
  "docs/operate.md: Monitor (2)": "is a part of Prometheus's configuration; test/docs/setup.test.ts checks it",
  "docs/operate.md: Logs and their cost": "is a part of wrangler.toml; test/docs/setup.test.ts lets wrangler read it",
  "docs/operate.md: Backup and restore": "needs a platform with recovery; test/worker/restore.test.ts replaces it",
  "docs/operate.md: Uninstall": "needs an account",
};
/** Files whose examples have a separate test, or are commands that run tests. */
const WHOLE_FILES: Record<string, string> = {
  "docs/runbook.md": "test/docs/runbook.test.ts",
  "docs/recipes.md": "test/docs/runbook.test.ts",
  "docs/client.md": "test/client/docs.test.ts",
  "docs/security.md": "runs tests",
  "docs/proof.md": "runs tests",
  "docs/scale.md": "test/tools/capacity.test.ts runs it",
  "docs/benchmarks.md": "runs benchmarks; test/tools/bench.test.ts runs a small one",
};

const FILE_NAMES = ["README.md", ...readdirSync(join(ROOT, "docs")).filter((name) => name.endsWith(".md"))];
const blocks = FILE_NAMES.flatMap((name) => blocksOf(name === "README.md" ? name : `docs/${name}`));
const hasPython = (process.env.PATH ?? "").split(":").some((folder) => existsIn(folder, "python3"));

let server: Server;
let agent: { FUELGAUGE_URL: string; FUELGAUGE_ENTERPRISE: string; FUELGAUGE_KEY: string };

beforeAll(async () => {
  server = await startServer("npm start");
  writeFileSync(
    join(server.folder, ".dev.vars"),
    `# made by npm start\nOPERATOR_KEY=${OPERATOR_KEY}\nSIGNING_SECRET=x\n`,
  );
  const { key } = await server.newEnterprise("acme");
  await server.newEnterprise("former");
  agent = { FUELGAUGE_URL: server.url, FUELGAUGE_ENTERPRISE: "acme", FUELGAUGE_KEY: key };
});
afterAll(() => server?.stop());

function existsIn(folder: string, name: string): boolean {
  try {
    return readdirSync(folder).includes(name);
  } catch {
    return false;
  }
}

function blockOf(name: string): string {
  const found = blocks.find((block) => block.name === name);
  if (found === undefined) throw new Error(`no such block: ${name}`);
  ran.add(name);
  return found.code;
}
const ran = new Set<string>();

/** Runs a shell block. Only the address is replaced. */
async function shell(name: string, environment: Record<string, string> = {}, after = ""): Promise<string> {
  const script = blockOf(name).replaceAll("http://localhost:8787", server.url);
  return succeeded(await server.shell(`${script}\n${after}`, { ...agent, ...environment }));
}

function succeeded({ status, out, err }: Printed): string {
  expect([status, err, out]).toEqual([0, "", out]);
  return out;
}

/** The JSON answers that a block printed, in order. */
function answersIn(out: string): Record<string, unknown>[] {
  return JSON.parse(`[${out.trim().replaceAll(/\}\s*\{/g, "},{")}]`);
}

const receipt = async (run: string, key = agent.FUELGAUGE_KEY) =>
  (await server.call(key, "GET", `/v1/enterprises/acme/runs/${run}`)).body;

describe("the README", () => {
  it("creates an enterprise, meters a run and shows its receipt", async () => {
    const answers = answersIn(await shell("README.md: Try the interface"));
    expect(answers.filter(({ code }) => code !== undefined)).toEqual([]);
    const [enterprise, started, first, last, gauge, paid] = answers;
    expect(enterprise).toMatchObject({ id: "acme", time_zone: "Europe/Berlin" });
    expect(started).toMatchObject({ admitted: true, hold: { micros: 5_000_000 } });
    // 1,200 input tokens at 3 USD and 80, then 900, output tokens at 15 USD per million; 100 credits per USD.
    expect(first).toMatchObject({ charged_micros: 480_000, action: "continue" });
    expect(last).toMatchObject({ run_total_micros: 1_710_000, action: "continue" });
    expect(gauge).toMatchObject({ used_micros: 1_710_000 });
    expect(paid).toMatchObject({ run: "run-1", charged_micros: 1_710_000, final: true });
  });

  it("meters a stream of a real SDK, in a folder where both are installed as described", async () => {
    const { startProvider } = await import("../client/provider.ts");
    const { casesOf } = await import("../client/golden.ts");
    const provider = await startProvider();
    const { url } = provider.play({
      provider: "anthropic",
      responses: casesOf("anthropic")[0]?.responses ?? [],
      ending: "end",
    });
    // The SDK is installed from this project's node_modules, so the test needs no network.
    const install = blockOf("README.md: With a provider's SDK")
      .replaceAll("../agent", join(server.folder, "agent"))
      .replace("@anthropic-ai/sdk", join(ROOT, "node_modules/@anthropic-ai/sdk"));
    const installed = await server.shell(`cd "${ROOT}" && export npm_config_offline=true\n${install}`);
    expect([installed.status, installed.err]).toEqual([0, expect.not.stringMatching(/error/i)]);
    writeFileSync(join(server.folder, "agent/agent.mjs"), blockOf("README.md: With a provider's SDK (2)"));
    const anthropic = { ANTHROPIC_API_KEY: "k", ANTHROPIC_BASE_URL: url };
    const out = succeeded(
      await server.run([process.execPath, join(server.folder, "agent/agent.mjs")], { ...agent, ...anthropic }),
    );
    provider.close();
    // 25 input tokens at 3 USD and 15 output tokens at 15 USD per million.
    expect(out).toMatch(/^Hello!.*delivered: true,\s+charged_micros: 30000/s);
  });

  it("replays a trace with a difference of 0", async () => {
    const trace =
      "TIMESTAMP,ContextTokens,GeneratedTokens\n2023-11-16 18:15:46.68,374,44\n2023-11-16 18:15:50.95,396,109\n";
    writeFileSync(join(server.folder, "trace.csv"), trace);
    const { out, status } = await server.run(
      [
        "bash",
        "--norc",
        "-c",
        `cd ${ROOT} && ${blockOf("README.md: Play a real trace").replace("trace.csv", join(server.folder, "trace.csv"))}`,
      ],
      { KEY: agent.FUELGAUGE_KEY },
    );
    expect([status, out]).toEqual([0, expect.stringMatching(/difference:? +0\b/i)]);
  });
});

describe("docs/integrate.md", () => {
  it("creates an enterprise and a key, and exports what the examples read", async () => {
    const [enterprise, made] = answersIn(await shell("docs/integrate.md: From nothing to the first debit"));
    expect(enterprise).toMatchObject({ id: "acme" });
    expect(made).toMatchObject({ key: expect.stringMatching(/^fg_/) });
    const key = String(made?.key);
    const variables = blockOf("docs/integrate.md: From nothing to the first debit (2)").replace(
      "http://localhost:8787",
      server.url,
    );
    const script = `${variables.replace("fg_…", key)}\necho $FUELGAUGE_URL $FUELGAUGE_ENTERPRISE $FUELGAUGE_KEY`;
    expect(succeeded(await server.shell(script))).toBe(`${server.url} acme ${key}\n`);
  });

  it("reports with curl", async () => {
    const { key } = await server.newEnterprise("curl");
    const answers = answersIn(
      await shell("docs/integrate.md: curl", { FUELGAUGE_ENTERPRISE: "curl", FUELGAUGE_KEY: key }),
    );
    expect(answers).toMatchObject([
      { admitted: true, hold: { micros: 5_000_000 } },
      { charged_micros: 480_000 },
      { run_total_micros: 1_710_000 },
      { results: [{ run: "run-2", charged_micros: 6_250 }, { run: "run-3" }] },
    ]);
  });

  it("reports with TypeScript", async () => {
    const out = await program(blockOf("docs/integrate.md: TypeScript"));
    expect(out).toMatch(/delivered: true,\s+charged_micros: 1710000/);
  });

  it.runIf(hasPython)("reports with Python; skipped only if python3 is missing", async () => {
    const file = join(server.folder, "example.py");
    writeFileSync(file, blockOf("docs/integrate.md: Python"));
    copyFileSync(join(ROOT, "clients/python/fuelgauge.py"), join(server.folder, "fuelgauge.py"));
    const out = succeeded(await server.run(["python3", file], agent));
    const [, run = ""] = /^(\S+) Finished\(delivered=True, charged_micros=1710000, unit='credits'/m.exec(out) ?? [];
    expect(await receipt(run)).toMatchObject({ final: true, charged_micros: 1_710_000 });
    // A key that the ledger refuses ends the program with the problem's code and detail.
    const refused = await server.run(["python3", file], { ...agent, FUELGAUGE_KEY: "nonsense" });
    expect([refused.status, refused.err]).toEqual([
      1,
      "key_invalid: This deployment does not know the key. Check the key, or ask the operator for a new one.\n",
    ]);
  });
  if (!hasPython)
    blocks.find(({ name }) => name === "docs/integrate.md: Python") && ran.add("docs/integrate.md: Python");
});

describe("docs/prices.md", () => {
  it("adds one entry to the price book", async () => {
    expect(answersIn(await shell("docs/prices.md: Change prices"))).toMatchObject([{ version: expect.any(Number) }]);
  });
});

describe("docs/embed.md", () => {
  it("makes a token for the usage bar", async () => {
    const [made] = answersIn(await shell("docs/embed.md: The usage bar in your editor (3)"));
    expect(made).toMatchObject({ token: expect.any(String), expires_at: expect.any(String) });
  });
});

describe("docs/operate.md", () => {
  const commands = blocks.filter(
    ({ name }) => name.startsWith("docs/operate.md") && !(name in CANNOT_RUN) && !(name in RUN_ELSEWHERE),
  );

  it.each(commands.map(({ name }) => name))("%s succeeds and prints an answer", async (name) => {
    await server.call(OPERATOR_KEY, "PUT", "/v1/enterprises/acme", { webhook_url: "https://hooks.example.com/usage" });
    const out = await shell(name);
    expect(out).not.toMatch(/"code":/);
    expect(out).not.toBe("");
  });
});

describe("every block of code", () => {
  it("ran above, or is listed with a reason, and nothing else is listed", () => {
    const named = (name: string) =>
      ran.has(name) || name in RUN_ELSEWHERE || name in CANNOT_RUN || (name.split(": ")[0] ?? "") in WHOLE_FILES;
    expect(blocks.map(({ name }) => name).filter((name) => !named(name))).toEqual([]);
    const stale = [...Object.keys(RUN_ELSEWHERE), ...Object.keys(CANNOT_RUN)].filter(
      (name) => !blocks.some((b) => b.name === name),
    );
    expect(stale).toEqual([]);
  });
});

let programs = 0;

/** Runs a TypeScript program for which the client is installed, and returns what it printed. */
async function program(code: string, environment: Record<string, string> = {}): Promise<string> {
  const file = join(server.folder, `program-${++programs}.mts`);
  writeFileSync(file, code);
  const installed = join(ROOT, "test/client/as-installed.mjs");
  return succeeded(await server.run([process.execPath, "--import", installed, file], { ...agent, ...environment }));
}
