/**
 * A page of another origin that embeds the usage bar, as a platform's editor would: its backend mints embed tokens for
 * its own origin, its content security policy names the script and the socket of Fuelgauge and nothing else.
 */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import type { Site } from "./site.ts";

export type HostPage = Awaited<ReturnType<typeof startHostPage>>;

/** What the host's backend asks for when it mints a token. */
type TokenWish = { role: "admin" | "member"; ttl_seconds?: number };

const SCRIPT = `
window.heard = [];
for (const type of ["usage-change", "usage-threshold", "usage-action"]) {
  document.addEventListener(type, (event) => heard.push({ type, detail: event.detail }));
}
window.violations = [];
document.addEventListener("securitypolicyviolation", ({ violatedDirective }) => violations.push(violatedDirective));
window.getToken = async () => {
  const enterprise = document.querySelector("usage-bar").getAttribute("enterprise");
  const answer = await fetch("/token?enterprise=" + encodeURIComponent(enterprise), { method: "POST" });
  if (!answer.ok) throw new Error("no token");
  return answer.text();
};
for (const bar of document.querySelectorAll("usage-bar")) bar.getToken = getToken;`;

export async function startHostPage(site: Pick<Site, "base" | "must">) {
  let origin = "";
  let markup = "";
  let policy = "";
  const host = {
    wish: { role: "member" } as TokenWish,
    /** Whether the host's backend gives tokens at all. */
    isSignedIn: true,
    tokensGiven: 0,
    get origin() {
      return origin;
    },
    /**
     * What the page shows from now on. `base`: where the bar connects to, the Worker itself if not said; `withSockets`
     * false: the policy lets no socket through.
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
      const made = await site.must("POST", path, { user: "u1", origin, ...host.wish }).catch(() => null);
      if (made === null) return response.writeHead(502).end();
      host.tokensGiven += 1;
      return response.end(made.body.token);
    }
    response.setHeader("Content-Security-Policy", policy).setHeader("Content-Type", "text/html; charset=utf-8");
    return response.end(pathname === "/" ? markup : "");
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return host;
}
