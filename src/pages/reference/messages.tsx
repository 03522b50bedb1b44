/** The section of the API reference about the messages to webhooks: their fields, and a signed sample of each. */
import type { FC } from "hono/jsx";
import type { ApiWebhook } from "../../wire/api-document.ts";
import { Part, Prose, Shape } from "./schema.tsx";

export type Message = { type: string; webhook: ApiWebhook };

export const Messages: FC<{ messages: readonly Message[] }> = ({ messages }) => (
  <section aria-labelledby="messages">
    <h2 id="messages">Messages to webhooks</h2>
    <p>
      This deployment sends these messages to the <code>webhook_url</code> of an enterprise and to its channels of the
      kind <code>webhook</code>. Each is a POST request. Answer with any 2xx status within 10 seconds, and verify the
      signature with a library of the <a href="https://www.standardwebhooks.com">Standard Webhooks</a> spec:
    </p>
    <pre>
      <code>new Webhook(webhook_secret).verify(body, headers)</code>
    </pre>
    <p>
      Pass the body as you received it, before you parse it. A message can arrive more than once, with the same{" "}
      <code>webhook-id</code>. The samples have real signatures, so you can test your code with them. Their timestamp is
      old, so set your clock to it or turn off the library's age check.
    </p>
    {messages.map((message) => (
      <MessageCard {...message} />
    ))}
  </section>
);

const MessageCard: FC<Message> = ({ type, webhook }) => {
  const { operationId, summary, requestBody } = webhook;
  const { secret, headers, body } = webhook["x-sample"];
  return (
    <article class="card operation" id={operationId} aria-labelledby={`${operationId}-title`}>
      <h3 id={`${operationId}-title`}>
        <a href={`#${operationId}`}>
          <code>{type}</code>
        </a>
      </h3>
      <p>
        <Prose text={summary} />
      </p>
      <Part title="Body">
        <Shape schema={requestBody.content["application/json"]?.schema ?? {}} />
      </Part>
      <Part title={`Sample, signed with the secret ${secret}`}>
        <pre>
          <code>
            {Object.entries(headers)
              .map(([name, value]) => `${name}: ${value}\n`)
              .join("")}
            {`\n${body}`}
          </code>
        </pre>
      </Part>
    </article>
  );
};
