/**
 * Checks the parts of docs/operate.md that need an account, as far as that is possible without one: the rotation of the
 * secrets changes what it says, the configurations can be read, and every command of wrangler exists.
 */
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { afterAll, expect, it } from "vitest";
import { unstable_readConfig as readConfig } from "wrangler";
import { parse } from "yaml";
import { rotationSteps, type Secrets } from "../support/rotation.ts";
import { blocksOf } from "./blocks.ts";
import { ROOT } from "./server.ts";

const folder = mkdtempSync(join(tmpdir(), "fuelgauge-setup-"));
afterAll(() => rmSync(folder, { recursive: true }));

const blocks = blocksOf("docs/operate.md");
const blockUnder = (heading: string, language: string) => {
  const found = blocks.filter((block) => block.heading === heading && block.language === language);
  expect([heading, found.length]).toEqual([heading, 1]);
  return found[0]?.code ?? "";
};

/** A replacement of `npx wrangler secret bulk`: it applies the changes to the file deployed.json, which plays the deployment. */
const FAKE_NPX = `#!${process.execPath}
const fs = require("fs");
const [, , ...command] = process.argv;
if (command.slice(0, 3).join(" ") !== "wrangler secret bulk") throw new Error("unexpected: " + command.join(" "));
const text = fs.readFileSync(command[3] ?? 0, "utf8");
const lines = () => text.trim().split("\\n").map((line) => [line.slice(0, line.indexOf("=")), line.slice(line.indexOf("=") + 1)]);
const changes = text.startsWith("{") ? JSON.parse(text) : Object.fromEntries(lines());
const deployed = { ...JSON.parse(fs.readFileSync("deployed.json", "utf8")), ...changes };
for (const name of Object.keys(deployed)) if (deployed[name] === null) delete deployed[name];
fs.writeFileSync("deployed.json", JSON.stringify(deployed));
`;

it("rotates the secrets in the steps for which the test of the rotation sends traffic", () => {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  writeFileSync(join(bin, "npx"), FAKE_NPX);
  chmodSync(join(bin, "npx"), 0o755);
  const old = { OPERATOR_KEY: "o".repeat(64), SIGNING_SECRET: "s".repeat(64) };
  writeFileSync(join(folder, ".secrets"), `OPERATOR_KEY=${old.OPERATOR_KEY}\nSIGNING_SECRET=${old.SIGNING_SECRET}\n`);
  writeFileSync(join(folder, "deployed.json"), JSON.stringify(old));

  const commands = blocks.filter(({ heading, language }) => heading === "Rotate the secrets" && language === "sh");
  const states = commands.map(({ code }): Secrets => {
    const PATH = `${bin}:${process.env.PATH}`;
    const done = spawnSync("bash", ["--norc", "-euo", "pipefail", "-c", code], { cwd: folder, env: { PATH } });
    expect([done.status, done.stderr.toString()]).toEqual([0, ""]);
    return JSON.parse(readFileSync(join(folder, "deployed.json"), "utf8"));
  });

  const { OPERATOR_KEY = "", SIGNING_SECRET = "" } = states.at(-1) ?? {};
  expect([OPERATOR_KEY, SIGNING_SECRET]).toEqual([
    expect.stringMatching(/^\w{64}$/),
    expect.stringMatching(/^\w{64}$/),
  ]);
  expect(states).toEqual(rotationSteps(old, { OPERATOR_KEY, SIGNING_SECRET }).slice(1));
  const kept = `OPERATOR_KEY=${OPERATOR_KEY}\nSIGNING_SECRET=${SIGNING_SECRET}\n`;
  expect(readFileSync(join(folder, ".secrets"), "utf8")).toBe(kept);
  expect(readdirSync(folder).filter((name) => name.startsWith(".secrets"))).toEqual([".secrets"]);
});

it("deploys from CI with commands and secrets that exist", () => {
  const workflow = parse(blockUnder("Deploy from CI", "yaml"));
  const steps = workflow.jobs.deploy.steps as { run?: string; env?: object }[];
  const commands = steps.flatMap(({ run }) => run ?? []);
  expect(commands).toEqual(["npm ci", "npm test", "npm run deploy"]);
  const { scripts } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  expect(scripts).toMatchObject({ test: expect.any(String), deploy: expect.any(String) });
  expect(Object.keys(steps.at(-1)?.env ?? {})).toEqual(["CLOUDFLARE_API_TOKEN", "CLOUDFLARE_ACCOUNT_ID"]);
  expect(workflow.concurrency).toBe("deploy");
});

it("scrapes and alerts with files that exist", () => {
  const prometheus = parse(blockUnder("Monitor", "yaml"));
  expect(readdirSync(join(ROOT, "docs"))).toEqual(expect.arrayContaining(prometheus.rule_files));
  expect(prometheus.scrape_configs[0].static_configs[0].targets).toEqual(["fuelgauge.example.com"]);
});

it("samples the logs with a part of wrangler.toml that wrangler understands", () => {
  const config = join(ROOT, `.wrangler-start-${process.pid}.toml`);
  const text = readFileSync(join(ROOT, "wrangler.toml"), "utf8");
  const before = /^\[observability\]\n.*?(?=^\[secrets\])/ms;
  expect(text).toMatch(before);
  const readLogs = (content: string, env: string) => {
    writeFileSync(config, content);
    return readConfig({ config, env }).observability;
  };
  try {
    for (const env of ["", "production", "staging"]) {
      // What the page says about the configuration as it is.
      expect(readLogs(text, env)).toEqual({ enabled: true, logs: { invocation_logs: false } });
      const sampled = text.replace(before, `${blockUnder("Logs and their cost", "toml")}\n`);
      expect(readLogs(sampled, env)).toMatchObject({ head_sampling_rate: 0.1, logs: { invocation_logs: true } });
    }
  } finally {
    rmSync(config);
  }
});

it("names only commands of wrangler that exist", () => {
  const files = ["README.md", ...readdirSync(join(ROOT, "docs")).map((name) => `docs/${name}`)];
  const texts = files.filter((name) => name.endsWith(".md")).map((name) => readFileSync(join(ROOT, name), "utf8"));
  const named = new Set(texts.flatMap((text) => text.match(/(?<=npx wrangler )[a-z]\w*(?: [a-z]\w*)?/g) ?? []));
  const groups = ["secret", "d1", "deployments"];
  // wrangler's program declares each command like this. Its help would have to be printed for each group.
  const program = readFileSync(join(ROOT, "node_modules/wrangler/wrangler-dist/cli.js"), "utf8");
  const known = [...named].filter((command) => {
    const [first = "", second] = command.split(" ");
    return program.includes(`command: "wrangler ${groups.includes(first) ? `${first} ${second}` : first}"`);
  });
  expect(named.size).toBeGreaterThan(5);
  expect([...named].filter((command) => !known.includes(command))).toEqual([]);
});
