/**
 * The two sockets: GET …/live for those who watch, GET …/debits/stream for agents with many runs. Who may is decided
 * here; then the socket is the object's, so that it can sleep while nothing happens. A browser cannot send a header:
 * it passes its embed token as the subprotocol pair `fuelgauge, TOKEN`.
 */
import type { Context } from "hono";
import { OWNER_HEADER, type SocketKind, type SocketOwner } from "../enterprise/sockets.ts";
import type { Refusal } from "../ledger/refusals.ts";
import { type ApiEnv, allow, type Entrance } from "./auth.ts";
import { objectOf } from "./object.ts";
import { problem, refused } from "./problem.ts";
import { declare, inEnterprise, newRouter } from "./route.ts";

const LIVE: Entrance = { scope: "read", session: true, embed: true };
const STREAM: Entrance = { scope: "debit" };

export const socketRoutes = newRouter();

socketRoutes.get("/v1/enterprises/:e/live", allow(LIVE), (c) => openSocket(c, "live"));
socketRoutes.get("/v1/enterprises/:e/debits/stream", allow(STREAM), (c) => openSocket(c, "stream"));

for (const { path, summary, entrance, tag } of [
  { path: "live", summary: "The gauge at once and after every change (WebSocket)", entrance: LIVE, tag: "Readers" },
  { path: "debits/stream", summary: "Debits through a socket (WebSocket)", entrance: STREAM, tag: "Agents" },
] as const) {
  socketRoutes.openAPIRegistry.registerPath({
    ...declare({
      method: "get",
      path: `/v1/enterprises/{e}/${path}`,
      summary,
      tag,
      entrance,
      answers: { 101: { description: "The socket is open" } },
    }),
    request: { params: inEnterprise },
  });
}

async function openSocket(c: Context<ApiEnv>, kind: SocketKind): Promise<Response> {
  if (c.req.header("Upgrade")?.toLowerCase() !== "websocket") {
    return problem(c, "upgrade_required", { Upgrade: "websocket", Connection: "Upgrade" });
  }
  if (c.var.caller.kind === "user" && isForeignPage(c)) return problem(c, "origin_not_allowed");
  const owner: SocketOwner = { kind, caller: c.var.caller, expiresAtMs: c.var.expiresAtMs };
  const headers = new Headers({ Upgrade: "websocket", [OWNER_HEADER]: JSON.stringify(owner) });
  const opened = await objectOf(c).fetch("https://object/socket", { headers });
  if (opened.webSocket === null) return refused(c, await opened.json<Refusal>());
  // A browser that offered subprotocols expects one of them back; the token is not the one.
  const offered = c.req.header("Sec-WebSocket-Protocol");
  const chosen = offered === undefined ? {} : { headers: { "Sec-WebSocket-Protocol": "fuelgauge" } };
  return new Response(null, { status: 101, webSocket: opened.webSocket, ...chosen });
}

/** A browser sends its cookie along whoever's page opens the socket, and no CORS guards a socket: its Origin must be ours. */
function isForeignPage(c: Context<ApiEnv>): boolean {
  const origin = c.req.header("Origin");
  return origin !== undefined && origin !== new URL(c.req.url).origin;
}
