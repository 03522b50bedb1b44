/**
 * A page of another origin that embeds the usage bar, as a platform's editor would. Its backend requests embed tokens for
 * its own origin, and its content security policy allows only Fuelgauge's script and socket.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Site } from "./site.ts";

export type HostPage = Awaited<ReturnType<typeof startHostPage>>;

/** What the host's backend requests with a token. */
type TokenRequest = { role: "admin" | "member"; ttl_seconds?: number };

const SCRIPT = `
window.events = [];
for (const type of ["usage-change", "usage-threshold", "usage-action"]) {
  document.addEventListener(type, (event) => events.push({ type, detail: event.detail }));
}
window.violations = [];
document.addEventListener("securitypolicyviolation", ({ violatedDirective }) => violations.push(violatedDirective));
window.getToken = async (bar = document.querySelector("usage-bar")) => {
  const enterprise = bar.getAttribute("enterprise");
  const answer = await fetch("/token?enterprise=" + encodeURIComponent(enterprise), { method: "POST" });
  if (!answer.ok) throw new Error("no token");
  return answer.text();
};
for (const bar of document.querySelectorAll("usage-bar")) bar.getToken = () => getToken(bar);`;

export async function startHostPage(site: Pick<Site, "base" | "sendOk">) {
  let origin = "";
  let markup = "";
  let policy = "";
  const host = {
    tokenRequest: { role: "member" } as TokenRequest,
    /** False: the host's backend answers 401 instead of a token. */
    isSignedIn: true,
    tokensIssued: 0,
    get origin() {
      return origin;
    },
    /**
     * Sets what the page shows. `base`: the URL that the bar connects to, by default the Worker's. `withSockets: false`:
     * the policy blocks WebSockets.
     */
    serve(bars: string, { base = site.base, withSockets = true, head = "" } = {}) {
      const sockets = withSockets ? base.replace("http", "ws") : "";
      policy = `default-src 'none'; script-src 'self' ${site.base}; connect-src 'self' ${base} ${sockets}`;
      markup = `<!doctype html><html lang="en"><head><title>Host</title>${head}
        <script src="${site.base}/embed/usage-bar.js" defer></script><script src="/host.js" defer></script></head>
        <body><main><h1>Host</h1>${bars.replaceAll("<usage-bar ", `<usage-bar base="${base}" `)}</main></body></html>`;
    },
    close: () => server.closeAllConnections(),
  };
  const server = createServer(async (request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://host");
    if (pathname === "/host.js") return response.setHeader("Content-Type", "text/javascript").end(SCRIPT);
    if (pathname === "/token") {
      if (!host.isSignedIn) return response.writeHead(401).end();
      const path = `/v1/enterprises/${encodeURIComponent(searchParams.get("enterprise") ?? "")}/embed-tokens`;
      const made = await site.sendOk("POST", path, { user: "u1", origin, ...host.tokenRequest }).catch(() => null);
      if (made === null) return response.writeHead(502).end();
      host.tokensIssued += 1;
      return response.end(made.body.token);
    }
    response.setHeader("Content-Security-Policy", policy).setHeader("Content-Type", "text/html; charset=utf-8");
    return response.end(pathname === "/" ? markup : "");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return host;
}
