/**
 * The keys of an enterprise: listed without their secrets, made, and revoked after a confirmation. A key is shown only in
 * the answer to the form that made it, which cannot be loaded again.
 */
import { Hono } from "hono";
import type { FC } from "hono/jsx";
import { type KeySummary, mayManageKey, SCOPES, type Scope } from "../../access/callers.ts";
import type { OperatorCaller } from "../../access/operator-session.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { listKeys, makeKey, signingSecretIds } from "../../operations/make-key.ts";
import { newKey, parseKey, showListedKey } from "../../wire/key.ts";
import { cutPage } from "../../wire/paging.ts";
import { fieldErrors } from "../../wire/problems.ts";
import { Question, ShownOnce } from "../kit/dialogs.tsx";
import { errorsOf, errorsOfRefusal, type Form, hasErrors, readForm } from "../kit/form.tsx";
import { Name } from "../kit/parts.tsx";
import { doneHref, enterprisePage, tabHref } from "./enterprise-page.tsx";
import { type Column, Older, Row, Table, Utc } from "./frame.tsx";
import { MakeKeyForm } from "./make-key-form.tsx";
import { parseUtcField } from "./parse-fields.ts";
import { enterpriseHref, type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/enterprises/:e/keys";
const PAGE_ROWS = 20;
const MEANINGS: Record<Scope, string> = {
  debit: "debit: start runs and report what they use",
  read: "read: read the gauge, usage, receipts and live updates",
  admin: "admin: set the spend cap, budgets and channels, and make keys without this scope",
};
const COLUMNS: readonly Column[] = [
  { title: "Key" },
  { title: "Scopes" },
  { title: "Made" },
  { title: "Last used" },
  { title: "Expires" },
  { title: "State" },
];

export const enterpriseKeys = new Hono<OperatorEnv>()
  .get(PATH, (c) => keysPage(c, { values: { debit: "yes", read: "yes" }, errors: {} }))
  .post(PATH, async (c) => {
    const values = await readForm(c);
    const parsed = newKey.safeParse({
      name: values.name ?? "",
      scopes: SCOPES.filter((scope) => values[scope] !== undefined),
      expires_at: parseUtcField(values.expires_at ?? "") ?? null,
    });
    if (!parsed.success) return keysPage(c, { values, errors: errorsOf(fieldErrors(parsed.error)) });
    const { id } = c.var.state.identity;
    const made = await makeKey(c.env, c.var.caller, c.var.address, parsed.data);
    if (isRefusal(made)) return keysPage(c, { values, errors: errorsOfRefusal(made.refusal, "name") });
    return enterprisePage(
      c,
      "keys",
      <ShownOnce title="The key" secret={made.key} back={tabHref(id, "keys")}>
        Key <Name>{made.name}</Name> was made. Copy it now: it is shown only once and is not stored.
      </ShownOnce>,
    );
  })
  .get(`${PATH}/:id/revoke`, async (c) => {
    const key = await enterpriseStub(c.env, c.var.address).key(c.var.caller, c.req.param("id"));
    if (isRefusal(key) || key.revoked_at !== null) return operatorProblem(c, "not_found");
    const { id } = c.var.state.identity;
    return enterprisePage(
      c,
      "keys",
      <Question
        title="Revoke this key?"
        action={enterpriseHref(id, "keys", key.id, "revoke")}
        confirm="Revoke the key"
        back={tabHref(id, "keys")}
      >
        Key <Name>{key.name}</Name> ({key.scopes.join(", ")}) stops working with its next request, and its sockets are
        closed. This cannot be undone.
      </Question>,
    );
  })
  .post(`${PATH}/:id/revoke`, async (c) => {
    const revoked = await enterpriseStub(c.env, c.var.address).revokeKey(c.var.caller, c.req.param("id"));
    if (isRefusal(revoked)) {
      return operatorProblem(c, revoked.refusal.code === "scope_denied" ? "scope_denied" : "not_found");
    }
    return c.redirect(doneHref(c.var.state, "keys", "revoked"), 303);
  });

/** The scopes of the keys that a session may make: as in the API, a key with `admin` needs OPERATOR_KEY. */
function offeredScopes(caller: OperatorCaller): Partial<Record<Scope, string>> {
  const { admin, ...others } = MEANINGS;
  return mayManageKey(caller, ["admin"]) ? { ...others, admin } : others;
}

async function keysPage(c: OperatorContext, form: Form) {
  const { id } = c.var.state.identity;
  const before = c.req.query("before");
  const page = { afterId: before ?? null, limit: PAGE_ROWS };
  const keys = await listKeys(c.env, c.var.caller, c.var.address, page);
  if (isRefusal(keys)) return operatorProblem(c, "not_found");
  const { rows, last } = cutPage(keys, PAGE_ROWS);
  const secrets = await signingSecretIds(c.env);
  const children = (
    <>
      <section class="card table" aria-labelledby="keys-title">
        <h2 id="keys-title">Keys</h2>
        <Table
          id="rows-keys"
          caption="Newest first; times are UTC"
          columns={COLUMNS}
          empty="There are no keys yet. Make one for the agents."
        >
          {rows.map((key) => (
            <KeyRow
              enterprise={id}
              shown={parseKey(key)}
              signedWith={showListedKey(key, secrets).signed_with}
              caller={c.var.caller}
            />
          ))}
        </Table>
        <Older path={tabHref(id, "keys")} before={last?.id ?? null} later={before !== undefined} />
      </section>
      <section class="card" aria-labelledby="make-title">
        <h2 id="make-title">Make a key</h2>
        <MakeKeyForm
          form={form}
          action={tabHref(id, "keys")}
          scopes={offeredScopes(c.var.caller)}
          nameHint="Who will use it."
          expiryHint="By the real clock. If empty, the key never expires."
        />
      </section>
    </>
  );
  return enterprisePage(c, "keys", children, hasErrors(form) ? 422 : 200);
}

type KeyRowProps = {
  enterprise: string;
  shown: KeySummary;
  signedWith: "current" | "previous";
  caller: OperatorCaller;
};

const KeyRow: FC<KeyRowProps> = ({ enterprise, shown: key, signedWith, caller }) => {
  const expired = key.expiresAtMs !== null && key.expiresAtMs <= Date.now();
  const ended = key.revokedAtMs !== null || expired;
  return (
    <Row
      columns={COLUMNS}
      faded={ended}
      cells={[
        <>
          <Name>{key.name}</Name>
          <small class="muted name">{key.id}</small>
        </>,
        key.scopes.join(", "),
        <>
          <Utc atMs={key.createdAtMs} />
          <small class="muted">
            by <bdi>{key.createdBy}</bdi>
          </small>
        </>,
        <>
          {key.lastUsedAtMs === null ? "never" : <Utc atMs={key.lastUsedAtMs} />}
          <small class="muted">
            signed with {signedWith === "current" ? "the current secret" : "the previous secret: replace it"}
          </small>
        </>,
        key.expiresAtMs === null ? "never" : <Utc atMs={key.expiresAtMs} />,
        key.revokedAtMs !== null ? (
          <>
            Revoked <Utc atMs={key.revokedAtMs} />
          </>
        ) : (
          <>
            {expired ? "Expired" : "Active"}
            {mayManageKey(caller, key.scopes) && (
              <>
                {" · "}
                <a href={enterpriseHref(enterprise, "keys", key.id, "revoke")}>
                  Revoke
                  <span class="unseen">
                    {" "}
                    <bdi>{key.name}</bdi>
                  </span>
                </a>
              </>
            )}
          </>
        ),
      ]}
    />
  );
};
