/**
 * The two sockets: GET …/live for those who watch, GET …/debits/stream for agents with many runs. Who may is decided
 * here; then the socket is the object's, so that it can sleep while nothing happens. A browser cannot send a header:
 * it passes its embed token as the subprotocol pair `fuelgauge, TOKEN`.
 */
import type { Context } from "hono";
import type { AnyRefusal } from "../access/refusals.ts";
import { OWNER_HEADER, type SocketKind, type SocketOwner } from "../enterprise/sockets/sockets.ts";
import { enterpriseStub } from "../operations/enterprise-stub.ts";
import { STREAM_DOC } from "../wire/report.ts";
import { type ApiEnv, allow, type Entrance } from "./auth.ts";
import { problem, refused } from "./problem.ts";
import { declare, inEnterprise, newRouter } from "./route.ts";

const LIVE: Entrance = { scope: "read", session: true, embed: true };
const STREAM: Entrance = { scope: "debit" };

export const socketRoutes = newRouter();

socketRoutes.get("/v1/enterprises/:e/live", allow(LIVE), (c) => openSocket(c, "live"));
socketRoutes.get("/v1/enterprises/:e/debits/stream", allow(STREAM), (c) => openSocket(c, "stream"));

const { openAPIRegistry } = socketRoutes;
openAPIRegistry.register("StreamMessage", STREAM_DOC.message);
openAPIRegistry.register("StreamReply", STREAM_DOC.reply);
const component = (name: string) => ({ $ref: `#/components/schemas/${name}` });

openAPIRegistry.registerPath({
  ...declare({
    method: "get",
    path: "/v1/enterprises/{e}/live",
    name: "watchGauge",
    summary: "A WebSocket: the gauge at once, and after every change",
    details:
      "At most four a second, the last state never skipped. Send `ping` for a `pong`. A browser, which can send no header, passes an embed token as the subprotocol pair `fuelgauge, TOKEN`. 4401 closes the socket of a key or token that has ended.",
    tag: "Readers",
    entrance: LIVE,
    answers: { 101: { description: "The socket is open" } },
    refusals: ["upgrade_required"],
  }),
  request: { params: inEnterprise },
  "x-websocket": { receives: component("Gauge") },
});

openAPIRegistry.registerPath({
  ...declare({
    method: "get",
    path: "/v1/enterprises/{e}/debits/stream",
    name: "streamDebits",
    summary: "A WebSocket: reports of many runs, each answered",
    details:
      "`id` is yours, a string or a number, and comes back with the answer. What is no JSON is answered with id null and the code `malformed_json`. 4401 closes the socket of a key that has ended, and it charges nothing more.",
    tag: "Agents",
    entrance: STREAM,
    answers: { 101: { description: "The socket is open" } },
    refusals: ["upgrade_required"],
  }),
  request: { params: inEnterprise },
  "x-websocket": { sends: component("StreamMessage"), receives: component("StreamReply") },
});

async function openSocket(c: Context<ApiEnv>, kind: SocketKind): Promise<Response> {
  if (c.req.header("Upgrade")?.toLowerCase() !== "websocket") {
    return problem(c, "upgrade_required", { Upgrade: "websocket", Connection: "Upgrade" });
  }
  const owner: SocketOwner = { kind, caller: c.var.caller, expiresAtMs: c.var.expiresAtMs };
  const headers = new Headers({ Upgrade: "websocket", [OWNER_HEADER]: JSON.stringify(owner) });
  const opened = await enterpriseStub(c.env, c.var.enterprise).fetch("https://object/socket", { headers });
  if (opened.webSocket === null) return refused(c, await opened.json<AnyRefusal>());
  // A browser that offered subprotocols expects one of them back; the token is not the one.
  const offered = c.req.header("Sec-WebSocket-Protocol");
  const chosen = offered === undefined ? {} : { headers: { "Sec-WebSocket-Protocol": "fuelgauge" } };
  return new Response(null, { status: 101, webSocket: opened.webSocket, ...chosen });
}
