/**
 * Generates input from a schema of the OpenAPI document: mostly valid, sometimes invalid at known paths, which the
 * answer must then name. It is raw JSON, because JavaScript cannot represent some of it (1e400, integers of 400 digits).
 */
import fc from "fast-check";

export type Schema = {
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  minItems?: number;
  enum?: string[];
  pattern?: string;
  format?: string;
  example?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
  anyOf?: Schema[];
  $ref?: string;
};

/** Raw JSON and the paths at which it is invalid; none if the schema accepts it. */
type Input = { raw: string; invalidPaths: string[] };

const UNKNOWN_FIELDS = ["x", "__proto__", "constructor", "toString", "hasOwnProperty", "ID"];
const OTHER_TYPES: Record<string, string[]> = {
  string: ["0", "0.5", "true", "[]", "{}", '["a"]', '{"toString":"a"}'],
  integer: ['"1"', '""', "true", "[]", "{}", "[1]", "0.5", "1e400", "-1e400", `1${"0".repeat(400)}`, "1e-7"],
  boolean: ['"true"', "0", "1", "[]", "{}"],
  array: ['"x"', "0", "{}", '{"length":1}', '{"0":1,"length":1}'],
  object: ['"x"', "0", "[]", "[{}]", "true"],
};

/** @param find resolves a `$ref` of the document */
export function inputFrom(given: Schema, find: (ref: string) => Schema, path: string[] = []): fc.Arbitrary<Input> {
  const schema = given.$ref === undefined ? given : find(given.$ref);
  const invalid = fc.constantFrom(...invalidValuesOf(schema)).map((raw) => ({ raw, invalidPaths: [path.join(".")] }));
  return fc.oneof({ weight: 12, arbitrary: validFrom(schema, find, path) }, { weight: 1, arbitrary: invalid });
}

function validFrom(schema: Schema, find: (ref: string) => Schema, path: string[]): fc.Arbitrary<Input> {
  const type = typeOf(schema);
  if (type === "object") return objectOf(schema, find, path);
  if (type === "array") return arrayOf(schema, find, path);
  return scalarOf(schema, type).map((value) => ({ raw: JSON.stringify(value), invalidPaths: [] }));
}

function objectOf(
  { properties = {}, required = [], additionalProperties }: Schema,
  find: (ref: string) => Schema,
  path: string[],
) {
  const members = Object.entries(properties).map(([name, schema]) => {
    const present = inputFrom(schema, find, [...path, name]);
    const missing = { raw: "", invalidPaths: required.includes(name) ? [[...path, name].join(".")] : [] };
    const weight = required.includes(name) ? 20 : 1;
    const member = fc.oneof({ weight, arbitrary: present }, { weight: 1, arbitrary: fc.constant(missing) });
    return member.map(({ raw, invalidPaths }) => ({
      raw: raw === "" ? "" : `${JSON.stringify(name)}:${raw}`,
      invalidPaths,
    }));
  });
  const unknownField = fc.constantFrom(...UNKNOWN_FIELDS).map((name) => ({
    raw: `${JSON.stringify(name)}:{}`,
    invalidPaths: [[...path, name].join(".")],
  }));
  const none = fc.constant({ raw: "", invalidPaths: [] as string[] });
  // A record accepts many names, so the fields of this list may be valid in it.
  const isRecord = typeof additionalProperties === "object";
  const extra = isRecord ? none : fc.oneof({ weight: 12, arbitrary: none }, { weight: 1, arbitrary: unknownField });
  return fc.tuple(extra, ...members).map((parts) => ({
    raw: `{${parts.flatMap(({ raw }) => (raw === "" ? [] : [raw])).join()}}`,
    invalidPaths: parts.flatMap(({ invalidPaths }) => invalidPaths),
  }));
}

function arrayOf({ items = {}, minItems = 0 }: Schema, find: (ref: string) => Schema, path: string[]) {
  // The index is part of the path, so each position has its own arbitrary.
  const positions = Array.from({ length: 3 }, (_, i) => inputFrom(items, find, [...path, String(i)]));
  return fc.integer({ min: minItems, max: 3 }).chain((length) =>
    fc.tuple(...positions.slice(0, length)).map((parts) => ({
      raw: `[${parts.map(({ raw }) => raw).join()}]`,
      invalidPaths: parts.flatMap(({ invalidPaths }) => invalidPaths),
    })),
  );
}

function scalarOf(schema: Schema, type: string): fc.Arbitrary<unknown> {
  const { minimum = 0, maximum = 1_000_000, minLength = 0, maxLength = 100 } = schema;
  const value = (() => {
    if (type === "boolean") return fc.boolean();
    if (type === "integer")
      return fc.oneof(fc.integer({ min: minimum, max: maximum }), fc.constantFrom(minimum, maximum));
    if (schema.enum !== undefined) return fc.constantFrom(...schema.enum);
    if (schema.format === "date-time") {
      const noInvalidDate = true;
      return fc
        .date({ min: new Date(0), max: new Date("9999-12-31"), noInvalidDate })
        .map((date) => date.toISOString());
    }
    if (schema.format === "uri") return fc.constantFrom("https://acme.example/x", "https://b.example/?a=1#b");
    if (schema.pattern !== undefined) return fc.stringMatching(/^[A-Za-z0-9_:@/-]{1,24}$/);
    if (schema.example !== undefined) return fc.constant(schema.example);
    return fc.string({ minLength, maxLength: Math.min(maxLength, 40) });
  })();
  return isNullable(schema) ? fc.option(value as fc.Arbitrary<unknown>, { freq: 5 }) : value;
}

function invalidValuesOf(schema: Schema): string[] {
  const type = typeOf(schema);
  const invalid = [...(OTHER_TYPES[type] ?? [])];
  if (!isNullable(schema)) invalid.push("null");
  if (schema.minimum !== undefined) invalid.push(String(schema.minimum - 1), "-9007199254740993");
  if (schema.maximum !== undefined) invalid.push(String(BigInt(schema.maximum) + 1n), "9007199254740993");
  if (schema.minLength !== undefined) invalid.push('""');
  if (schema.maxLength !== undefined) invalid.push(JSON.stringify("x".repeat(schema.maxLength + 1)));
  if (schema.minItems !== undefined) invalid.push("[]");
  if (schema.enum !== undefined) invalid.push('"none of these"', '""', `"${schema.enum[0]} "`);
  if (schema.format === "date-time") invalid.push('"soon"', '"2026-13-01T00:00:00Z"', '"2026-11-23"', '"1e400"');
  if (schema.format === "uri") invalid.push('"javascript:alert(1)"', '"x"', '"//host"', '"ftp://a.example/"');
  if (schema.pattern !== undefined)
    invalid.push('""', '"a b"', '"."', '".."', '"\\ud800"', '"\\u0000"', `"${"x".repeat(129)}"`);
  return invalid;
}

function typeOf(schema: Schema): string {
  const named = [schema.type ?? schema.anyOf?.[0]?.type].flat().filter((type) => type !== "null");
  return named[0] ?? "object";
}

function isNullable({ type }: Schema): boolean {
  return Array.isArray(type) && type.includes("null");
}
