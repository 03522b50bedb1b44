/**
 * The two WebSockets: GET …/live for watchers, and GET …/debits/stream for agents with many runs. The Worker authorizes
 * the caller and passes the socket to the enterprise's Durable Object, which can hibernate while the socket is idle. A
 * browser cannot set headers on a WebSocket, so it passes its embed token as the subprotocol pair `fuelgauge, TOKEN`.
 */

import type { Context } from "hono";
import { isFullOperator } from "../access/callers.ts";
import type { AnyRefusal } from "../access/refusals.ts";
import { OWNER_HEADER, type SocketKind, type SocketOwner } from "../enterprise/sockets/sockets.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { STREAM_DOC } from "../wire/report.ts";
import type { ApiEnv } from "./auth.ts";
import { problem, refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter } from "./route.ts";

const component = (name: string) => ({ $ref: `#/components/schemas/${name}` });

const MAX_SCOPED_MS = 600_000;

export const socketRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/live",
        name: "watchGauge",
        summary: "Watch the gauge (WebSocket)",
        details:
          "Sends the gauge at once and after every change, at most four times a second. The latest state is always sent. Send `ping` to get a `pong`. Any other message closes the socket with code 1008. A browser cannot set headers on a WebSocket, so it passes an embed token as the subprotocol pair `fuelgauge, TOKEN`. The server closes the socket with code 4401 when the key or token expires or is revoked. It closes a socket of an operator key with scopes after ten minutes.",
        tag: "Readers",
        access: { scope: "read", session: true, embed: true, operatorScopes: ["metrics"] },
        answers: { 101: { description: "The socket is open" } },
        refusals: ["upgrade_required"],
      }),
      request: { params: inEnterprise },
      "x-websocket": { receives: component("Gauge") },
    }),
    (c) => openSocket(c, "live"),
  )
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/debits/stream",
        name: "streamDebits",
        summary: "Report debits of many runs (WebSocket)",
        details:
          "Every message gets a reply. Choose an `id`, which is a string or a number; the reply repeats it. A message that is not valid JSON gets a reply with `id: null` and the code `malformed_json`. When the key expires or is revoked, the server closes the socket with code 4401 and charges nothing more through it.",
        tag: "Agents",
        access: { scope: "debit" },
        answers: { 101: { description: "The socket is open" } },
        refusals: ["upgrade_required"],
      }),
      request: { params: inEnterprise },
      "x-websocket": { sends: component("StreamMessage"), receives: component("StreamReply") },
    }),
    (c) => openSocket(c, "stream"),
  );

socketRoutes.openAPIRegistry.register("StreamMessage", STREAM_DOC.message);
socketRoutes.openAPIRegistry.register("StreamReply", STREAM_DOC.reply);

async function openSocket(c: Context<ApiEnv>, kind: SocketKind): Promise<Response> {
  if (c.req.header("Upgrade")?.toLowerCase() !== "websocket") {
    return problem(c, "upgrade_required", { Upgrade: "websocket", Connection: "Upgrade" });
  }
  const { caller, expiresAtMs } = c.var;
  // The object does not know when an operator key is revoked, so its sockets are short.
  const isScoped = caller.kind === "operator" && !isFullOperator(caller);
  const endsAtMs = isScoped
    ? Math.min(expiresAtMs ?? Number.POSITIVE_INFINITY, Date.now() + MAX_SCOPED_MS)
    : expiresAtMs;
  const owner: SocketOwner = { kind, caller, expiresAtMs: endsAtMs };
  const headers = new Headers({ Upgrade: "websocket", [OWNER_HEADER]: JSON.stringify(owner) });
  const opened = await enterpriseStub(c.env, c.var.address).fetch("https://object/socket", { headers });
  if (opened.webSocket === null) return refused(c, await opened.json<AnyRefusal>());
  // A browser that offers subprotocols expects the server to choose one of them. Never choose the token.
  const offered = c.req.header("Sec-WebSocket-Protocol");
  const chosen = offered === undefined ? {} : { headers: { "Sec-WebSocket-Protocol": "fuelgauge" } };
  return new Response(null, { status: 101, webSocket: opened.webSocket, ...chosen });
}
