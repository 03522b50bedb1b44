// What `npm start` does first: compare the installed packages with the lock file, and make the local secrets.
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { installDifference } from "../../tools/install.mjs";
import { ensureSecrets, parseDevVars, writeOverrides, writeStartConfig } from "../../tools/start/dev-vars.mjs";

describe("installDifference", () => {
  const LOCKED = {
    "": { version: "0.1.0" },
    "node_modules/hono": { version: "4.0.0", integrity: "sha512-a" },
    "node_modules/workerd-darwin": { version: "1.0.0", integrity: "sha512-b", optional: true },
  };
  const HONO = { "node_modules/hono": LOCKED["node_modules/hono"] };

  it("finds none if only optional packages are missing", () => {
    expect(installDifference(LOCKED, HONO)).toBeNull();
  });

  it.each([
    [{}, "node_modules/hono is missing"],
    [{ "node_modules/hono": { version: "3.0.0" } }, "node_modules/hono is 3.0.0, not 4.0.0"],
    [{ "node_modules/hono": { version: "4.0.0", integrity: "sha512-x" } }, "node_modules/hono has different content"],
    [{ ...HONO, "node_modules/express": { version: "5.0.0" } }, "node_modules/express is not in package-lock.json"],
  ])("describes the difference in %j", (installed, difference) => {
    expect(installDifference(LOCKED, installed)).toBe(difference);
  });
});

describe(".dev.vars", () => {
  const OUTSIDE = "a secret from the environment, long enough";
  const MINE = "a-secret-from-the-file-long-enough";
  let directory = "";
  let path = "";
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "fuelgauge-"));
    path = join(directory, ".dev.vars");
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  it("gets random secrets, is readable by the user only, and is not changed by the next start", () => {
    const first = ensureSecrets(path, {});
    expect(first.OPERATOR_KEY).toMatch(/^[\w-]{43}$/);
    expect(first.SIGNING_SECRET).not.toBe(first.OPERATOR_KEY);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    const text = readFileSync(path, "utf8");
    expect(ensureSecrets(path, {})).toEqual(first);
    expect(readFileSync(path, "utf8")).toBe(text);
  });

  it("gets a missing secret from the environment if it is set there", () => {
    expect(ensureSecrets(path, { OPERATOR_KEY: OUTSIDE }).OPERATOR_KEY).toBe(OUTSIDE);
    expect(parseDevVars(readFileSync(path, "utf8")).OPERATOR_KEY).toBe(OUTSIDE);
  });

  it("keeps existing values, but the environment wins for this start", () => {
    writeFileSync(path, `OPERATOR_KEY=${MINE}\nEXTRA=1`);
    const secrets = ensureSecrets(path, { OPERATOR_KEY: OUTSIDE });
    expect(secrets.OPERATOR_KEY).toBe(OUTSIDE);
    const kept = parseDevVars(readFileSync(path, "utf8"));
    expect(kept).toEqual({ OPERATOR_KEY: MINE, EXTRA: "1", SIGNING_SECRET: secrets.SIGNING_SECRET });
  });

  it("is left alone when a secret is too short, and the error says which one and where it is set", () => {
    writeFileSync(path, `OPERATOR_KEY=${MINE}\nSIGNING_SECRET=short`);
    expect(() => ensureSecrets(path, {})).toThrow("SIGNING_SECRET in .dev.vars has 5 characters");
    expect(() => ensureSecrets(path, { SIGNING_SECRET: OUTSIDE, OPERATOR_KEY: "x" })).toThrow(
      "OPERATOR_KEY in the environment has 1 characters",
    );
    expect(readFileSync(path, "utf8")).toBe(`OPERATOR_KEY=${MINE}\nSIGNING_SECRET=short`);
  });

  it("is parsed like dotenv does: quotes, comments, spaces and export", () => {
    const text = '# note\nexport A = \'x #y\' # z\nB="line\\nbreak"\n\nC=`it\'s "so"`\nD=plain # tail\nE=\n';
    expect(parseDevVars(text)).toEqual({ A: "x #y", B: "line\nbreak", C: `it's "so"`, D: "plain", E: "" });
  });

  it("is complemented by a private file with the environment's secrets, which can be removed", () => {
    const overrides = join(directory, "deeper", "start.env");
    const remove = writeOverrides(overrides, { SIGNING_SECRET: "costs $5 and `more`" });
    expect(readFileSync(overrides, "utf8")).toBe("SIGNING_SECRET='costs \\$5 and `more`'\n");
    expect(statSync(overrides).mode & 0o777).toBe(0o600);
    remove?.();
    expect(() => statSync(overrides)).toThrow("ENOENT");
    expect(writeOverrides(overrides, {})).toBeNull();
  });

  it("passes on URLs, previous secrets and the rule for unpriced usage from the environment", () => {
    const overrides = join(directory, "start.env");
    const environment = { UPGRADE_URL: "https://up.example/{enterprise}", UNPRICED_USAGE: "refuse", OTHER: "no" };
    writeOverrides(overrides, { ...environment, SIGNING_SECRET_PREVIOUS: OUTSIDE });
    expect(parseDevVars(readFileSync(overrides, "utf8"))).toEqual({
      UPGRADE_URL: "https://up.example/{enterprise}",
      UNPRICED_USAGE: "refuse",
      SIGNING_SECRET_PREVIOUS: OUTSIDE,
    });
    expect(() => ensureSecrets(path, { OPERATOR_KEY_PREVIOUS: "short" })).toThrow("OPERATOR_KEY_PREVIOUS");
  });

  it("names these values in the configuration, because wrangler passes on no others", () => {
    const config = join(directory, "start.toml");
    const text = '[secrets]\nrequired = ["OPERATOR_KEY", "SIGNING_SECRET"]\n';
    writeFileSync(path, `SIGNING_SECRET_PREVIOUS=${OUTSIDE}\n`);
    const remove = writeStartConfig(config, text, path, { UPGRADE_URL: "https://up.example/", OTHER: "no" });
    expect(readFileSync(config, "utf8")).toBe(
      '[secrets]\nrequired = ["OPERATOR_KEY","SIGNING_SECRET","SIGNING_SECRET_PREVIOUS","UPGRADE_URL"]\n',
    );
    remove?.();
    expect(() => statSync(config)).toThrow("ENOENT");
    writeFileSync(path, "");
    expect(writeStartConfig(config, text, path, { UPGRADE_URL: "" })).toBeNull();
  });

  it("cannot hold a value with both kinds of quotes", () => {
    expect(() => ensureSecrets(path, { OPERATOR_KEY: "a long value with both ' and ` in it" })).toThrow(
      "OPERATOR_KEY contains both",
    );
  });
});
