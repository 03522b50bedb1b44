// The Python client reads the usage of each provider exactly as the TypeScript client does: every case of the tables, every
// beginning of each golden stream, and thousands of streams in which fields and events are missing, repeated or wrong.
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import process from "node:process";
import { expect, it } from "vitest";
import { anthropicUsage } from "../../packages/client/src/anthropic.ts";
import { bedrockUsage } from "../../packages/client/src/bedrock.ts";
import type { Counted } from "../../packages/client/src/counted.ts";
import { googleUsage } from "../../packages/client/src/google.ts";
import type { Fold, MeterOptions } from "../../packages/client/src/metered.ts";
import { openaiUsage } from "../../packages/client/src/openai.ts";
import { casesOf } from "./golden.ts";
import type { Api, UsageCase } from "./usage-case.ts";
import { answersOf, eventsOf } from "./usage-events.ts";
import { USAGE_CASES } from "./usages.ts";

const CLIENT = resolve(import.meta.dirname, "../../clients/python");
const RANDOM_CASES = Number(process.env.USAGE_CASES ?? 1_000);
const hasPython = (process.env.PATH ?? "").split(":").some((folder) => existsSync(join(folder, "python3")));

const FOLDS: Record<Api, (options: MeterOptions) => Fold<never>> = {
  chat: openaiUsage,
  responses: openaiUsage,
  anthropic: anthropicUsage,
  google: googleUsage,
  bedrock: bedrockUsage,
};

type Case = {
  name: string;
  api: Api;
  events: unknown[];
  options: { model?: string; tier?: string; estimate?: boolean };
};

function shown(counted: readonly Counted[]) {
  return counted.map(({ model, usage, tier = null, promptTokens = null }) => {
    const usedKinds = Object.entries(usage).filter(([, quantity]) => quantity > 0);
    return { model, usage: Object.fromEntries(usedKinds), tier, promptTokens };
  });
}

/** What the TypeScript client counts of a stream. */
function read({ api, events, options }: Case) {
  const fold = FOLDS[api](options);
  for (const event of events) fold.add(event as never);
  const estimated = options.estimate ? shown(fold.estimated(7)) : null;
  const model = fold.model() ?? null;
  return { counted: shown(fold.counted()), ended: fold.ended(), stated: fold.stated(), model, estimated };
}

/** What the Python client counts of each stream: as dicts, and as objects. */
function readInPython(cases: Case[]): unknown[][] {
  const folder = mkdtempSync(join(tmpdir(), "fuelgauge-usages-"));
  const file = join(folder, "cases.json");
  writeFileSync(file, JSON.stringify(cases));
  const env = { ...process.env, PYTHONPATH: CLIENT, PYTHONDONTWRITEBYTECODE: "1" };
  const script = join(import.meta.dirname, "python", "read_usages.py");
  const { stdout, stderr } = spawnSync("python3", [script, file], { env, maxBuffer: 1 << 28, encoding: "utf8" });
  rmSync(folder, { recursive: true });
  expect(stderr).toBe("");
  return JSON.parse(stdout);
}

function expectAgreement(cases: Case[]): void {
  for (const [i, forms] of readInPython(cases).entries()) {
    const usageCase = cases[i] as Case;
    const expected = read(usageCase);
    for (const form of forms) expect(form, `${usageCase.name}: ${JSON.stringify(usageCase.events)}`).toEqual(expected);
  }
}

const optionsFor = ({ api, model }: UsageCase) => (api === "bedrock" ? { model } : {});

it.runIf(hasPython)("reads every case of the tables alike; skipped only if python3 is missing", () => {
  const streams = USAGE_CASES.map((usageCase) => ({
    ...usageCase,
    events: eventsOf(usageCase),
    options: optionsFor(usageCase),
  }));
  const answers = USAGE_CASES.flatMap((usageCase) =>
    answersOf(usageCase).map((answer) => ({ ...usageCase, events: [answer], options: optionsFor(usageCase) })),
  );
  expect(streams.length).toBeGreaterThan(40);
  expectAgreement([...streams, ...answers]);
});

it.runIf(hasPython)("reads every beginning of each golden stream alike", () => {
  const providers = {
    anthropic: "anthropic",
    "openai-chat": "chat",
    "openai-responses": "responses",
    google: "google",
  };
  const cases = Object.entries(providers).flatMap(([provider, api]) =>
    casesOf(provider as "google").flatMap(({ name, responses }) => {
      const events = responses.flat();
      return events.flatMap((_event, last) =>
        [false, true].map((estimate) => ({
          name: `${name} to ${last}`,
          api: api as Api,
          events: events.slice(0, last + 1),
          options: { estimate },
        })),
      );
    }),
  );
  expectAgreement(cases);
});

it.runIf(hasPython)("reads streams alike whose fields and events are missing, repeated or wrong", () => {
  const random = randomFrom(Number(process.env.USAGE_SEED ?? 1));
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random() * values.length)] as T;
  const cases = Array.from({ length: RANDOM_CASES }, (_, i): Case => {
    const { api, usages, place, more } = pick(USAGE_CASES);
    const pool = USAGE_CASES.filter((other) => other.api === api || (api === "chat" && other.api === "responses"));
    const usagesOf = usages.map((usage) => damaged({ ...usage, ...pick(pick(pool).usages) }, pick, random));
    const usageCase = {
      name: `stream ${i}`,
      api,
      model: "m",
      usages: usagesOf,
      means: {},
      ...(place && { place }),
      ...(more && { more }),
    };
    const complete = random() < 0.2;
    const events: unknown[] = complete ? answersOf(usageCase).slice(0, 1) : eventsOf(usageCase);
    for (let change = Math.floor(random() * 3); change > 0; change--) {
      const at = Math.floor(random() * events.length);
      const [event] = events.splice(at, pick([0, 1]));
      // The first event shows whose stream it is, so it stays.
      if (at === 0 && event !== undefined) events.unshift(event);
      else if (random() < 0.6) events.splice(at, 0, structuredClone(pick(events)));
    }
    const estimate = random() < 0.3;
    return {
      name: `stream ${i}`,
      api,
      events,
      options: { estimate, ...(api === "bedrock" && { model: "arn:a/b/m" }) },
    };
  });
  expectAgreement(cases);
});

const WRONG = [null, 0, 1, 7, 50, 12_000, -3, 1.5, "9", true, {}, [], 2 ** 60];

/** Removes, zeroes or spoils some fields of a usage. */
function damaged(usage: object, pick: <T>(values: readonly T[]) => T, random: () => number): object {
  const kept = Object.entries(usage).filter(() => random() > 0.15);
  return Object.fromEntries(
    kept.map(([name, value]) => {
      if (random() < 0.15) return [name, pick(WRONG)];
      const isRecord = typeof value === "object" && value !== null && !Array.isArray(value);
      return [name, isRecord ? damaged(value, pick, random) : value];
    }),
  );
}

/** A generator of numbers from 0 to 1 that repeats itself for the same seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
