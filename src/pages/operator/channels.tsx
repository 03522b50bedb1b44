/**
 * The channels of an enterprise: where its messages go, as its admins see it, and the log of deliveries of each. The
 * operator may do what its admins may.
 */
import { Hono } from "hono";
import { hasOperatorScope } from "../../access/callers.ts";
import { isOver } from "../../access/limits.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { putChannel } from "../../operations/put-channel.ts";
import type { ChannelJson, ChannelPut } from "../../wire/channel.ts";
import { cutPage } from "../../wire/paging.ts";
import { parseWebhook } from "../../wire/webhook.ts";
import { ChannelForm, emptyForm, formOf, parseChannelForm } from "../kit/channel-form.tsx";
import { ChannelList, ChannelSecret, RemoveChannel } from "../kit/channel-list.tsx";
import { errorsOfRefusal, type Form, hasErrors, readForm } from "../kit/form.tsx";
import { Deliveries } from "./deliveries.tsx";
import { doneHref, enterprisePage, tabHref } from "./enterprise-page.tsx";
import { beforeOf } from "./frame.tsx";
import { type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/enterprises/:e/channels";
const PAGE_ROWS = 20;

export const enterpriseChannels = new Hono<OperatorEnv>()
  .get(PATH, (c) => channelsPage(c, emptyForm()))
  .get(`${PATH}/edit`, (c) =>
    withChannel(c, c.req.query("id"), (known) => enterprisePage(c, "channels", formFor(c, formOf(known), known))),
  )
  .get(`${PATH}/remove`, (c) =>
    withChannel(c, c.req.query("id"), (known) =>
      enterprisePage(c, "channels", <RemoveChannel channel={known} path={pathOf(c)} />),
    ),
  )
  .post(PATH, async (c) => {
    const values = await readForm(c);
    const channels = await readChannels(c);
    const known = values.known === "yes" ? (channels.find(({ id }) => id === values.id) ?? null) : null;
    const again = (errors: Form["errors"]) =>
      known === null
        ? channelsPage(c, { values, errors })
        : enterprisePage(c, "channels", formFor(c, { values, errors }, known), 422);
    const parsed = parseChannelForm(values, known === null || !known.paused);
    if ("errors" in parsed) return again(parsed.errors);
    if (known === null && channels.some(({ id }) => id === parsed.id)) {
      return again({ id: "There is already a channel with this name." });
    }
    const put = await save(c, parsed.id, parsed.put);
    if (put === null) return operatorProblem(c, "rate_limited");
    if (isRefusal(put)) return again(errorsOfRefusal(put.refusal, "target"));
    const secret = put.channel.webhook_secret;
    if (secret === undefined) return c.redirect(doneHref(c.var.state, "channels", "saved"), 303);
    return enterprisePage(c, "channels", <ChannelSecret id={parsed.id} secret={secret} path={pathOf(c)} />);
  })
  .post(`${PATH}/test`, async (c) =>
    withChannel(c, (await readForm(c)).id, async ({ id }) => {
      if (await isCostly(c)) return operatorProblem(c, "rate_limited");
      const tested = await enterpriseStub(c.env, c.var.address).testChannel(c.var.caller, id);
      if (isRefusal(tested)) return operatorProblem(c, "not_found");
      return c.redirect(doneHref(c.var.state, "channels", "tested"), 303);
    }),
  )
  .post(`${PATH}/confirm`, (c) => saveAgain(c, {}))
  .post(`${PATH}/pause`, (c) => saveAgain(c, { active: false }))
  .post(`${PATH}/resume`, (c) => saveAgain(c, { active: true }))
  .post(`${PATH}/remove`, async (c) =>
    withChannel(c, (await readForm(c)).id, async ({ id }) => {
      const deleted = await enterpriseStub(c.env, c.var.address).deleteChannel(c.var.caller, id);
      if (isRefusal(deleted)) return operatorProblem(c, "not_found");
      return c.redirect(doneHref(c.var.state, "channels", "removed"), 303);
    }),
  );

function pathOf(c: OperatorContext): string {
  return tabHref(c.var.state.identity.id, "channels");
}

async function readChannels(c: OperatorContext): Promise<ChannelJson[]> {
  const channels = await enterpriseStub(c.env, c.var.address).channels(c.var.caller);
  return isRefusal(channels) ? [] : channels;
}

async function withChannel(
  c: OperatorContext,
  id: string | undefined,
  act: (channel: ChannelJson) => Response | Promise<Response>,
): Promise<Response> {
  const channel = (await readChannels(c)).find((known) => known.id === id);
  return channel === undefined ? operatorProblem(c, "not_found") : act(channel);
}

/** Saves a channel as it is, with one change. */
async function saveAgain(c: OperatorContext, change: Partial<ChannelPut>): Promise<Response> {
  return withChannel(c, (await readForm(c)).id, async ({ id, kind, target, events, thresholds, paused }) => {
    const put = await save(c, id, { kind, target, events, thresholds, active: !paused, ...change });
    if (put === null) return operatorProblem(c, "rate_limited");
    return isRefusal(put)
      ? channelsPage(c, { ...emptyForm(), errors: errorsOfRefusal(put.refusal, "") })
      : c.redirect(doneHref(c.var.state, "channels", "saved"), 303);
  });
}

/** Returns null if there were too many calls. */
async function save(c: OperatorContext, id: string, put: ChannelPut) {
  return (await isCostly(c)) ? null : putChannel(c.env, c.req.url, c.var.caller, c.var.address, id, put);
}

function isCostly(c: OperatorContext): Promise<boolean> {
  return isOver(c.env, "LIMIT_COSTLY", `channels page ${c.var.state.identity.id}`);
}

function formFor(c: OperatorContext, form: Form, known: ChannelJson | null) {
  return <ChannelForm form={form} known={known} path={pathOf(c)} />;
}

async function channelsPage(c: OperatorContext, form: Form): Promise<Response> {
  const channels = await readChannels(c);
  // As in the API, the log needs the scope `metrics`.
  const log = hasOperatorScope(c.var.caller, ["metrics"])
    ? await enterpriseStub(c.env, c.var.address).webhooks(beforeOf(c), PAGE_ROWS)
    : null;
  if (log !== null && isRefusal(log)) return operatorProblem(c, "not_found");
  const { rows, last } = cutPage(log ?? [], PAGE_ROWS);
  const children = (
    <>
      <ChannelList channels={channels} timeZone={c.var.state.settings.timeZone} path={pathOf(c)} />
      {formFor(c, form, null)}
      {log !== null && (
        <section class="card table" aria-labelledby="log-title">
          <h2 id="log-title">Deliveries</h2>
          <Deliveries
            webhooks={rows.map(({ view }) => parseWebhook(view))}
            path={pathOf(c)}
            before={last === null ? null : String(last.number)}
            later={c.req.query("before") !== undefined}
          />
        </section>
      )}
    </>
  );
  return enterprisePage(c, "channels", children, hasErrors(form) ? 422 : 200);
}
