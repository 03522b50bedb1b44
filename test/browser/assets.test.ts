/** The scripts and stylesheets that pages link to, as the Worker's asset server gives them out. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { type Enterprise, FORM, KEY, type Site, startSite } from "./site.ts";

const IMMUTABLE = "public, max-age=31536000, immutable";

let site: Site;
let acme: Enterprise;

beforeAll(async () => {
  site = await startSite();
  acme = await site.newEnterprise();
  await acme.run(50);
  await acme.project();
});
afterAll(() => site.stop());

/** The local files that a page loads: stylesheets, scripts and icons. */
async function filesOf(path: string, cookie: string): Promise<string[]> {
  const { status, text } = await site.send("GET", path, undefined, {
    headers: { Cookie: cookie, Accept: "text/html" },
  });
  expect([path, status]).toEqual([path, 200]);
  const tags = text.match(/<(?:link|script)[^>]*>/g) ?? [];
  return tags.flatMap((tag) => /(?:src|href)="([^"]+)"/.exec(tag)?.[1] ?? []);
}

it("gives out every file that a page links to, of the right type, to be cached for ever", async () => {
  const signedIn = await site.cookieFor(acme);
  const signIn = await site.send("POST", "/operator/signin", `operator_key=${KEY}`, FORM);
  const operator = (signIn.headers.get("Set-Cookie") ?? "").split(";")[0] ?? "";
  const pages: [string, string][] = [
    ["/", "none="],
    ["/docs", "none="],
    ["/settings/usage", signedIn],
    ["/settings/model", signedIn],
    ["/settings/usage/runs/run-0001", signedIn],
    ["/operator", operator],
    [`/operator/enterprises/${acme.id}`, operator],
  ];
  const files = new Set((await Promise.all(pages.map(([path, cookie]) => filesOf(path, cookie)))).flat());
  const script = [...files].find((path) => path.includes("/usage-")) as string;
  files.add(/\/assets\/chart-\w+\.js/.exec((await site.send("GET", script)).text)?.[0] ?? "");
  expect([...files].map((path) => path.replace(/-\w+\./, ".")).sort()).toEqual([
    "/assets/app.css",
    "/assets/chart.js",
    "/assets/htmx.js",
    "/assets/icon.svg",
    "/assets/page.js",
    "/assets/usage.js",
  ]);
  for (const path of files) {
    const { status, headers } = await site.send("GET", path);
    expect([path, status, headers.get("X-Content-Type-Options")]).toEqual([path, 200, "nosniff"]);
    expect([path, headers.get("Access-Control-Allow-Origin")]).toEqual([path, null]);
    const type = path.endsWith(".js") ? "text/javascript" : path.endsWith(".css") ? "text/css" : "image/svg+xml";
    expect([path, headers.get("Content-Type")]).toEqual([path, expect.stringContaining(type)]);
    if (path.startsWith("/assets/")) expect([path, headers.get("Cache-Control")]).toEqual([path, IMMUTABLE]);
  }
});

it("lets browsers cache no file that does not exist", async () => {
  const { status, headers } = await site.send("GET", "/assets/app-000000000000.css");
  expect(status).toBe(404);
  expect(headers.get("Cache-Control") ?? "").not.toContain("immutable");
});

it("gives the usage bar to other sites, under a name that never changes and for minutes only", async () => {
  const { status, headers } = await site.send("GET", "/embed/usage-bar.js");
  expect([status, headers.get("Access-Control-Allow-Origin")]).toEqual([200, "*"]);
  expect(headers.get("Cache-Control")).toBe("public, max-age=300, must-revalidate");
  expect(headers.get("X-Content-Type-Options")).toBe("nosniff");
  const etag = headers.get("ETag") ?? "";
  const again = await site.send("GET", "/embed/usage-bar.js", undefined, { headers: { "If-None-Match": etag } });
  expect(again.status).toBe(304);
});
