/** The channels of an enterprise: where each sends what, how its last delivery went, and what an admin can do with it. */
import type { Child, FC } from "hono/jsx";
import type { ChannelJson } from "../../wire/channel.ts";
import { parseIso } from "../../wire/time.ts";
import type { WebhookJson } from "../../wire/webhook.ts";
import { CHOICES, isChosen, KINDS } from "./channel-form.tsx";
import { Question, ShownOnce } from "./dialogs.tsx";
import { PostButton } from "./form.tsx";
import { Moment, Name } from "./parts.tsx";

/** @param path under which the actions are posted; null if the reader may not change channels */
type Props = { channels: readonly ChannelJson[]; timeZone: string; path: string | null };

export const ChannelList: FC<Props> = ({ channels, timeZone, path }) => (
  <section class="card" aria-labelledby="channels-title">
    <h2 id="channels-title">Channels</h2>
    {channels.length === 0 ? (
      <p class="muted">There is no channel yet, so nobody gets messages.</p>
    ) : (
      <ul class="channels">
        {channels.map((channel) => (
          <ChannelItem channel={channel} timeZone={timeZone} path={path} />
        ))}
      </ul>
    )}
    {path === null && <p class="muted">You are signed in as a member. Only an admin can change channels.</p>}
  </section>
);

type ItemProps = Omit<Props, "channels"> & { channel: ChannelJson };

const ChannelItem: FC<ItemProps> = ({ channel, timeZone, path }) => (
  <li>
    <h3>
      <Name>{channel.id}</Name> <State channel={channel} />
    </h3>
    <dl>
      <Fact title={KINDS[channel.kind]}>
        <span class="name">{channel.target}</span>
      </Fact>
      <Fact title="Messages">{messagesOf(channel)}</Fact>
      <Fact title="Last delivery">
        {channel.last_delivery === null ? (
          "none yet"
        ) : (
          <Delivery delivery={channel.last_delivery} timeZone={timeZone} />
        )}
      </Fact>
    </dl>
    {path !== null && <Actions channel={channel} path={path} />}
  </li>
);

const Fact: FC<{ title: string; children?: Child }> = ({ title, children }) => (
  <div>
    <dt>{title}</dt>
    <dd>{children}</dd>
  </div>
);

const State: FC<{ channel: ChannelJson }> = ({ channel: { paused, confirmed } }) => {
  if (paused) return <span class="badge info">Paused</span>;
  if (confirmed === false) return <span class="badge warning">Waits for confirmation</span>;
  return <span class="badge ok">Active</span>;
};

const Actions: FC<{ channel: ChannelJson; path: string }> = ({ channel: { id, paused, confirmed }, path }) => (
  <div class="buttons">
    {confirmed === false ? (
      <PostButton action={`${path}/confirm`} label="Send the confirmation again" about={id} hidden={{ id }} />
    ) : (
      <PostButton action={`${path}/test`} label="Send a test" about={id} hidden={{ id }} />
    )}
    <PostButton
      action={`${path}/${paused ? "resume" : "pause"}`}
      label={paused ? "Resume" : "Pause"}
      about={id}
      hidden={{ id }}
    />
    <a class="button plain" href={linkTo(path, "edit", id)} aria-label={`Change ${id}`}>
      Change
    </a>
    <a class="button plain" href={linkTo(path, "remove", id)} aria-label={`Remove ${id}`}>
      Remove
    </a>
  </div>
);

/** A delivery in words: what was sent, when, and how it went. */
export const Delivery: FC<{ delivery: WebhookJson; timeZone: string }> = ({ delivery, timeZone }) => {
  const { type, state, created_at, delivered_at, attempts, last_error, next_attempt_at } = delivery;
  const at = (iso: string) => <Moment atMs={parseIso(iso)} timeZone={timeZone} />;
  const what = <span class="muted">({type})</span>;
  if (delivered_at !== null) {
    return (
      <>
        Delivered {at(delivered_at)} {what}
      </>
    );
  }
  if (state === "given_up") {
    return (
      <>
        <strong class="fault">Failed: {faultText(last_error)}</strong>, {at(created_at)} {what}
      </>
    );
  }
  if (attempts === 0) return <>On its way {what}</>;
  return (
    <>
      <strong class="fault">Failed so far: {faultText(last_error)}</strong>
      {next_attempt_at !== null && <>; tried again {at(next_attempt_at)}</>} {what}
    </>
  );
};

/** Why a delivery failed, for people. The log has the kind of a network's error, which says little. */
function faultText(error: string | null): string | null {
  if (error === "TimeoutError") return "no answer within 10 seconds";
  return error === "unreachable" || /^[A-Z][a-z]*Error$|^Error$/.test(error ?? "") ? "it cannot be reached" : error;
}

/** Asks before a channel is removed. */
export const RemoveChannel: FC<{ channel: ChannelJson; path: string }> = ({ channel, path }) => (
  <Question
    title={
      <>
        Remove <Name>{channel.id}</Name>?
      </>
    }
    action={`${path}/remove`}
    confirm="Remove"
    back={path}
    values={{ id: channel.id }}
  >
    No more messages go to <span class="name">{channel.target}</span>, and what waits to be sent there is given up.
  </Question>
);

/** Shows the secret of a new webhook channel. */
export const ChannelSecret: FC<{ id: string; secret: string; path: string }> = ({ id, secret, path }) => (
  <ShownOnce title="The signing secret" secret={secret} back={path}>
    Messages now go to <Name>{id}</Name>. Copy the secret now: it is shown only once. The receiver verifies messages
    with it, using any Standard Webhooks library.
  </ShownOnce>
);

/** The link to a page about one channel. The id is a parameter, because it may contain a slash. */
function linkTo(path: string, page: string, id: string): string {
  return `${path}/${page}?${new URLSearchParams({ id })}`;
}

function messagesOf({ events, thresholds }: ChannelJson): string {
  const at = thresholds.length === 0 ? "" : ` (${thresholds.join(", ")} %)`;
  if (events === null) return `All${at}`;
  const chosen = CHOICES.filter(({ codes }) => isChosen(events, codes));
  return chosen.map(({ label, codes }) => (codes.length === 0 ? `${label}${at}` : label)).join("; ");
}
