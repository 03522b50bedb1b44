/** The form that makes a key with scopes, for the keys of an enterprise and for operator keys. */
import { Checks, Field, type Form, PostForm } from "../kit/form.tsx";

type Props<S extends string> = {
  form: Form;
  action: string;
  /** What each scope allows, in the order of the list. */
  scopes: Readonly<Partial<Record<S, string>>>;
  nameHint: string;
  expiryHint?: string;
};

export function MakeKeyForm<S extends string>({ form, action, scopes, nameHint, expiryHint }: Props<S>) {
  return (
    <PostForm form={form} action={action} submit="Make the key" refused="No key was made." wide>
      <Field form={form} name="name" label="Name" maxlength={200} hint={nameHint} />
      <Field form={form} name="expires_at" label="Expires (UTC)" optional type="datetime-local" hint={expiryHint} />
      <Checks form={form} name="scopes" legend="Scopes" options={scopes as Record<string, string>} />
    </PostForm>
  );
}
