/** Input that no honest caller sends: odd JSON values, malformed bodies, and a valid body changed in one place. */

import { env } from "cloudflare:workers";

/** Raw JSON, because JavaScript cannot represent some of it. */
const HOSTILE_VALUES = [
  "null",
  "true",
  "0",
  "-0",
  "-1",
  "0.5",
  "1e400",
  "9007199254740992",
  `1${"0".repeat(400)}`,
  '""',
  '"NaN"',
  '"a b"',
  '"."',
  '".."',
  '"*"',
  '"\\u0000"',
  '"\\ud800"',
  '"__proto__"',
  `"${"x".repeat(129)}"`,
  '"\'; DROP TABLE meters; --"',
  '"0000-00-00T00:00:00Z"',
  '"+275760-09-13T00:00:00.001Z"',
  '"9999-12-31T23:59:59.999+23:59"',
  "[]",
  "[null]",
  "{}",
  '{"__proto__":{"admin":true}}',
];

/** Bodies that are not JSON, or not an object that any route accepts. */
export const MALFORMED_BODIES = [
  "",
  " ",
  "NaN",
  "Infinity",
  "undefined",
  "{",
  "}",
  "[1,",
  '"',
  '{"a"}',
  '{"a":1,}',
  "{'a':1}",
  "/* c */ {}",
  "null",
  "true",
  "0",
  '"x"',
  "[]",
  "[{}]",
  "{}",
  '{"__proto__":{"x":1}}',
  '{"constructor":{"prototype":{"x":1}}}',
  '{"reports":{"length":1}}',
  "[".repeat(100_000),
  `${"[".repeat(50_000)}${"]".repeat(50_000)}`,
  `${'{"a":'.repeat(50_000)}1${"}".repeat(50_000)}`,
  `{"reports":[${"[".repeat(20_000)}${"]".repeat(20_000)}]}`,
  `{${Array.from({ length: 20_000 }, (_, i) => `"f${i}":0`).join()}}`,
];

/** Bodies that are not UTF-8, and an empty object behind a byte order mark. */
export const MALFORMED_BYTES = [
  [0xff, 0xfe, 0x00],
  [0xef, 0xbb, 0xbf, 0x7b, 0x7d],
  [0x7b, 0x22, 0xc3, 0x28, 0x22, 0x3a, 0x31, 0x7d],
  [0],
];

/** Query values: invalid limits, cursors and filters, and cursors of other lists. */
export const QUERY_VALUES = [
  "",
  "0",
  "-1",
  "1.5",
  "101",
  "1e400",
  "NaN",
  "null",
  "[]",
  "a b",
  "a\u0000b",
  "*",
  "'",
  "%",
  "x".repeat(5_000),
  ...[[1], ["x", 1], [null], [], {}, [0.5, "\ud800"], [-1, ""], [Number.MAX_SAFE_INTEGER, "x".repeat(9_999)]]
    .map((position) => btoa(JSON.stringify(position)).replace(/=+$/, ""))
    .concat(btoa("[1e400]").replace(/=+$/, ""), btoa('[1e400,"x"]').replace(/=+$/, "")),
];

const { BAD_INPUTS, BAD_INPUT_SEED } = env as unknown as { BAD_INPUTS: string; BAD_INPUT_SEED: string };

/**
 * Returns one part of these values, which is tried in this place. The next places get the other parts. With
 * FUELGAUGE_BAD_INPUTS of 40 or more a place gets two parts, and with 400 or more, as in the campaign, all.
 * @param parts into how many parts the values are divided
 */
export function shareOf<T>(values: readonly T[], place: number, parts: number): T[] {
  const every = Number(BAD_INPUTS) >= 400 ? 1 : Number(BAD_INPUTS) >= 40 ? parts / 2 : parts;
  return values.filter((_, i) => (i + place) % every === 0);
}

/**
 * The body as raw JSON, with each value replaced, each field removed or doubled, and unknown fields added. Each value is
 * replaced by a share of the hostile values, and the next field by the next share.
 */
export function* mutationsOf(body: unknown): Generator<[string, string]> {
  let field = Number(BAD_INPUT_SEED);
  for (const path of pathsOf(body)) {
    field += 1;
    for (const raw of shareOf(HOSTILE_VALUES, field, 6)) {
      yield [`${path.join(".")} = ${raw.slice(0, 60)}`, withRaw(body, path, raw)];
    }
  }
  for (const path of objectsOf(body)) {
    const at = path.join(".") || "body";
    const object = path.reduce((value, name) => (value as Record<string, unknown>)[name], body) as object;
    for (const name of Object.keys(object)) {
      const { [name]: _, ...rest } = object as Record<string, unknown>;
      yield [`${at} without ${name}`, withRaw(body, path, JSON.stringify(rest))];
    }
    const inner = JSON.stringify(object).slice(1, -1);
    for (const extra of ['"x":1', '"__proto__":{}', '"constructor":1', '"toString":null', '"":0', '"\\ud800":0']) {
      yield [`${at} with ${extra}`, withRaw(body, path, `{${inner}${inner === "" ? "" : ","}${extra}}`)];
    }
    const [first] = Object.keys(object);
    if (first !== undefined) yield [`${at} with ${first} twice`, withRaw(body, path, `{${inner},"${first}":[]}`)];
  }
}

function* pathsOf(value: unknown, path: string[] = []): Generator<string[]> {
  if (typeof value !== "object" || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    yield [...path, name];
    yield* pathsOf(inner, [...path, name]);
  }
}

function* objectsOf(value: unknown, path: string[] = []): Generator<string[]> {
  if (typeof value !== "object" || value === null) return;
  if (!Array.isArray(value)) yield path;
  for (const [name, inner] of Object.entries(value)) yield* objectsOf(inner, [...path, name]);
}

function withRaw(body: unknown, path: readonly string[], raw: string): string {
  const [name, ...rest] = path;
  if (name === undefined) return raw;
  if (Array.isArray(body)) {
    return `[${body.map((item, i) => (String(i) === name ? withRaw(item, rest, raw) : JSON.stringify(item))).join()}]`;
  }
  const members = Object.entries(body as object).map(
    ([key, value]) => `${JSON.stringify(key)}:${key === name ? withRaw(value, rest, raw) : JSON.stringify(value)}`,
  );
  return `{${members.join()}}`;
}
