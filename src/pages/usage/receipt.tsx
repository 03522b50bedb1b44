/** /settings/usage/runs/RUN: a run's receipt, for the people of the enterprise. It is read from the enterprise's object. */
import { Hono } from "hono";
import type { Dimension } from "../../ledger/dimensions.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { readCopy } from "../../operations/read-copy.ts";
import { parseReceipt } from "../../wire/receipt.ts";
import { page } from "../kit/layout.tsx";
import { ReceiptView, readReceiptNames } from "../kit/receipt.tsx";
import { answerRefused, callerOf, type PageEnv, requireSession } from "../kit/session.ts";
import { loadView, signedOf } from "../kit/view.ts";
import { parseUsageQuery, usageHref, withoutPaging } from "./query.ts";

export const receiptPages = new Hono<PageEnv>().get("/settings/usage/runs/:run", requireSession, async (c) => {
  const caller = callerOf(c.var.session);
  const [found, view] = await Promise.all([
    enterpriseStub(c.env, c.var.session).receipt(caller, c.req.param("run")),
    loadView(c),
  ]);
  if (isRefusal(view)) return answerRefused(c, view.refusal);
  if (isRefusal(found)) return answerRefused(c, found.refusal);
  const receipt = parseReceipt(found);
  const copy = readCopy(c.env, c.executionCtx, c.var.session, view.copy);
  const names = await readReceiptNames(copy, c.var.session.enterprise, receipt);
  // The way back keeps the filters and the window of the usage page that led here.
  const back = usageHref(withoutPaging(parseUsageQuery(new URL(c.req.url).searchParams)));
  return c.html(
    page({
      title: `Receipt of ${receipt.run}`,
      signed: signedOf(c, view),
      tab: "usage",
      children: (
        <ReceiptView
          receipt={receipt}
          names={names}
          timeZone={view.timeZone}
          crumbs={
            <>
              <a href={back}>Usage</a> › Receipt
            </>
          }
          hrefOf={filterHref}
        />
      ),
    }),
  );
});

function filterHref(dimension: Dimension, id: string): string {
  return usageHref(parseUsageQuery(new URLSearchParams({ [dimension]: id })));
}
