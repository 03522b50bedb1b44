/** The log of deliveries of an enterprise, to its webhook URL and to its channels. */
import type { FC } from "hono/jsx";
import type { LoggedWebhook } from "../../wire/webhook.ts";
import { type Column, Older, Row, Table, Utc } from "./frame.tsx";

const STATES: Record<LoggedWebhook["state"], { level: string; text: string }> = {
  pending: { level: "info", text: "Pending" },
  delivered: { level: "ok", text: "Delivered" },
  given_up: { level: "critical", text: "Given up" },
};
const COLUMNS: readonly Column[] = [
  { title: "Event" },
  { title: "To" },
  { title: "State" },
  { title: "Made" },
  { title: "Attempts", num: true },
  { title: "Last answer" },
  { title: "Next" },
];

type Props = { webhooks: readonly LoggedWebhook[]; path: string; before: string | null; later: boolean };

export const Deliveries: FC<Props> = ({ webhooks, path, before, later }) => (
  <>
    <Table
      id="rows-webhooks"
      caption="Newest first; times are UTC"
      columns={COLUMNS}
      empty="Nothing has been sent yet."
    >
      {webhooks.map((webhook) => (
        <WebhookRow webhook={webhook} />
      ))}
    </Table>
    <Older path={path} before={before} later={later} />
  </>
);

const WebhookRow: FC<{ webhook: LoggedWebhook }> = ({ webhook }) => (
  <Row
    columns={COLUMNS}
    cells={[
      <>
        {webhook.type}
        <small class="muted name">{webhook.id}</small>
      </>,
      webhook.channel ?? "webhook URL",
      <span class={`badge ${STATES[webhook.state].level}`}>{STATES[webhook.state].text}</span>,
      <Utc atMs={webhook.createdAtMs} />,
      webhook.attempts,
      webhook.lastError ?? webhook.lastStatus ?? "—",
      webhook.nextAttemptAtMs === null ? "—" : <Utc atMs={webhook.nextAttemptAtMs} />,
    ]}
  />
);
