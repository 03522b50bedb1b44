/** The cards of an enterprise's Data page. */
import type { FC } from "hono/jsx";
import { Choice, Field, FileField, type Form, PostForm } from "../kit/form.tsx";
import { RebuildAdvice } from "./rebuild-advice.tsx";
import { enterpriseHref } from "./session.tsx";

export type Forms = Record<"export" | "import" | "erase" | "move" | "restore", Form>;

const BLANK: Form = { values: {}, errors: {} };
export const NO_FORMS: Forms = { export: BLANK, import: BLANK, erase: BLANK, move: BLANK, restore: BLANK };

const KINDS = { runs: "Runs", entries: "Journal entries", usage: "Usage by day" };
const UNITS = { credits: "Credits", usd: "US dollars" };

type CardProps = { id: string; form: Form };

export const ExportCard: FC<CardProps> = ({ id, form }) => (
  <section class="card" aria-labelledby="export-title">
    <h2 id="export-title">Export</h2>
    <p>
      A file with one JSON object a line. Its last line is <code>{"{next}"}</code>: null, or where the next file goes
      on.
    </p>
    <form class="form" method="get" action={enterpriseHref(id, "export")} autocomplete="off">
      <Choice form={form} name="kind" label="What" options={KINDS} />
      <Field
        form={form}
        name="after"
        label="Continue after"
        optional
        hint="The “next” of an earlier file. Then only what follows or has changed is exported."
      />
      <p class="buttons">
        <button class="button" type="submit">
          Download
        </button>
      </p>
    </form>
  </section>
);

export const ImportCard: FC<CardProps> = ({ id, form }) => (
  <section class="card" aria-labelledby="import-title">
    <h2 id="import-title">Import history</h2>
    <p>
      Days before the first cycle, at most 400 days back, for charts, tables and exports. No balance changes. A row that
      is sent again replaces the earlier one.
    </p>
    <PostForm
      form={form}
      action={enterpriseHref(id, "import")}
      submit="Import"
      refused="The file was not imported."
      upload
    >
      <FileField
        form={form}
        name="file"
        label="File"
        accept=".csv,.json,text/csv,application/json"
        hint="CSV with the columns day, surface, workspace, group, user, model, requests and amount, and any of the API's usage kinds; or JSON as in the API. At most 1 MB."
      />
      <Choice form={form} name="unit" label="Unit of the amounts in a CSV file" options={UNITS} />
    </PostForm>
  </section>
);

export const EraseCard: FC<CardProps> = ({ id, form }) => (
  <section class="card" aria-labelledby="erase-title">
    <h2 id="erase-title">Erase a person</h2>
    <p>Replaces the person's id and name by a random one in everything that is stored. Sums stay.</p>
    <PostForm
      form={form}
      action={enterpriseHref(id, "erase")}
      submit="Erase …"
      refused="Nobody was erased."
      kind="plain"
    >
      <Field
        form={form}
        name="erased_user"
        label="User"
        maxlength={128}
        hint="The user id that runs were reported with. You are asked once more."
      />
    </PostForm>
  </section>
);

type CopyProps = CardProps & {
  /** The database that has the copy; null if that is not known right now. */
  shard: string | null;
  shards: readonly string[];
};

export const CopyCard: FC<CopyProps> = ({ id, form, shard, shards }) => {
  const others = shards.filter((name) => name !== shard);
  return (
    <section class="card" aria-labelledby="copy-title">
      <h2 id="copy-title">Copy</h2>
      <RebuildAdvice id={id} shard={shard} />
      {others.length === 0 && (
        <p class="note muted">The copy cannot be moved, because this deployment has no other database.</p>
      )}
      {others.length > 0 && (
        <PostForm
          form={form}
          action={enterpriseHref(id, "move-copy")}
          submit="Move the copy"
          refused="The copy was not moved."
          kind="plain"
        >
          <Choice
            form={form}
            name="shard"
            label="Move it to"
            options={Object.fromEntries(others.map((name) => [name, name]))}
            hint="Readers keep seeing the whole copy meanwhile."
          />
        </PostForm>
      )}
    </section>
  );
};

export const RestoreCard: FC<CardProps> = ({ id, form }) => (
  <section class="card" aria-labelledby="restore-title">
    <h2 id="restore-title">Restore</h2>
    <p>Takes the enterprise back to a moment of the last 30 days, with the platform's recovery.</p>
    <PostForm
      form={form}
      action={enterpriseHref(id, "restore")}
      submit="Restore …"
      refused="Nothing was restored."
      kind="plain"
    >
      <Field form={form} name="at" label="Moment (UTC)" type="datetime-local" hint="You are asked once more." />
    </PostForm>
  </section>
);

export const DeleteCard: FC<{ id: string }> = ({ id }) => (
  <section class="card" aria-labelledby="delete-title">
    <h2 id="delete-title">Delete</h2>
    <p>Deletes everything that is stored about this enterprise. Export what you need first.</p>
    <p class="buttons">
      <a class="button plain" href={enterpriseHref(id, "delete")}>
        Delete this enterprise …
      </a>
    </p>
  </section>
);
