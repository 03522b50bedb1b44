/** /operator/referrals: grants both sides of a referral their bonus. The code proves who the referrer is. */
import { Hono } from "hono";
import { byOf } from "../../access/callers.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { addReferral, referralBonusMicros } from "../../operations/referrals.ts";
import { ID_RULE, isId } from "../../wire/fields.ts";
import { errorsOf, errorsOfRefusal, Field, type Form, hasErrors, PostForm, readForm } from "../kit/form.tsx";
import { formatCharge } from "../kit/format.ts";
import { operatorPage } from "./frame.tsx";
import { enterpriseHref, type OperatorContext, type OperatorEnv } from "./session.tsx";

const PATH = "/operator/referrals";

export const operatorReferrals = new Hono<OperatorEnv>()
  .get(PATH, (c) => referralPage(c, { values: {}, errors: {} }))
  .post(PATH, async (c) => {
    const values = await readForm(c);
    const [code, referee] = [(values.code ?? "").trim(), (values.referee ?? "").trim()];
    if (!isId(referee)) return referralPage(c, { values, errors: errorsOf([{ path: "referee", message: ID_RULE }]) });
    const added = await addReferral(c.env, { code, referee, by: byOf(c.var.caller) });
    if (!isRefusal(added)) return referralPage(c, { values: {}, errors: {} }, added);
    const field = added.refusal.code === "referral_code_unknown" ? "code" : "referee";
    return referralPage(c, { values, errors: errorsOfRefusal(added.refusal, field) });
  });

type Added = { referrer: string; referee: string; bonusMicros: number };

function referralPage(c: OperatorContext, form: Form, added: Added | null = null) {
  const children = (
    <>
      <div class="heading">
        <h1>Referrals</h1>
      </div>
      <section class="card">
        {added !== null && (
          <p class="notice saved" data-announce="status">
            Granted {formatCharge(added.bonusMicros, "credits")} to{" "}
            <a href={enterpriseHref(added.referee)}>{added.referee}</a>. The grant of{" "}
            <a href={enterpriseHref(added.referrer)}>{added.referrer}</a> follows at once, or when it has room.
          </p>
        )}
        <p>
          When one enterprise has invited another, both get {formatCharge(referralBonusMicros(c.env), "credits")}. The
          code is on the page of the enterprise that invited. An enterprise can be invited once.
        </p>
        <PostForm form={form} action={PATH} submit="Grant both sides the bonus" refused="Nothing was granted." wide>
          <Field form={form} name="code" label="Referral code" maxlength={200} hint="Of the enterprise that invited." />
          <Field form={form} name="referee" label="Invited enterprise" maxlength={128} hint="Its id." />
        </PostForm>
      </section>
    </>
  );
  return c.html(operatorPage(c, { title: "Referrals", tab: "referrals", children }), hasErrors(form) ? 422 : 200);
}
