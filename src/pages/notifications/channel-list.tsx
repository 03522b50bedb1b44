/** The channels of an enterprise: where each sends what, how its last delivery went, and what an admin can do with it. */
import type { Child, FC } from "hono/jsx";
import type { ChannelJson } from "../../wire/channel.ts";
import { parseIso } from "../../wire/time.ts";
import type { WebhookJson } from "../../wire/webhook.ts";
import { Moment, Name } from "../kit/parts.tsx";
import { CHOICES, isChosen, KINDS, NOTIFICATIONS_PATH } from "./form.tsx";

type Props = { channels: readonly ChannelJson[]; timeZone: string; admin: boolean };

export const ChannelList: FC<Props> = ({ channels, timeZone, admin }) => (
  <section class="card" aria-labelledby="channels-title">
    <h2 id="channels-title">Channels</h2>
    {channels.length === 0 ? (
      <p class="muted">There is no channel yet, so nobody gets messages.</p>
    ) : (
      <ul class="channels">
        {channels.map((channel) => (
          <ChannelItem channel={channel} timeZone={timeZone} admin={admin} />
        ))}
      </ul>
    )}
    {!admin && <p class="muted">You are signed in as a member. Only an admin can change channels.</p>}
  </section>
);

const ChannelItem: FC<{ channel: ChannelJson; timeZone: string; admin: boolean }> = ({ channel, timeZone, admin }) => (
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
    {admin && <Actions channel={channel} />}
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

const Actions: FC<{ channel: ChannelJson }> = ({ channel: { id, paused, confirmed } }) => (
  <div class="buttons">
    {confirmed === false ? (
      <Action id={id} path="confirm" label="Send the confirmation again" />
    ) : (
      <Action id={id} path="test" label="Send a test" />
    )}
    <Action id={id} path={paused ? "resume" : "pause"} label={paused ? "Resume" : "Pause"} />
    <a class="button plain" href={linkTo("edit", id)} aria-label={`Change ${id}`}>
      Change
    </a>
    <a class="button plain" href={linkTo("remove", id)} aria-label={`Remove ${id}`}>
      Remove
    </a>
  </div>
);

const Action: FC<{ id: string; path: string; label: string }> = ({ id, path, label }) => (
  <form method="post" action={`${NOTIFICATIONS_PATH}/${path}`} data-once>
    <input type="hidden" name="id" value={id} />
    <button class="button plain" type="submit" aria-label={`${label}: ${id}`}>
      {label}
    </button>
  </form>
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
        <strong class="fault">Failed: {last_error}</strong>, {at(created_at)} {what}
      </>
    );
  }
  if (attempts === 0) return <>On its way {what}</>;
  return (
    <>
      <strong class="fault">Failed so far: {last_error}</strong>
      {next_attempt_at !== null && <>; tried again {at(next_attempt_at)}</>} {what}
    </>
  );
};

/** The link to a page about one channel. The id is a parameter, because it may contain a slash. */
function linkTo(page: string, id: string): string {
  return `${NOTIFICATIONS_PATH}/${page}?${new URLSearchParams({ id })}`;
}

function messagesOf({ events, thresholds }: ChannelJson): string {
  const at = thresholds.length === 0 ? "" : ` (${thresholds.join(", ")} %)`;
  if (events === null) return `All${at}`;
  const chosen = CHOICES.filter(({ codes }) => isChosen(events, codes));
  return chosen.map(({ label, codes }) => (codes.length === 0 ? `${label}${at}` : label)).join("; ");
}
