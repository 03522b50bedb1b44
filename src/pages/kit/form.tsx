/**
 * Forms of the operator's pages: what was sent as text, the faults by field, and a field that shows both, so that
 * nothing typed is lost when something is wrong.
 */
import type { Context } from "hono";
import type { Child, FC } from "hono/jsx";
import type { AnyRefusal } from "../../access/refusals.ts";
import type { FieldError } from "../../ledger/refusals.ts";
import { problemOfRefusal } from "../../wire/problems.ts";

/** What stands in the fields, and what is wrong with them, by the fields' names. */
export type Form = { values: Record<string, string>; errors: Record<string, string> };

/** The fields of a posted form that are text; none where the body is no form. */
export async function readForm(c: Context): Promise<Record<string, string>> {
  const body = await c.req.parseBody().catch(() => ({}));
  return Object.fromEntries(Object.entries(body).filter((field): field is [string, string] => isText(field[1])));
}

/** Faults by field, each as a sentence; of a list's items, at the list. */
export function errorsOf(faults: readonly FieldError[]): Record<string, string> {
  const errors: Record<string, string> = {};
  for (const { path, message } of faults) errors[path.split(".")[0] ?? ""] ??= sentenceOf(message);
  return errors;
}

/** A refusal of the ledger by field; what concerns no field of its own stands at this one. */
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
      {...faultOf(form, name)}
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
    <select id={`f-${name}`} name={name} {...faultOf(form, name)}>
      {Object.entries(options).map(([value, text]) => (
        <option value={value} selected={form.values[name] === value}>
          {text}
        </option>
      ))}
    </select>
    <Notes form={form} name={name} hint={hint} />
  </p>
);

/** Said above a form of which something is wrong. */
export const NothingSaved: FC<{ form: Form; what?: string }> = ({ form, what = "Nothing was saved." }) =>
  hasErrors(form) ? (
    <p class="notice invalid" data-announce="alert">
      {what} {form.errors[""] ?? "See what is said at the fields."}
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

function faultOf({ errors }: Form, name: string) {
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
