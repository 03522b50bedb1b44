/**
 * Reads posted forms and renders their fields. A refused form is shown again with the values that were typed and an
 * error message at each invalid field.
 */
import type { Context } from "hono";
import type { Child, FC } from "hono/jsx";
import type { AnyRefusal } from "../../access/refusals.ts";
import type { FieldError } from "../../ledger/refusals.ts";
import { problemOfRefusal } from "../../wire/problems.ts";

/** The values and the error messages, by field name. The message under "" concerns the whole form. */
export type Form = { values: Record<string, string>; errors: Record<string, string> };

/** The text fields of a posted form; empty if the body is not a valid form. Uploaded files are ignored. */
export async function readForm(c: Context): Promise<Record<string, string>> {
  const body = await c.req.parseBody().catch(() => ({}));
  return Object.fromEntries(Object.entries(body).filter((field): field is [string, string] => isText(field[1])));
}

/** Validation errors by field, each as a sentence. An error in a list's item belongs to the list. */
export function errorsOf(found: readonly FieldError[]): Record<string, string> {
  const errors: Record<string, string> = {};
  for (const { path, message } of found) errors[path.split(".")[0] ?? ""] ??= sentenceOf(message);
  return errors;
}

/** A refusal's messages by field. @param field gets the message of a refusal that names no field */
export function errorsOfRefusal(refusal: AnyRefusal, field: string): Record<string, string> {
  return refusal.code === "validation_failed"
    ? errorsOf(refusal.errors)
    : { [field]: problemOfRefusal(refusal).detail };
}

export function hasErrors({ errors }: Form): boolean {
  return Object.keys(errors).length > 0;
}

type FieldProps = {
  form: Form;
  name: string;
  label: string;
  type?: "text" | "password" | "datetime-local" | "url";
  hint?: Child;
  inputmode?: "decimal" | "numeric";
  optional?: boolean;
  maxlength?: number;
};

export const Field: FC<FieldProps> = ({ form, name, label, type = "text", hint, inputmode, optional, maxlength }) => (
  <p class="field">
    <label for={`f-${name}`}>
      {label} {optional === true && <small class="muted">(optional)</small>}
    </label>
    <input
      id={`f-${name}`}
      name={name}
      type={type}
      value={type === "password" ? undefined : (form.values[name] ?? "")}
      inputmode={inputmode}
      maxlength={maxlength}
      autocomplete="off"
      autocapitalize="off"
      spellcheck={false}
      {...errorAttributes(form, name)}
    />
    <Notes form={form} name={name} hint={hint} />
  </p>
);

export const Choice: FC<{ form: Form; name: string; label: string; options: Record<string, string>; hint?: Child }> = ({
  form,
  name,
  label,
  options,
  hint,
}) => (
  <p class="field">
    <label for={`f-${name}`}>{label}</label>
    <select id={`f-${name}`} name={name} {...errorAttributes(form, name)}>
      {Object.entries(options).map(([value, text]) => (
        <option value={value} selected={form.values[name] === value}>
          {text}
        </option>
      ))}
    </select>
    <Notes form={form} name={name} hint={hint} />
  </p>
);

/** The notice above a form that was refused. */
export const NothingSaved: FC<{ form: Form; what?: string }> = ({ form, what = "Nothing was saved." }) =>
  hasErrors(form) ? (
    <p class="notice invalid" data-announce="alert">
      {what} {form.errors[""] ?? "See the messages at the fields."}
    </p>
  ) : null;

export const Notes: FC<{ form: Form; name: string; hint: Child }> = ({ form, name, hint }) => (
  <>
    {form.errors[name] !== undefined && (
      <strong id={`e-${name}`} class="fault">
        {form.errors[name]}
      </strong>
    )}
    {hint !== undefined && (
      <small id={`h-${name}`} class="muted">
        {hint}
      </small>
    )}
  </>
);

function errorAttributes({ errors }: Form, name: string) {
  const wrong = errors[name] !== undefined;
  return {
    "aria-invalid": wrong ? "true" : undefined,
    "aria-describedby": wrong ? `e-${name} h-${name}` : `h-${name}`,
    autofocus: wrong,
  } as const;
}

function isText(value: unknown): boolean {
  return typeof value === "string";
}

function sentenceOf(message: string): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}${message.endsWith(".") ? "" : "."}`;
}
