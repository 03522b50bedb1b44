/** Dialogs as separate pages: one asks before something is destroyed, one shows a secret that is shown only once. */
import type { Child, FC } from "hono/jsx";
import { Field, type Form, Hidden } from "./form.tsx";
import { Copyable } from "./parts.tsx";

type QuestionProps = {
  title: Child;
  action: string;
  confirm: string;
  back: string;
  /** The text of the link back. */
  keep?: string;
  /** Further fields that the form sends. */
  values?: Readonly<Record<string, string>>;
  /** A field in which the reader must type something, so that no mistake confirms it. */
  typed?: { form: Form; name: string; label: string };
  children?: Child;
};

export const Question: FC<QuestionProps> = (props) => {
  const { title, action, confirm, back, keep = "Cancel", values = {}, typed, children } = props;
  return (
    <section class="card" aria-labelledby="question-title">
      <h2 id="question-title">{title}</h2>
      <p class="notice conflict" data-announce="alert">
        {children}
      </p>
      <form method="post" action={action} class="form" autocomplete="off" data-once>
        <Hidden values={values} />
        {typed !== undefined && <Field form={typed.form} name={typed.name} label={typed.label} maxlength={128} />}
        <p class="buttons">
          <button class="button danger" type="submit" name="confirmed" value="yes">
            {confirm}
          </button>{" "}
          <a class="button plain" href={back}>
            {keep}
          </a>
        </p>
      </form>
    </section>
  );
};

/** @param href set for a secret that is a link */
export const ShownOnce: FC<{ title: string; secret: string; href?: string; back: string; children?: Child }> = ({
  title,
  secret,
  href,
  back,
  children,
}) => (
  <section class="card" aria-labelledby="secret-title">
    <h2 id="secret-title">{title}</h2>
    <p>{children}</p>
    <Copyable id="secret" what={title} block>
      {secret}
    </Copyable>
    <p class="buttons">
      {href !== undefined && (
        <>
          <a class="button" href={href}>
            Open it here
          </a>{" "}
        </>
      )}
      <a class="button plain" href={back}>
        Done
      </a>
    </p>
  </section>
);
