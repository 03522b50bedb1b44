/** POST /v1/referrals grants both sides the referral bonus, once per referee. The code proves who the referrer is. */
import { byOf } from "../access/callers.ts";
import { isRefusal } from "../ledger/refusals.ts";
import { addReferral } from "../operations/referrals.ts";
import { id } from "../wire/fields.ts";
import { refused } from "./problem.ts";
import { body, createRoute, declare, newRouter, z } from "./route.ts";

const referralSchema = z.strictObject({ code: z.string().min(1).max(200), referee: id }).openapi("NewReferral");

export const referralRoutes = newRouter().openapi(
  createRoute({
    ...declare({
      method: "post",
      path: "/v1/referrals",
      name: "addReferral",
      summary: "Grant both sides the referral bonus",
      details:
        "An enterprise can be referred once. Each side is granted the deployment's `REFERRAL_BONUS_CREDITS`. If the referee has too many open grants, nothing happens. If the referrer has, its grant is added once it has room.",
      refusals: ["referral_code_unknown", "already_referred", "self_referral", "too_many_grants"],
      tag: "Operator",
      access: { scope: "operator", operatorScopes: ["grants"] },
      answers: {
        201: {
          description: "Granted to both sides",
          schema: z.object({ referrer: z.string(), referee: z.string(), bonus_micros: z.int() }),
        },
      },
    }),
    request: { body: body(referralSchema, { code: "acme~1a2b3c4d", referee: "globex" }) },
  }),
  async (c) => {
    const added = await addReferral(c.env, { ...c.req.valid("json"), by: byOf(c.var.caller) });
    if (isRefusal(added)) return refused(c, added.refusal);
    const { referrer, referee, bonusMicros } = added;
    return c.json({ referrer, referee, bonus_micros: bonusMicros }, 201);
  },
);
