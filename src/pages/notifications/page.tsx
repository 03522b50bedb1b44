/**
 * /settings/notifications: where messages about the balance go. Everyone sees the channels and their last deliveries;
 * admins add, change, test, pause and remove them. A new signing secret is shown once, in the response to the form.
 */
import { type Context, Hono } from "hono";
import type { Child, FC } from "hono/jsx";
import { isOver } from "../../access/limits.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { putChannel } from "../../operations/put-channel.ts";
import type { ChannelJson, ChannelPut } from "../../wire/channel.ts";
import { ChannelForm, emptyForm, formOf, parseChannelForm } from "../kit/channel-form.tsx";
import { ChannelList, ChannelSecret, Delivery, RemoveChannel } from "../kit/channel-list.tsx";
import { errorsOfRefusal, type Form, hasErrors, readForm } from "../kit/form.tsx";
import { page } from "../kit/layout.tsx";
import { problemPage } from "../kit/problem-page.tsx";
import { answerRefused, callerOf, type PageEnv, requireSameOrigin, requireSession } from "../kit/session.ts";
import { loadView, type PageView, signedOf } from "../kit/view.ts";

const NOTIFICATIONS_PATH = "/settings/notifications";

type Notice = "saved" | "removed" | "paused" | "resumed" | "tested" | "asked";

const NOTICES: Record<Exclude<Notice, "tested">, string> = {
  saved: "Saved.",
  removed: "The channel was removed.",
  paused: "The channel is paused and gets nothing.",
  resumed: "The channel gets messages again.",
  asked: "The recipient gets an email with a link. A link was sent at most a minute ago, or is sent now.",
};
/** A session's enterprise and its channels. */
type Loaded = { view: PageView; channels: ChannelJson[] };

export const notificationPages = new Hono<PageEnv>()
  .get(NOTIFICATIONS_PATH, requireSession, async (c) => {
    const loaded = await load(c);
    return loaded instanceof Response ? loaded : listPage(c, loaded, emptyForm());
  })
  .get(`${NOTIFICATIONS_PATH}/edit`, requireSession, async (c) => {
    const found = await loadChannel(c, c.req.query("id"));
    return found instanceof Response ? found : editPage(c, found, formOf(found.channel));
  })
  .get(`${NOTIFICATIONS_PATH}/remove`, requireSession, async (c) => {
    const found = await loadChannel(c, c.req.query("id"));
    return found instanceof Response ? found : removePage(c, found);
  })
  .post(NOTIFICATIONS_PATH, requireSession, requireSameOrigin, async (c) => {
    const values = await readForm(c);
    const isKnown = values.known === "yes";
    const loaded = isKnown ? await loadChannel(c, values.id) : await loadToChange(c);
    if (loaded instanceof Response) return loaded;
    const known = "channel" in loaded ? (loaded.channel as ChannelJson) : null;
    const again = (errors: Form["errors"]) =>
      known === null
        ? listPage(c, loaded, { values, errors })
        : editPage(c, { ...loaded, channel: known }, { values, errors });
    const parsed = parseChannelForm(values, known === null || !known.paused);
    if ("errors" in parsed) return again(parsed.errors);
    if (known === null && loaded.channels.some(({ id }) => id === parsed.id)) {
      return again({ id: "There is already a channel with this name." });
    }
    const put = await save(c, parsed.id, parsed.put);
    if (put instanceof Response) return put;
    if (isRefusal(put)) return again(errorsOfRefusal(put.refusal, "target"));
    const secret = put.channel.webhook_secret;
    return secret === undefined ? back(c, "saved", parsed.id) : secretPage(c, loaded.view, parsed.id, secret);
  })
  .post(`${NOTIFICATIONS_PATH}/test`, requireSession, requireSameOrigin, async (c) => {
    const found = await loadChannel(c, (await readForm(c)).id);
    if (found instanceof Response) return found;
    const { id } = found.channel;
    if (await isOverLimit(c)) return problemPage(c, "rate_limited");
    const tested = await enterpriseStub(c.env, c.var.session).testChannel(callerOf(c.var.session), id);
    return isRefusal(tested) ? answerRefused(c, tested.refusal) : back(c, "tested", id);
  })
  .post(`${NOTIFICATIONS_PATH}/confirm`, requireSession, requireSameOrigin, (c) => saveAgain(c, "asked", {}))
  .post(`${NOTIFICATIONS_PATH}/pause`, requireSession, requireSameOrigin, (c) =>
    saveAgain(c, "paused", { active: false }),
  )
  .post(`${NOTIFICATIONS_PATH}/resume`, requireSession, requireSameOrigin, (c) =>
    saveAgain(c, "resumed", { active: true }),
  )
  .post(`${NOTIFICATIONS_PATH}/remove`, requireSession, requireSameOrigin, async (c) => {
    const found = await loadChannel(c, (await readForm(c)).id);
    if (found instanceof Response) return found;
    const stub = enterpriseStub(c.env, c.var.session);
    const deleted = await stub.deleteChannel(callerOf(c.var.session), found.channel.id);
    return isRefusal(deleted) ? answerRefused(c, deleted.refusal) : back(c, "removed", found.channel.id);
  });

async function load(c: Context<PageEnv>): Promise<Loaded | Response> {
  const [view, channels] = await Promise.all([
    loadView(c),
    enterpriseStub(c.env, c.var.session).channels(callerOf(c.var.session)),
  ]);
  if (isRefusal(view)) return answerRefused(c, view.refusal);
  return isRefusal(channels) ? answerRefused(c, channels.refusal) : { view, channels };
}

/** Loads what an admin may change; the response for anyone else. */
async function loadToChange(c: Context<PageEnv>): Promise<Loaded | Response> {
  return c.var.session.role === "admin" ? load(c) : problemPage(c, "scope_denied", LINK);
}

async function loadChannel(
  c: Context<PageEnv>,
  id: string | undefined,
): Promise<(Loaded & { channel: ChannelJson }) | Response> {
  const loaded = await loadToChange(c);
  if (loaded instanceof Response) return loaded;
  const channel = loaded.channels.find((known) => known.id === id);
  return channel === undefined ? problemPage(c, "not_found", LINK) : { ...loaded, channel };
}

/** Saves a channel as it is, with one change. */
async function saveAgain(c: Context<PageEnv>, notice: Notice, change: Partial<ChannelPut>): Promise<Response> {
  const found = await loadChannel(c, (await readForm(c)).id);
  if (found instanceof Response) return found;
  const { id, kind, target, events, thresholds, paused } = found.channel;
  const put = await save(c, id, { kind, target, events, thresholds, active: !paused, ...change });
  if (put instanceof Response) return put;
  return isRefusal(put)
    ? listPage(c, found, { ...emptyForm(), errors: errorsOfRefusal(put.refusal, "") })
    : back(c, notice, id);
}

async function save(c: Context<PageEnv>, id: string, put: ChannelPut) {
  if (await isOverLimit(c)) return problemPage(c, "rate_limited");
  return putChannel(c.env, c.req.url, callerOf(c.var.session), c.var.session, id, put);
}

function isOverLimit(c: Context<PageEnv>): Promise<boolean> {
  const { enterprise, user } = c.var.session;
  return isOver(c.env, "LIMIT_COSTLY", `channels page ${enterprise} ${user}`);
}

function back(c: Context<PageEnv>, notice: Notice, id: string): Response {
  return c.redirect(`${NOTIFICATIONS_PATH}?${new URLSearchParams({ done: notice, id })}`, 303);
}

const LINK = { label: "Go to the notifications", url: NOTIFICATIONS_PATH };

function listPage(c: Context<PageEnv>, { view, channels }: Loaded, form: Form) {
  const admin = c.var.session.role === "admin";
  const { done, id } = c.req.query();
  return notificationsPage(
    c,
    view,
    <>
      {!hasErrors(form) && <Done notice={done} channel={channels.find((known) => known.id === id)} view={view} />}
      <ChannelList channels={channels} timeZone={view.timeZone} path={admin ? NOTIFICATIONS_PATH : null} />
      {admin && <ChannelForm form={form} known={null} path={NOTIFICATIONS_PATH} />}
    </>,
    hasErrors(form) ? 422 : 200,
  );
}

function editPage(c: Context<PageEnv>, { view, channel }: Loaded & { channel: ChannelJson }, form: Form) {
  return notificationsPage(
    c,
    view,
    <ChannelForm form={form} known={channel} path={NOTIFICATIONS_PATH} />,
    hasErrors(form) ? 422 : 200,
  );
}

function removePage(c: Context<PageEnv>, { view, channel }: Loaded & { channel: ChannelJson }) {
  return notificationsPage(c, view, <RemoveChannel channel={channel} path={NOTIFICATIONS_PATH} />);
}

function secretPage(c: Context<PageEnv>, view: PageView, id: string, secret: string) {
  return notificationsPage(c, view, <ChannelSecret id={id} secret={secret} path={NOTIFICATIONS_PATH} />);
}

type DoneProps = { notice: string | undefined; channel: ChannelJson | undefined; view: PageView };

const Done: FC<DoneProps> = ({ notice, channel, view }) => {
  if (notice === "tested" && channel?.last_delivery != null) {
    const { last_delivery: delivery } = channel;
    const delivered = delivery.delivered_at !== null;
    return (
      <p class={`notice ${delivered ? "saved" : "invalid"}`} data-announce={delivered ? "status" : "alert"}>
        Test of {channel.id}: <Delivery delivery={delivery} timeZone={view.timeZone} />
      </p>
    );
  }
  if (notice === undefined || !Object.hasOwn(NOTICES, notice)) return null;
  return (
    <p class="notice saved" data-announce="status">
      {NOTICES[notice as keyof typeof NOTICES]}
    </p>
  );
};

function notificationsPage(c: Context<PageEnv>, view: PageView, children: Child, status: 200 | 422 = 200) {
  return c.html(
    page({
      title: "Notifications",
      signed: signedOf(c, view),
      tab: "notifications",
      children: (
        <>
          <div class="heading">
            <h1>Notifications</h1>
            <p class="muted">
              Messages about the balance and the budgets, by Slack, by email, or to a program. Each is sent once a
              cycle, or once a day if it is about a daily budget.
            </p>
          </div>
          {children}
        </>
      ),
    }),
    status,
  );
}
