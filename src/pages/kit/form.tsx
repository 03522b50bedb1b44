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

/** The text of an uploaded file; null if no file was sent, or if it is empty. */
export async function readTextFile(c: Context, name: string): Promise<string | null> {
  const sent = (await c.req.parseBody().catch(() => ({}) as Record<string, unknown>))[name];
  return sent instanceof File && sent.size > 0 ? sent.text() : null;
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
  /** Values that the browser offers while a person types one of them or its name. */
  offered?: readonly { id: string; name: string }[];
};

export const Field: FC<FieldProps> = (props) => {
  const { form, name, label, type = "text", hint, inputmode, optional, maxlength, offered = [] } = props;
  return (
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
        list={offered.length === 0 ? undefined : `o-${name}`}
        {...errorAttributes(form, name)}
      />
      {offered.length > 0 && (
        <datalist id={`o-${name}`}>
          {offered.map((each) => (
            <option value={each.id}>{each.name}</option>
          ))}
        </datalist>
      )}
      <Notes form={form} name={name} hint={hint} />
    </p>
  );
};

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

/** Several boxes to check. Each option is its own field, whose value is "yes" if it is checked. */
export const Checks: FC<{ form: Form; name: string; legend: string; options: Readonly<Record<string, string>> }> = ({
  form,
  name,
  legend,
  options,
}) => (
  <fieldset aria-describedby={form.errors[name] === undefined ? undefined : `e-${name}`}>
    <legend>{legend}</legend>
    {Object.entries(options).map(([option, text]) => (
      <Check form={form} name={option} label={text} />
    ))}
    <Notes form={form} name={name} hint={undefined} />
  </fieldset>
);

export const Check: FC<{ form: Form; name: string; label: string }> = ({ form, name, label }) => (
  <label class="choice">
    <input type="checkbox" name={name} value="yes" checked={form.values[name] !== undefined} />
    <span>{label}</span>
  </label>
);

type AreaProps = Pick<FieldProps, "form" | "name" | "label" | "hint"> & { rows: number };

/** A field for several lines of text. */
export const Area: FC<AreaProps> = ({ form, name, label, hint, rows }) => (
  <p class="field">
    <label for={`f-${name}`}>{label}</label>
    <textarea id={`f-${name}`} name={name} rows={rows} spellcheck={false} {...errorAttributes(form, name)}>
      {form.values[name] ?? ""}
    </textarea>
    <Notes form={form} name={name} hint={hint} />
  </p>
);

/** A field for a file. Its form needs `upload`. */
export const FileField: FC<Pick<FieldProps, "form" | "name" | "label" | "hint"> & { accept: string }> = ({
  form,
  name,
  label,
  hint,
  accept,
}) => (
  <p class="field">
    <label for={`f-${name}`}>{label}</label>
    <input id={`f-${name}`} name={name} type="file" accept={accept} {...errorAttributes(form, name)} />
    <Notes form={form} name={name} hint={hint} />
  </p>
);

type PostFormProps = {
  form: Form;
  action: string;
  /** The text of the button that sends the form. */
  submit: string;
  /** What the notice says if the form was refused, for example "Nothing was granted." */
  refused?: string;
  /** Lays the fields out in columns where there is room. "four": they are four. */
  wide?: boolean | "four";
  kind?: ButtonKind;
  hidden?: Readonly<Record<string, string>>;
  upload?: boolean;
  /** What follows the button. */
  more?: Child;
  children?: Child;
};
type ButtonKind = "main" | "plain" | "danger";

const BUTTON_CLASSES: Record<ButtonKind, string> = {
  main: "button",
  plain: "button plain",
  danger: "button danger",
};

/**
 * A form that changes something: its notice if it was refused, its fields and its button. `data-once` prevents that a
 * double click sends it twice.
 */
export const PostForm: FC<PostFormProps> = (props) => {
  const { form, action, submit, refused, wide, kind = "main", hidden = {}, upload, more, children } = props;
  return (
    <>
      <NothingSaved form={form} what={refused} />
      <form
        class={wide === "four" ? "form wide four" : wide === true ? "form wide" : "form"}
        method="post"
        action={action}
        enctype={upload === true ? "multipart/form-data" : undefined}
        autocomplete="off"
        data-once
      >
        <Hidden values={hidden} />
        {children}
        <p class="buttons">
          <button class={BUTTON_CLASSES[kind]} type="submit">
            {submit}
          </button>
          {more !== undefined && <> {more}</>}
        </p>
      </form>
    </>
  );
};

/** A form that is only a button. @param about is added to its name for screen readers */
export const PostButton: FC<{
  action: string;
  label: string;
  about?: string;
  kind?: ButtonKind;
  hidden?: Readonly<Record<string, string>>;
}> = ({ action, label, about, kind = "plain", hidden = {} }) => (
  <form method="post" action={action} data-once>
    <Hidden values={hidden} />
    <button
      class={BUTTON_CLASSES[kind]}
      type="submit"
      aria-label={about === undefined ? undefined : `${label}: ${about}`}
    >
      {label}
    </button>
  </form>
);

export const Hidden: FC<{ values: Readonly<Record<string, string>> }> = ({ values }) => (
  <>
    {Object.entries(values).map(([name, value]) => (
      <input type="hidden" name={name} value={value} />
    ))}
  </>
);

/** The notice above a form that was refused. */
const NothingSaved: FC<{ form: Form; what?: string | undefined }> = ({ form, what = "Nothing was saved." }) =>
  hasErrors(form) ? (
    <p class="notice invalid" data-announce="alert">
      {what} {form.errors[""] ?? "See the messages at the fields."}
    </p>
  ) : null;

const Notes: FC<{ form: Form; name: string; hint: Child }> = ({ form, name, hint }) => (
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
