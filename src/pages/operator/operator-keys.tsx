/**
 * /operator/keys: the operator keys with scopes. They are listed without their secrets, made, and revoked after a
 * confirmation. A key is shown only in the answer to the form that made it.
 */
import { Hono } from "hono";
import type { Child, FC } from "hono/jsx";
import { OPERATOR_SCOPES, type OperatorKeySummary, type OperatorScope } from "../../access/callers.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import {
  listOperatorKeys,
  makeOperatorKey,
  readOperatorKey,
  revokeOperatorKey,
} from "../../operations/operator-keys.ts";
import { newOperatorKey } from "../../wire/operator-key.ts";
import { fieldErrors } from "../../wire/problems.ts";
import { Question, ShownOnce } from "../kit/dialogs.tsx";
import { errorsOf, errorsOfRefusal, type Form, hasErrors, readForm } from "../kit/form.tsx";
import { Name } from "../kit/parts.tsx";
import { beforeOf, type Column, Older, operatorPage, Row, Table, Utc } from "./frame.tsx";
import { MakeKeyForm } from "./make-key-form.tsx";
import { parseUtcField } from "./parse-fields.ts";
import { type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/keys";
const PAGE_ROWS = 20;
const MEANINGS: Record<OperatorScope, string> = {
  enterprises: "enterprises: create and change enterprises, plans, budgets, caps and the directory",
  grants: "grants: grants and referrals",
  sessions: "sessions: sign-in links, embed tokens and sign-outs",
  keys: "keys: make and revoke debit and read keys",
  prices: "prices: the price book, overrides and the price multiplier",
  metrics: "metrics: read metrics, lists, gauges, usage, receipts and audits",
  maintenance: "maintenance: rebuild, restore, delete, erase, export and import",
};
const COLUMNS: readonly Column[] = [
  { title: "Key" },
  { title: "Scopes" },
  { title: "Made" },
  { title: "Last used" },
  { title: "Signed with" },
  { title: "Expires" },
  { title: "State" },
];

export const operatorKeys = new Hono<OperatorEnv>()
  .get(PATH, (c) => keysPage(c, { values: {}, errors: {} }))
  .post(PATH, async (c) => {
    const values = await readForm(c);
    const parsed = newOperatorKey.safeParse({
      name: values.name ?? "",
      scopes: OPERATOR_SCOPES.filter((scope) => values[scope] !== undefined),
      expires_at: parseUtcField(values.expires_at ?? "") ?? null,
    });
    if (!parsed.success) return keysPage(c, { values, errors: errorsOf(fieldErrors(parsed.error)) });
    const made = await makeOperatorKey(c.env, parsed.data);
    if (isRefusal(made)) return keysPage(c, { values, errors: errorsOfRefusal(made.refusal, "name") });
    return dialog(
      c,
      <ShownOnce title="The operator key" secret={made.key} back={PATH}>
        Key <Name>{parsed.data.name}</Name> was made. Copy it now: it is shown only once and is not stored.
      </ShownOnce>,
    );
  })
  .get(`${PATH}/:id/revoke`, async (c) => {
    const key = await readOperatorKey(c.env, c.req.param("id"));
    if (key === null || key.revokedAtMs !== null) return operatorProblem(c, "not_found");
    return dialog(
      c,
      <Question
        title="Revoke this operator key?"
        action={`${PATH}/${key.id}/revoke`}
        confirm="Revoke the key"
        back={PATH}
      >
        Key <Name>{key.name}</Name> ({key.scopes.join(", ")}) stops working with its next request. This cannot be
        undone.
      </Question>,
    );
  })
  .post(`${PATH}/:id/revoke`, async (c) => {
    const revoked = await revokeOperatorKey(c.env, c.req.param("id"));
    return revoked ? c.redirect(`${PATH}?done=revoked`, 303) : operatorProblem(c, "not_found");
  });

function dialog(c: OperatorContext, children: Child) {
  return c.html(operatorPage(c, { title: "Operator keys", tab: "keys", children }));
}

async function keysPage(c: OperatorContext, form: Form) {
  const { keys, currentSecretId } = await listOperatorKeys(c.env, beforeOf(c), PAGE_ROWS + 1);
  const rows = keys.slice(0, PAGE_ROWS);
  const last = keys.length > PAGE_ROWS ? rows.at(-1) : undefined;
  const children = (
    <>
      <div class="heading">
        <h1>Operator keys</h1>
      </div>
      <section class="card table">
        {c.req.query("done") !== undefined && (
          <p class="notice saved" data-announce="status">
            The key is revoked.
          </p>
        )}
        <Table
          id="rows-operator-keys"
          caption="Keys with scopes, newest first; times are UTC"
          columns={COLUMNS}
          empty="There are no keys yet. Make one for each tool, with the scopes that it needs."
        >
          {rows.map((key) => (
            <KeyRow shown={key} isCurrent={key.secretId === currentSecretId} />
          ))}
        </Table>
        <Older
          path={PATH}
          before={last === undefined ? null : String(last.number)}
          later={c.req.query("before") !== undefined}
        />
      </section>
      <section class="card" aria-labelledby="make-title">
        <h2 id="make-title">Make an operator key</h2>
        <MakeKeyForm form={form} action={PATH} scopes={MEANINGS} nameHint="Which tool will use it." />
      </section>
    </>
  );
  const page = operatorPage(c, { title: "Operator keys", tab: "keys", children });
  return c.html(page, hasErrors(form) ? 422 : 200);
}

const KeyRow: FC<{ shown: OperatorKeySummary; isCurrent: boolean }> = ({ shown: key, isCurrent }) => {
  const expired = key.expiresAtMs !== null && key.expiresAtMs <= Date.now();
  return (
    <Row
      columns={COLUMNS}
      faded={key.revokedAtMs !== null || expired}
      cells={[
        <>
          <Name>{key.name}</Name>
          <small class="muted name">{key.id}</small>
        </>,
        key.scopes.join(", "),
        <Utc atMs={key.createdAtMs} />,
        key.lastUsedAtMs === null ? "never" : <Utc atMs={key.lastUsedAtMs} />,
        isCurrent ? "the current secret" : "the previous secret: replace it",
        key.expiresAtMs === null ? "never" : <Utc atMs={key.expiresAtMs} />,
        key.revokedAtMs !== null ? (
          <>
            Revoked <Utc atMs={key.revokedAtMs} />
          </>
        ) : (
          <>
            {expired ? "Expired" : "Active"} ·{" "}
            <a href={`${PATH}/${key.id}/revoke`}>
              Revoke
              <span class="unseen">
                {" "}
                <bdi>{key.name}</bdi>
              </span>
            </a>
          </>
        ),
      ]}
    />
  );
};
