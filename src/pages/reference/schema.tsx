/**
 * How the API reference shows a schema of the OpenAPI document: an object as a list of its fields, any other value as a
 * phrase, and a reference as a link.
 */
import type { Child, FC } from "hono/jsx";
import type { ApiSchema } from "../../wire/api-document.ts";

/** The fields of an object, or a phrase for any other value. */
export const Shape: FC<{ schema: ApiSchema }> = ({ schema }) => {
  if (schema.allOf !== undefined) return schema.allOf.map((part) => <Shape schema={part} />);
  if (schema.anyOf?.some(hasFields) === true) {
    return (
      <ul class="choices">
        {schema.anyOf.map((choice) => (
          <li>
            <Shape schema={choice} />
          </li>
        ))}
      </ul>
    );
  }
  const inner = hasFields(schema)
    ? schema
    : schema.items !== undefined && hasFields(schema.items)
      ? schema.items
      : null;
  return (
    <>
      {inner !== schema && (
        <p>
          <Phrase schema={schema} />
        </p>
      )}
      {inner?.properties !== undefined && (
        <ul class="fields">
          {Object.entries(inner.properties).map(([name, field]) => (
            <Field name={name} schema={field} required={inner.required?.includes(name) === true} />
          ))}
        </ul>
      )}
    </>
  );
};

/** One field of an object, with the fields that it contains. */
export const Field: FC<{ name: string; schema: ApiSchema; required: boolean }> = ({ name, schema, required }) => {
  const nested = [schema, schema.items, ...(schema.anyOf ?? [])].find((part) => part !== undefined && hasFields(part));
  return (
    <li>
      <code>{name}</code> <Phrase schema={schema} />
      {!required && <span class="muted">, optional</span>}
      {schema.description !== undefined && (
        <>
          {". "}
          <Prose text={schema.description} />
        </>
      )}
      {nested !== undefined && <Shape schema={nested} />}
    </li>
  );
};

/** The type of a value and its bounds. */
const Phrase: FC<{ schema: ApiSchema }> = ({ schema }) => {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.split("/").at(-1);
    return <a href={`#schema-${name}`}>{name}</a>;
  }
  if (schema.anyOf !== undefined) {
    return schema.anyOf.map((choice, i) => (
      <>
        {i > 0 && " or "}
        <Phrase schema={choice} />
      </>
    ));
  }
  if (schema.items !== undefined) {
    return (
      <>
        list of <Phrase schema={schema.items} />
        {boundsOf(schema)}
      </>
    );
  }
  const values = schema.enum ?? (schema.const === undefined ? undefined : [schema.const]);
  return (
    <>
      {values === undefined ? typeOf(schema) : values.map((value) => JSON.stringify(value)).join(" | ")}
      {boundsOf(schema)}
    </>
  );
};

/** A part of an operation or a message, with its title. */
export const Part: FC<{ title: string; children?: Child }> = ({ title, children }) => (
  <>
    <h4>{title}</h4>
    {children}
  </>
);

/** Text in which `this` is code. */
export const Prose: FC<{ text: string }> = ({ text }) => (
  <>{text.split("`").map((part, i) => (i % 2 === 1 ? <code>{part}</code> : part))}</>
);

function hasFields({ properties }: ApiSchema): boolean {
  return properties !== undefined && Object.keys(properties).length > 0;
}

function typeOf({ type, format }: ApiSchema): string {
  const types = [type ?? "anything"].flat().join(" or ");
  return format === undefined ? types : `${types} (${format})`;
}

function boundsOf(schema: ApiSchema): string {
  const { minimum, maximum, minLength, maxLength, minItems, maxItems, pattern } = schema;
  const range = (from: number | undefined, to: number | undefined, what: string) =>
    from === undefined && to === undefined ? [] : [`${from ?? ""} … ${to ?? ""}${what}`];
  const bounds = [
    ...range(minimum, maximum, ""),
    ...range(minLength, maxLength, " characters"),
    ...range(minItems, maxItems, " items"),
    ...(pattern === undefined ? [] : [pattern]),
    ...(schema.default === undefined ? [] : [`default ${JSON.stringify(schema.default)}`]),
  ];
  return bounds.length === 0 ? "" : `, ${bounds.join(", ")}`;
}
