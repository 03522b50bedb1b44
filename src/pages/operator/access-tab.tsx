/**
 * How people get into an enterprise's dashboard: sign-in links, tokens for the usage bar with a live preview of it, and
 * signing a person out. A link or a token is shown only in the answer to the form that made it.
 */
import { Hono } from "hono";
import type { FC } from "hono/jsx";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { makeEmbedToken, makeLink } from "../../operations/sign-in.ts";
import { id } from "../../wire/fields.ts";
import { fieldErrors } from "../../wire/problems.ts";
import { newEmbedToken, newSession } from "../../wire/sign-in.ts";
import { ShownOnce } from "../kit/dialogs.tsx";
import { Choice, errorsOf, Field, type Form, hasErrors, PostForm, readForm } from "../kit/form.tsx";
import { Copyable } from "../kit/parts.tsx";
import { doneHref, enterprisePage, tabHref } from "./enterprise-page.tsx";
import { formatUtc } from "./frame.tsx";
import { enterpriseHref, type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/enterprises/:e";
const ROLES = { member: "Member: can view", admin: "Admin: can also change the cap, budgets and channels" };
const LIFETIMES = { "900": "15 minutes", "1800": "30 minutes", "3600": "An hour" };
const PREVIEW_SECONDS = 900;
/** The value of a field that is shown in code, as an example. */
const SCRIPT = "/embed/usage-bar.js";

type Forms = { link: Form; signOut: Form; embed: Form };
const BLANK: Forms = {
  link: { values: { role: "member" }, errors: {} },
  signOut: { values: {}, errors: {} },
  embed: { values: { embed_role: "member", ttl_seconds: "900" }, errors: {} },
};

export const enterpriseAccess = new Hono<OperatorEnv>()
  .get(`${PATH}/access`, (c) => accessPage(c, {}))
  .post(`${PATH}/link`, async (c) => {
    const values = await readForm(c);
    const parsed = newSession.safeParse({ user: (values.user ?? "").trim(), role: values.role });
    if (!parsed.success) return accessPage(c, { link: { values, errors: errorsOf(fieldErrors(parsed.error)) } });
    const link = await makeLink(c.env, c.req.url, c.var.address, parsed.data);
    if (isRefusal(link)) return operatorProblem(c, "not_found");
    const { user, role } = parsed.data;
    return enterprisePage(
      c,
      "access",
      <ShownOnce title="The sign-in link" secret={link.url} href={link.url} back={accessHref(c)}>
        It works once and signs a browser in to the dashboard as <strong class="name">{user}</strong> ({role}), until{" "}
        {formatUtc(link.expiresAtMs)} UTC.
      </ShownOnce>,
    );
  })
  .post(`${PATH}/embed-token`, async (c) => {
    const values = await readForm(c);
    const parsed = newEmbedToken.safeParse({
      user: (values.embed_user ?? "").trim(),
      role: values.embed_role,
      origin: (values.origin ?? "").trim(),
      ttl_seconds: Number(values.ttl_seconds),
    });
    if (!parsed.success) {
      const { user, role, ...errors } = errorsOf(fieldErrors(parsed.error));
      Object.assign(errors, user && { embed_user: user }, role && { embed_role: role });
      return accessPage(c, { embed: { values, errors } });
    }
    const made = await makeEmbedToken(c.env, c.var.address, parsed.data);
    const origin = new URL(c.req.url).origin;
    const preview = { ...parsed.data, origin, ttl_seconds: PREVIEW_SECONDS };
    const shown = await makeEmbedToken(c.env, c.var.address, preview);
    if (isRefusal(made) || isRefusal(shown)) return operatorProblem(c, "not_found");
    const { id: enterprise } = c.var.state.identity;
    return enterprisePage(
      c,
      "access",
      <>
        <ShownOnce title="The embed token" secret={made.token} back={accessHref(c)}>
          It works for the usage bar on pages of <strong class="name">{parsed.data.origin}</strong> only, until{" "}
          {formatUtc(made.expiresAtMs)} UTC. Your server makes such tokens with an operator key that has the scope
          “sessions”.
        </ShownOnce>
        <Preview enterprise={enterprise} origin={origin} token={shown.token} />
      </>,
    );
  })
  .post(`${PATH}/sign-out`, async (c) => {
    const values = await readForm(c);
    const user = id.safeParse((values.signed_out_user ?? "").trim());
    if (!user.success) {
      const faults = user.error.issues.map(({ message }) => ({ path: "signed_out_user", message }));
      return accessPage(c, { signOut: { values, errors: errorsOf(faults) } });
    }
    const ended = await enterpriseStub(c.env, c.var.address).signOutPerson(user.data);
    if (isRefusal(ended)) return operatorProblem(c, "not_found");
    return c.redirect(doneHref(c.var.state, "access", "signed_out"), 303);
  });

function accessHref(c: OperatorContext): string {
  return tabHref(c.var.state.identity.id, "access");
}

function accessPage(c: OperatorContext, sent: Partial<Forms>) {
  const forms = { ...BLANK, ...sent };
  const { id: enterprise } = c.var.state.identity;
  const children = (
    <div class="pair">
      <div class="column">
        <LinkForm id={enterprise} form={forms.link} />
        <SignOutForm id={enterprise} form={forms.signOut} />
      </div>
      <EmbedForm id={enterprise} form={forms.embed} />
    </div>
  );
  return enterprisePage(c, "access", children, Object.values(forms).some(hasErrors) ? 422 : 200);
}

type FormProps = { id: string; form: Form };

const LinkForm: FC<FormProps> = ({ id: enterprise, form }) => (
  <section class="card" aria-labelledby="link-title">
    <h2 id="link-title">Sign-in link to its dashboard</h2>
    <PostForm form={form} action={enterpriseHref(enterprise, "link")} submit="Make a link" refused="No link was made.">
      <Field form={form} name="user" label="User" maxlength={128} hint="The user id that runs are reported with." />
      <Choice form={form} name="role" label="Role" options={ROLES} />
    </PostForm>
  </section>
);

const EmbedForm: FC<FormProps> = ({ id: enterprise, form }) => (
  <section class="card" aria-labelledby="embed-title">
    <h2 id="embed-title">Token for the usage bar</h2>
    <PostForm
      form={form}
      action={enterpriseHref(enterprise, "embed-token")}
      submit="Make a token"
      refused="No token was made."
    >
      <Field form={form} name="embed_user" label="Bar's user" maxlength={128} hint="Whose budgets the bar shows." />
      <Choice form={form} name="embed_role" label="Bar's role" options={ROLES} />
      <Field
        form={form}
        name="origin"
        label="Origin"
        maxlength={200}
        hint="Of the pages that show the bar, for example https://editor.example. The token works nowhere else."
      />
      <Choice form={form} name="ttl_seconds" label="Valid for" options={LIFETIMES} />
    </PostForm>
  </section>
);

const SignOutForm: FC<FormProps> = ({ id: enterprise, form }) => (
  <section class="card" aria-labelledby="sign-out-title">
    <h2 id="sign-out-title">Sign a person out</h2>
    <p>
      Ends all sessions, unused sign-in links and embed tokens of this person. They need a new link to sign in again.
    </p>
    <PostForm
      form={form}
      action={enterpriseHref(enterprise, "sign-out")}
      submit="Sign the person out"
      refused="Nobody was signed out."
      kind="plain"
    >
      <Field
        form={form}
        name="signed_out_user"
        label="Person"
        maxlength={128}
        hint="The id that their links were made for."
      />
    </PostForm>
  </section>
);

type PreviewProps = {
  enterprise: string;
  origin: string;
  /** A token for this page, which the one that was asked for does not fit. */
  token: string;
};

/** The bar as people will see it, and the lines that put it into a page. */
const Preview: FC<PreviewProps> = ({ enterprise, origin, token }) => {
  const code = `<script src="${origin}${SCRIPT}" defer></script>\n<usage-bar enterprise="${enterprise}" base="${origin}"></usage-bar>`;
  return (
    <section class="card" aria-labelledby="preview-title">
      <h2 id="preview-title">Preview</h2>
      <script src={SCRIPT} defer></script>
      {["full", "compact"].map((size) => (
        <p class="bar-preview">
          <usage-bar enterprise={enterprise} base={origin} size={size} data-token={token}>
            <span class="muted">With JavaScript, the usage bar is shown here ({size}).</span>
          </usage-bar>
        </p>
      ))}
      <p class="muted">It is live. This preview has its own token, which works for 15 minutes on this page only.</p>
      <h3>In your page</h3>
      <Copyable id="embed-code" what="the lines for your page" block>
        {code}
      </Copyable>
    </section>
  );
};
