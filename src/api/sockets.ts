/**
 * The two sockets: GET …/live for watchers, GET …/debits/stream for agents with many runs. The Worker authorizes the
 * caller, then hands the socket to the enterprise's object, which can hibernate while nothing happens. A browser cannot
 * send a header: it passes its embed token as the subprotocol pair `fuelgauge, TOKEN`.
 */
import type { Context } from "hono";
import type { AnyRefusal } from "../access/refusals.ts";
import { OWNER_HEADER, type SocketKind, type SocketOwner } from "../enterprise/sockets/sockets.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { STREAM_DOC } from "../wire/report.ts";
import type { ApiEnv } from "./auth.ts";
import { problem, refused } from "./problem.ts";
import { createRoute, declare, inEnterprise, newRouter } from "./route.ts";

const component = (name: string) => ({ $ref: `#/components/schemas/${name}` });

export const socketRoutes = newRouter()
  .openapi(
    createRoute({
      ...declare({
        method: "get",
        path: "/v1/enterprises/{e}/live",
        name: "watchGauge",
        summary: "Watch the gauge (WebSocket)",
        details:
          "Sends the gauge at once and after every change, at most four times a second; the last state is never skipped. Send `ping` to get a `pong`; any other message closes the socket with 1008. A browser cannot send a header, so it passes an embed token as the subprotocol pair `fuelgauge, TOKEN`. The server closes the socket with 4401 when its key or token has expired or was revoked.",
        tag: "Readers",
        access: { scope: "read", session: true, embed: true },
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
          "Every message gets a reply. Choose `id`, a string or a number; the reply echoes it. A message that is not valid JSON gets a reply with `id: null` and the code `malformed_json`. The server closes the socket with 4401 when its key has expired or was revoked, and charges nothing more through it.",
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
  const owner: SocketOwner = { kind, caller: c.var.caller, expiresAtMs: c.var.expiresAtMs };
  const headers = new Headers({ Upgrade: "websocket", [OWNER_HEADER]: JSON.stringify(owner) });
  const opened = await enterpriseStub(c.env, c.var.enterprise).fetch("https://object/socket", { headers });
  if (opened.webSocket === null) return refused(c, await opened.json<AnyRefusal>());
  // A browser that offers subprotocols expects the server to choose one; the token is not one of them.
  const offered = c.req.header("Sec-WebSocket-Protocol");
  const chosen = offered === undefined ? {} : { headers: { "Sec-WebSocket-Protocol": "fuelgauge" } };
  return new Response(null, { status: 101, webSocket: opened.webSocket, ...chosen });
}
