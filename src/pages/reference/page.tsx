/**
 * /docs: the API reference, made from the OpenAPI document that the Worker serves. Every operation, message, schema and
 * problem code has an anchor. Every operation has a curl command, and every message a signed sample. The page needs no
 * script.
 */
import type { FC } from "hono/jsx";
import type { ApiDocument, ApiOperation, ApiSchema } from "../../wire/api-document.ts";
import { page } from "../kit/layout.tsx";
import { type Message, Messages } from "./messages.tsx";
import { Field, Part, Prose, Shape } from "./schema.tsx";

type Place = { method: string; path: string; operation: ApiOperation };

export function referencePage(document: ApiDocument) {
  const { info, tags, components } = document;
  const places = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]): Place => ({ method: method.toUpperCase(), path, operation })),
  );
  const messages = Object.entries(document.webhooks).flatMap(([type, operations]) =>
    Object.values(operations).map((webhook): Message => ({ type, webhook })),
  );
  const of = (tag: string) => places.filter(({ operation }) => operation.tags.includes(tag));
  return page({
    title: "API reference",
    children: (
      <div class="reference">
        <h1>API reference</h1>
        <p class="intro">
          <Prose text={info.description} />
        </p>
        <p>
          The same as OpenAPI {document.openapi}: <a href="/openapi.json">/openapi.json</a>. In the commands,{" "}
          <code>$URL</code> is this deployment's URL, <code>$KEY</code> a key of the enterprise, and{" "}
          <code>$OPERATOR_KEY</code> the operator key.
        </p>
        <nav class="card" aria-label="Contents">
          {tags.map(({ name }) => (
            <details open={name === "Agents"}>
              <summary>{name}</summary>
              <ul>
                {of(name).map(({ method, path, operation }) => (
                  <li>
                    <a href={`#${operation.operationId}`}>
                      <Route method={method} path={path} />
                    </a>
                  </li>
                ))}
              </ul>
            </details>
          ))}
          <details>
            <summary>Messages</summary>
            <ul>
              {messages.map(({ type, webhook }) => (
                <li>
                  <a href={`#${webhook.operationId}`}>
                    <code>{type}</code>
                  </a>
                </li>
              ))}
            </ul>
          </details>
          <details>
            <summary>Schemas</summary>
            <ul>
              {Object.keys(components.schemas).map((name) => (
                <li>
                  <a href={`#schema-${name}`}>{name}</a>
                </li>
              ))}
            </ul>
          </details>
          <p>
            <a href="#codes">Problem codes</a>
          </p>
        </nav>
        {tags.map(({ name, description }) => (
          <section aria-labelledby={`tag-${name}`}>
            <h2 id={`tag-${name}`}>{name}</h2>
            <p>
              <Prose text={description} />
            </p>
            {of(name).map((place) => (
              <Operation {...place} />
            ))}
          </section>
        ))}
        <Messages messages={messages} />
        <Schemas schemas={components.schemas} />
        <Codes codes={document["x-problem-codes"]} />
      </div>
    ),
  });
}

const Operation: FC<Place> = ({ method, path, operation }) => {
  const { operationId, summary, description, parameters = [], requestBody, responses } = operation;
  const socket = operation["x-websocket"];
  return (
    <article class="card operation" id={operationId} aria-labelledby={`${operationId}-title`}>
      <h3 id={`${operationId}-title`}>
        <a href={`#${operationId}`}>{summary}</a>
      </h3>
      <p class="address">
        <Route method={method} path={path} />
      </p>
      {description !== undefined && (
        <p>
          <Prose text={description} />
        </p>
      )}
      <p class="muted">{accessOf(operation)}</p>
      {operation["x-codeSamples"]?.map(({ source }) => (
        <pre>
          <code>{source}</code>
        </pre>
      ))}
      {parameters.length > 0 && (
        <Part title="Parameters">
          <ul class="fields">
            {parameters.map(({ name, schema, required = false, description: meaning }) => (
              <Field
                name={name}
                schema={{ ...schema, ...(meaning ? { description: meaning } : {}) }}
                required={required}
              />
            ))}
          </ul>
        </Part>
      )}
      {requestBody !== undefined && (
        <Part title="Body">
          <Shape schema={requestBody.content["application/json"]?.schema ?? {}} />
        </Part>
      )}
      {socket?.sends !== undefined && (
        <Part title="You send">
          <Shape schema={socket.sends} />
        </Part>
      )}
      {socket !== undefined && (
        <Part title="You receive">
          <Shape schema={socket.receives} />
        </Part>
      )}
      <Part title="Answers">
        <dl class="answers">
          {Object.entries(responses)
            .filter(([status]) => status !== "default")
            .map(([status, response]) => (
              <Answer status={status} response={response} />
            ))}
        </dl>
      </Part>
    </article>
  );
};

const Route: FC<{ method: string; path: string }> = ({ method, path }) => (
  <code>
    <b>{method}</b> {path}
  </code>
);

const Answer: FC<{ status: string; response: ApiOperation["responses"][string] }> = ({ status, response }) => {
  const [type, { schema } = { schema: {} }] = Object.entries(response.content ?? {})[0] ?? [];
  const problem = type === "application/problem+json";
  return (
    <>
      <dt>
        <code>{status}</code>
      </dt>
      <dd>
        {problem ? <LinkedCodes schema={schema} /> : <Prose text={response.description} />}
        {!problem && type !== undefined && <Shape schema={schema} />}
      </dd>
    </>
  );
};

/** The codes in the schema of a problem, each a link to its meaning. */
const LinkedCodes: FC<{ schema: ApiSchema }> = ({ schema }) => {
  const codes = schema.allOf?.flatMap((part) => (part.properties?.code?.enum ?? []) as string[]) ?? [];
  return (
    <>
      {codes.map((code, i) => (
        <>
          {i > 0 && ", "}
          <a href={`#code-${code}`}>
            <code>{code}</code>
          </a>
        </>
      ))}
    </>
  );
};

const Schemas: FC<{ schemas: Record<string, ApiSchema> }> = ({ schemas }) => (
  <section aria-labelledby="schemas">
    <h2 id="schemas">Schemas</h2>
    {Object.entries(schemas).map(([name, schema]) => (
      <article class="card" id={`schema-${name}`} aria-labelledby={`schema-${name}-title`}>
        <h3 id={`schema-${name}-title`}>
          <a href={`#schema-${name}`}>{name}</a>
        </h3>
        <Shape schema={schema} />
      </article>
    ))}
  </section>
);

const Codes: FC<{ codes: ApiDocument["x-problem-codes"] }> = ({ codes }) => (
  <section aria-labelledby="codes">
    <h2 id="codes">Problem codes</h2>
    <p>
      A body that cannot be parsed is 400; one that can be parsed but is wrong is 422. A 4xx changes nothing. Items of a
      batch and replies of a socket use the same codes.
    </p>
    <dl class="codes card">
      {Object.entries(codes).map(([code, { status, what, remedy }]) => (
        <>
          <dt id={`code-${code}`}>
            <code>{code}</code> {status}
          </dt>
          <dd>
            <Prose text={`${what} ${remedy}`} />
          </dd>
        </>
      ))}
    </dl>
  </section>
);

function accessOf({ security }: ApiOperation): string {
  if (security.length === 0) return "No key is needed.";
  const who = security.map((requirement) => {
    const [[name, scopes = []] = [""]] = Object.entries(requirement);
    if (name === "key") return scopes.length === 0 ? "any key" : `a key with scope ${scopes.join(", ")}`;
    if (name === "operator_key") return "the operator key";
    return name === "session" ? "a signed-in browser" : "an embed token";
  });
  return `Access: ${who.join("; ")}.`;
}
