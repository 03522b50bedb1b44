/**
 * Input made from a schema of the OpenAPI document: mostly right, here and there wrong in a way that is known, so that
 * the answer can be held against it. Raw JSON, because some of it is no value of JavaScript.
 */
import fc from "fast-check";

export type Schema = {
  type?: string | string[];
  properties?: Record<string, Schema>;
  required?: string[];
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

/** Raw JSON, and the paths of what is wrong in it; none where the schema takes it. */
export type Made = { raw: string; wrong: string[] };

const STRANGERS = ["x", "__proto__", "constructor", "toString", "hasOwnProperty", "ID"];
const OTHER_TYPES: Record<string, string[]> = {
  string: ["0", "0.5", "true", "[]", "{}", '["a"]', '{"toString":"a"}'],
  integer: ['"1"', '""', "true", "[]", "{}", "[1]", "0.5", "1e400", "-1e400", `1${"0".repeat(400)}`, "1e-7"],
  boolean: ['"true"', "0", "1", "[]", "{}"],
  array: ['"x"', "0", "{}", '{"length":1}', '{"0":1,"length":1}'],
  object: ['"x"', "0", "[]", "[{}]", "true"],
};

/** @param find what a `$ref` of the document stands for */
export function madeFrom(given: Schema, find: (ref: string) => Schema, path: string[] = []): fc.Arbitrary<Made> {
  const schema = given.$ref === undefined ? given : find(given.$ref);
  const raws = wrongOf(schema);
  const wrong = fc.constantFrom(...raws).map((raw) => ({ raw, wrong: [path.join(".")] }));
  return fc.oneof({ weight: 12, arbitrary: rightOf(schema, find, path) }, { weight: 1, arbitrary: wrong });
}

function rightOf(schema: Schema, find: (ref: string) => Schema, path: string[]): fc.Arbitrary<Made> {
  const type = typeOf(schema);
  if (type === "object") return objectOf(schema, find, path);
  if (type === "array") return arrayOf(schema, find, path);
  return scalarOf(schema, type).map((value) => ({ raw: JSON.stringify(value), wrong: [] }));
}

function objectOf({ properties = {}, required = [] }: Schema, find: (ref: string) => Schema, path: string[]) {
  const members = Object.entries(properties).map(([name, schema]) => {
    const present = madeFrom(schema, find, [...path, name]);
    const left = { raw: "", wrong: required.includes(name) ? [[...path, name].join(".")] : [] };
    const often = required.includes(name) ? 20 : 1;
    const made = fc.oneof({ weight: often, arbitrary: present }, { weight: 1, arbitrary: fc.constant(left) });
    return made.map(({ raw, wrong }) => ({ raw: raw === "" ? "" : `${JSON.stringify(name)}:${raw}`, wrong }));
  });
  const stranger = fc.constantFrom(...STRANGERS).map((name) => ({
    raw: `${JSON.stringify(name)}:{}`,
    wrong: [[...path, name].join(".")],
  }));
  const none = fc.constant({ raw: "", wrong: [] as string[] });
  const joined = fc.oneof({ weight: 12, arbitrary: none }, { weight: 1, arbitrary: stranger });
  return fc.tuple(joined, ...members).map((made) => ({
    raw: `{${made.flatMap(({ raw }) => (raw === "" ? [] : [raw])).join()}}`,
    wrong: made.flatMap(({ wrong }) => wrong),
  }));
}

function arrayOf({ items = {}, minItems = 0 }: Schema, find: (ref: string) => Schema, path: string[]) {
  // The index belongs to the path, so each place has its own arbitrary.
  const places = Array.from({ length: 3 }, (_, i) => madeFrom(items, find, [...path, String(i)]));
  return fc.integer({ min: minItems, max: 3 }).chain((length) =>
    fc.tuple(...places.slice(0, length)).map((made) => ({
      raw: `[${made.map(({ raw }) => raw).join()}]`,
      wrong: made.flatMap(({ wrong }) => wrong),
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

function wrongOf(schema: Schema): string[] {
  const type = typeOf(schema);
  const wrong = [...(OTHER_TYPES[type] ?? [])];
  if (!isNullable(schema)) wrong.push("null");
  if (schema.minimum !== undefined) wrong.push(String(schema.minimum - 1), "-9007199254740993");
  if (schema.maximum !== undefined) wrong.push(String(BigInt(schema.maximum) + 1n), "9007199254740993");
  if (schema.minLength !== undefined) wrong.push('""');
  if (schema.maxLength !== undefined) wrong.push(JSON.stringify("x".repeat(schema.maxLength + 1)));
  if (schema.minItems !== undefined) wrong.push("[]");
  if (schema.enum !== undefined) wrong.push('"none of these"', '""', `"${schema.enum[0]} "`);
  if (schema.format === "date-time") wrong.push('"soon"', '"2026-13-01T00:00:00Z"', '"2026-11-23"', '"1e400"');
  if (schema.format === "uri") wrong.push('"javascript:alert(1)"', '"x"', '"//host"', '"ftp://a.example/"');
  if (schema.pattern !== undefined)
    wrong.push('""', '"a b"', '"."', '".."', '"\\ud800"', '"\\u0000"', `"${"x".repeat(129)}"`);
  return wrong;
}

function typeOf(schema: Schema): string {
  const named = [schema.type ?? schema.anyOf?.[0]?.type].flat().filter((type) => type !== "null");
  return named[0] ?? "object";
}

function isNullable({ type }: Schema): boolean {
  return Array.isArray(type) && type.includes("null");
}
