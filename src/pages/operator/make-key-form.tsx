/** The form that makes a key with scopes, for the keys of an enterprise and for operator keys. */
import { Field, type Form, Notes } from "../kit/form.tsx";

type Props<S extends string> = {
  form: Form;
  action: string;
  /** What each scope allows, in the order of the list. */
  scopes: Readonly<Record<S, string>>;
  nameHint: string;
  expiryHint?: string;
};

export function MakeKeyForm<S extends string>({ form, action, scopes, nameHint, expiryHint }: Props<S>) {
  return (
    <form class="form wide" method="post" action={action} data-once>
      <Field form={form} name="name" label="Name" maxlength={200} hint={nameHint} />
      <Field form={form} name="expires_at" label="Expires (UTC)" optional type="datetime-local" hint={expiryHint} />
      <fieldset aria-describedby={form.errors.scopes === undefined ? undefined : "e-scopes"}>
        <legend>Scopes</legend>
        {Object.entries<string>(scopes).map(([scope, meaning]) => (
          <label class="choice">
            <input type="checkbox" name={scope} value="yes" checked={form.values[scope] !== undefined} />
            <span>{meaning}</span>
          </label>
        ))}
        <Notes form={form} name="scopes" hint={undefined} />
      </fieldset>
      <p class="buttons">
        <button class="button" type="submit">
          Make the key
        </button>
      </p>
    </form>
  );
}
