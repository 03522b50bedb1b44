/** Dialogs as separate pages: one asks before something is destroyed, one shows a secret that is shown only once. */
import type { Child, FC } from "hono/jsx";

/** @param values further fields that the form sends */
export const Question: FC<{
  title: string;
  action: string;
  confirm: string;
  back: string;
  values?: Record<string, string>;
  children?: Child;
}> = ({ title, action, confirm, back, values = {}, children }) => (
  <section class="card" aria-labelledby="question-title">
    <h2 id="question-title">{title}</h2>
    <p class="notice conflict">{children}</p>
    <form method="post" action={action} class="buttons" data-once>
      {Object.entries(values).map(([name, value]) => (
        <input type="hidden" name={name} value={value} />
      ))}
      <button class="button danger" type="submit" name="confirmed" value="yes">
        {confirm}
      </button>{" "}
      <a class="button plain" href={back}>
        Cancel
      </a>
    </form>
  </section>
);

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
    <p>
      <code id="secret" class="secret">
        {secret}
      </code>
    </p>
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
