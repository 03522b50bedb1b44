// `npm run deploy` as far as it works without an account, and what wrangler.toml and package.json must contain for it
// and for the Deploy to Cloudflare button.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { describe, expect, it } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import { parseDevVars } from "../../tools/start/dev-vars.mjs";

const ROOT = resolve(import.meta.dirname, "../..");
const read = (name: string) => readFileSync(join(ROOT, name), "utf8");
const configOf = (env: string) => readConfig({ config: join(ROOT, "wrangler.toml"), env });
type RateLimit = { name: string; namespace_id: string; simple: { limit: number; period: number } };
type Database = { binding: string; migrations_dir?: string };

/** Runs `npm run deploy` and returns its exit code and output. */
async function deploy(...options: string[]): Promise<{ status: number | null; out: string }> {
  // wrangler keeps its login in the home folder: in an empty one nobody is logged in.
  const home = mkdtempSync(join(tmpdir(), "fuelgauge-deploy-"));
  const { CLOUDFLARE_API_TOKEN: _token, CLOUDFLARE_ENV: _env, ...environment } = process.env;
  const child = spawn(process.execPath, [join(ROOT, "tools", "run.mjs"), "deploy.ts", ...options], {
    cwd: ROOT,
    env: { ...environment, HOME: home, XDG_CONFIG_HOME: home, WRANGLER_SEND_METRICS: "false", NO_COLOR: "1" },
  });
  let out = "";
  child.stdout.on("data", (data) => (out += data));
  child.stderr.on("data", (data) => (out += data));
  const status = await new Promise<number | null>((ended) => child.on("close", ended));
  rmSync(home, { recursive: true });
  return { status, out };
}

it("wrangler.toml keeps requests of the Worker from private addresses", () => {
  for (const env of ["", "staging"])
    expect(configOf(env).compatibility_flags).toContain("global_fetch_strictly_public");
});

describe("npm run deploy -- --dry-run", () => {
  it.each([
    ["", "fuelgauge"],
    ["--env staging", "fuelgauge-staging"],
  ])("%s builds the Worker with all its bindings and without a warning", async (option, database) => {
    const folder = mkdtempSync(join(tmpdir(), "fuelgauge-build-"));
    const { status, out } = await deploy("--dry-run", "--outdir", folder, ...option.split(" ").filter(Boolean));
    expect(out).not.toMatch(/warning/i);
    expect(status).toBe(0);
    for (const bound of ["ENTERPRISE (EnterpriseObject)", "CATALOG (CatalogObject)", `DB (${database})`, "ASSETS"]) {
      expect(out).toContain(`env.${bound}`);
    }
    expect(readdirSync(folder)).toContain("worker.js");
    rmSync(folder, { recursive: true });
  });

  it("lists the environments if the given one does not exist", async () => {
    const { status, out } = await deploy("--dry-run", "--env", "stage");
    expect(status).toBe(1);
    expect(out).toMatch(/^Processing wrangler.toml.*"stage".*"production","staging"/s);
    expect(out).not.toMatch(/^ +at /m);
  });
});

describe("wrangler.toml", () => {
  it("repeats in every environment what environments do not inherit", () => {
    const repeated = (env: string) => {
      const { durable_objects, vars, secrets, d1_databases, ratelimits, analytics_engine_datasets } = configOf(env);
      const databases = d1_databases.map(({ binding, migrations_dir }: Database) => [binding, migrations_dir]);
      const limits = ratelimits.map(({ name, simple }: RateLimit) => [name, simple]);
      return { durable_objects, vars, secrets, databases, limits, analytics_engine_datasets };
    };
    for (const env of ["production", "staging"]) expect(repeated(env)).toEqual(repeated(""));
  });

  it("lets environments inherit objects, schedule, assets and observability", () => {
    const inherited = (env: string) => {
      const { exports, triggers, assets, observability, compatibility_date, main } = configOf(env);
      return { exports, triggers, assets, observability, compatibility_date, main };
    };
    for (const env of ["production", "staging"]) expect(inherited(env)).toEqual(inherited(""));
    expect(inherited("").observability).toMatchObject({ enabled: true });
    expect(inherited("").triggers.crons).toHaveLength(1);
  });

  it("keeps staging separate, and makes production the same as the top level", () => {
    const [top, production, staging] = ["", "production", "staging"].map(configOf);
    expect(production?.name).toBe(top?.name);
    expect(production?.d1_databases).toEqual(top?.d1_databases);
    expect(production?.ratelimits).toEqual(top?.ratelimits);
    const counted = (config: typeof top) => config?.ratelimits.map(({ namespace_id }: RateLimit) => namespace_id);
    expect(counted(staging)?.filter((id: string) => counted(top)?.includes(id))).toEqual([]);
    expect(staging?.name).not.toBe(top?.name);
    expect(staging?.d1_databases[0]?.database_name).not.toBe(top?.d1_databases[0]?.database_name);
  });
});

describe("the Deploy to Cloudflare button", () => {
  it("shows every secret and variable with a description", () => {
    const { secrets, vars } = configOf("");
    expect(Object.keys(parseDevVars(read(".dev.vars.example")))).toEqual(secrets?.required);
    const { bindings } = JSON.parse(read("package.json")).cloudflare;
    for (const name of [...(secrets?.required ?? []), ...Object.keys(vars)]) {
      expect(bindings[name]?.description).toEqual(expect.any(String));
    }
  });
});
