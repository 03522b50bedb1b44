// Bad input for pages: malformed forms and queries, and names that would inject markup, formulas or reversed text if they
// were not escaped.
import { exports } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { csvCell } from "../../src/wire/csv.ts";
import { CREDIT, costing, type Enterprise, newEnterprise, OPERATOR_KEY, operator, projectNow } from "./api.ts";
import { countAnswer, printSummary, readState } from "./expect-documented.ts";
import { QUERY_VALUES, shareOf } from "./hostile-input.ts";
import { nameOf, PAGES, type Page, pathOf } from "./routes.ts";
import { sessionCookie } from "./sessions.ts";

printSummary();

const HOST = "https://fuelgauge.test";
/** Markup that breaks out of attributes, titles, scripts and comments; reversed text; a formula; control characters. */
const NAMES = [
  `"><img src=x onerror=alert(1)>`,
  `</title></script><script>alert(1)</script>`,
  `' onmouseover='alert(1)`,
  `--><svg/onload=alert(1)>`,
  "\u202egnp.exe\u2066\u2067",
  "=HYPERLINK(1)",
  "a\tb\nc",
  "{{constructor}} %3Cscript%3E &lt;b&gt;",
];

let e: Enterprise;
let byom: Enterprise;
beforeAll(async () => {
  const [name] = NAMES;
  e = await newEnterprise({ name });
  byom = await newEnterprise({ name, billing_model: "byom" });
  for (const [i, text] of NAMES.entries()) {
    await e.debit(costing(3, { run: `@run-${i}`, workspace: `-w${i}`, user: `@u${i}`, group: `-g${i}` }));
    await e.grant({ id: `g${i}`, amount_micros: CREDIT, note: text });
    await operator("PUT", `${e.path}/directory`, {
      workspaces: [{ id: `-w${i}`, name: text }],
      groups: [{ id: `-g${i}`, name: text }],
      users: [{ id: `@u${i}`, name: text }],
    });
  }
  await operator("PUT", `${byom.path}/spend-cap`, { monthly_cap_micros: 500 * CREDIT });
  for (const { id } of [e, byom]) await projectNow(id);
});

/** Signs in to the operator's pages. */
async function operatorCookie(): Promise<string> {
  const headers = { "Content-Type": "application/x-www-form-urlencoded", Origin: HOST };
  const signedIn = await request("/operator/signin", { method: "POST", body: `operator_key=${OPERATOR_KEY}`, headers });
  expect([signedIn.status, signedIn.headers.get("Location")]).toEqual([303, "/operator"]);
  return signedIn.headers.get("Set-Cookie")?.split(";")[0] as string;
}

const isOperatorPage = ({ path }: Page) => /^\/operator(?!\/sign)/.test(path);
const FORMS = PAGES.filter(({ method }) => method === "POST");

async function request(path: string, init: RequestInit & { headers: Record<string, string> }) {
  const response = await exports.default.fetch(`${HOST}${path}`, { redirect: "manual", ...init });
  countAnswer(response);
  return { status: response.status, text: await response.text(), headers: response.headers };
}

describe("a form", () => {
  const urlencoded = "application/x-www-form-urlencoded";
  const file = (name: string) =>
    `--x\r\nContent-Disposition: form-data; name="${name}"; filename="a"\r\n\r\n5\r\n--x--\r\n`;
  const BODIES: [type: string, body: BodyInit | null][] = [
    ["", null],
    [urlencoded, null],
    [urlencoded, "%"],
    [urlencoded, "token=%zz&limit=%ff&cap=%&enterprise=%00"],
    [urlencoded, "token=a&token=b&limit=cap&limit=none&cap=5&cap=6&from=none&from=1&enterprise=a&enterprise=b"],
    [urlencoded, "token[]=a&limit[]=cap&cap[a]=5&__proto__=1&__proto__[cap]=5&constructor=1"],
    [urlencoded, "limit=cap&cap=%00&from=none"],
    [urlencoded, `limit=cap&cap=${"9".repeat(500_000)}&from=none`],
    [urlencoded, `token=${"x.".repeat(200_000)}`],
    [urlencoded, "&".repeat(500_000)],
    [urlencoded, "x".repeat(1_048_577)],
    ["multipart/form-data", "x"],
    ["multipart/form-data; boundary=x", "--x\r\nno form"],
    ["multipart/form-data; boundary=x", file("token") + file("cap")],
    ["application/json", '{"token":"x","limit":"none","from":"none"}'],
    ["text/plain", "limit=none&from=none"],
  ];

  const headersOf = (type: string) => ({ Origin: HOST, ...(type === "" ? {} : { "Content-Type": type }) });
  // A form gets half of them: each body, either from a browser or from a script. The next form gets the other half.
  const submissions = BODIES.flatMap(([type, body]) =>
    ["text/html", "*/*"].map((accept) => [type, body, accept] as const),
  );

  it.each(FORMS.filter((page) => !isOperatorPage(page)).map((page, i) => [nameOf(page), page, i] as const))(
    "that is malformed is refused with a 4xx and changes nothing: %s",
    async (_, { path }, place) => {
      const { Cookie } = await sessionCookie(byom.id);
      const before = await readState(byom.id);
      for (const [type, body, accept] of shareOf(submissions, place, 2)) {
        const headers = { Cookie, Accept: accept, ...headersOf(type) };
        const { status } = await request(path, { method: "POST", body, headers });
        const what = `${type} ${String(body).slice(0, 40)}`;
        // Signing out needs no fields. Every other form is refused without its fields.
        if (path.endsWith("/signout") && status === 303) continue;
        expect([what, status, status >= 400 && status < 500]).toEqual([what, status, true]);
      }
      expect(await readState(byom.id)).toBe(before);
    },
  );

  it.each(FORMS.filter(isOperatorPage).map((page, i) => [nameOf(page), page, i] as const))(
    "of the operator that is malformed never causes a server error and changes nothing if refused: %s",
    async (_, page, place) => {
      const [{ id }, cookie] = [await newEnterprise({ billing_model: "byom" }), await operatorCookie()];
      let before = await readState(id);
      for (const [type, body, accept] of shareOf(submissions, place, 2)) {
        const headers = { Cookie: cookie, Accept: accept, ...headersOf(type) };
        const { status } = await request(pathOf(page, { e: id, id: "none" }), { method: "POST", body, headers });
        const what = `${type} ${String(body).slice(0, 40)}`;
        expect([what, status, status < 500]).toEqual([what, status, true]);
        const after = await readState(id);
        if (status >= 400) expect([what, after]).toEqual([what, before]);
        before = after;
      }
    },
  );
});

/** Cursors of the pages' lists that point nowhere. */
const ODD_CURSORS = ["9999999999999999.999999.-9999999999999999.x", "0.0.0.x", "9999999999999999.x", "0.*"];

describe("a page", () => {
  const QUERIES: Record<string, string[]> = {
    "/": [],
    "/signin": ["token"],
    "/signout": [],
    "/settings/usage": ["range", "view", "workspace", "workspaces_after", "groups_after", "users_after", "runs_after"],
    "/settings/usage?view=total": ["cycle", "from", "to", "model", "surface", "models_q", "users_sort", "runs_sort"],
    "/settings/usage/users.csv": ["cycle", "user", "users_q", "users_sort"],
    "/settings/usage?part=now,top,runs,": ["part", "user"],
    "/settings/model": ["q", "rows", "limit", "cap", "saved"],
    "/settings/usage/runs/{run}": ["workspace", "range"],
    "/settings/usage/runs/%": [],
    "/settings/usage/runs/%ff": [],
    "/settings/usage/runs/%00": [],
    "/settings/usage/runs/..%2f..": [],
  };

  it.each(
    PAGES.filter((page) => page.method === "GET" && isOperatorPage(page)).map(({ path }, i) => [path, i] as const),
  )("of the operator is shown or refused with any query, never a server error: %s", async (path, place) => {
    const cookie = await operatorCookie();
    for (const value of shareOf([...QUERY_VALUES, ...ODD_CURSORS, "0", "Infinity", "-1e400"], place, 2)) {
      const query = ["before", "after", "q", "id", "done", "to"].map((name) => `${name}=${encodeURIComponent(value)}`);
      const url = `${pathOf({ path }, { e: e.id, id: "g1" })}?${query.join("&")}`;
      const { status, text } = await request(url, { headers: { Cookie: cookie, Accept: "text/html" } });
      expect([value.slice(0, 60), status, status < 500]).toEqual([value.slice(0, 60), status, true]);
      expect(await injectedMarkupIn(text)).toEqual([]);
    }
  });

  it.each(Object.entries(QUERIES).map(([path, fields], i) => [path, fields, i] as const))(
    "is shown or refused with any query, never a server error: %s",
    async (path, fields, place) => {
      const { Cookie } = await sessionCookie(e.id);
      const all = (format: (field: string) => string) => fields.map(format).join("&");
      const queries = [
        "",
        "__proto__=1&constructor=1&x[]=1",
        ...[...QUERY_VALUES, ...ODD_CURSORS].map((value) => all((field) => `${field}=${encodeURIComponent(value)}`)),
        all((field) => `${field}=1&${field}=2`),
        all((field) => `${field}=%ff%zz%`),
        all((field) => field),
      ];
      // A page gets each query, either as a whole page or as a part of one.
      const asked = queries.flatMap((query, i) => {
        const both = [{}, { "HX-Request-Type": "partial" }].map((more) => [query, more] as const);
        return i % 2 === 0 ? both : both.toReversed();
      });
      const url = `${pathOf({ path }, { run: "@run-1" })}${path.includes("?") ? "" : "?"}`;
      for (const [query, more] of shareOf(asked, place, 2)) {
        const { status } = await request(`${url}&${query}`, { headers: { Cookie, Accept: "text/html", ...more } });
        expect([query.slice(0, 60), status, status < 500]).toEqual([query.slice(0, 60), status, true]);
      }
    },
  );
});

/** Tags that none of our pages has, inline handlers and styles, and URLs with other schemes, as a browser parses them. */
async function injectedMarkupIn(html: string): Promise<string[]> {
  const found: string[] = [];
  const look = (element: Element) => {
    const { tagName } = element;
    if (["img", "iframe", "object", "embed", "base"].includes(tagName)) found.push(tagName);
    for (const [name, value] of element.attributes) {
      if (/^on|^style$|^srcdoc$/.test(name ?? "")) found.push(`${tagName} ${name}`);
      if (/^(src|href|action|formaction)$/.test(name ?? "") && !/^(\/|https:|#|\?)/.test(value ?? "")) {
        found.push(`${tagName} ${name}=${value}`);
      }
    }
    if (tagName === "script" && element.getAttribute("src") === null) found.push("script");
  };
  await new HTMLRewriter().on("*", { element: look }).transform(new Response(html)).text();
  return found;
}

describe("a hostile name", () => {
  const usage = "/settings/usage";
  const PAGES_WITH_NAMES = [
    usage,
    "/settings/model",
    `${usage}/runs/%40run-1`,
    `${usage}?workspace=-w1`,
    `${usage}?user=%40u0`,
    "/signout",
  ];

  it.each(PAGES_WITH_NAMES)("is shown as text on %s", async (path) => {
    for (const [owner, more] of [
      [e, {}],
      [byom, {}],
      [e, { "HX-Request-Type": "partial" }],
    ] as const) {
      const { status, text } = await request(path, {
        headers: { ...(await sessionCookie(owner.id)), Accept: "text/html", ...more },
      });
      if (owner === byom && path.includes("runs/")) continue;
      expect([path, status]).toEqual([path, 200]);
      expect(await injectedMarkupIn(text)).toEqual([]);
      expect(text).not.toContain("<script>alert");
      expect(text).not.toContain("onerror=alert(1)>");
    }
  });

  it("is shown as text on the operator's pages", async () => {
    const headers = { Cookie: await operatorCookie(), Accept: "text/html" };
    for (const path of ["", `/enterprises/${e.id}`, `/enterprises/${e.id}/settings`, `/enterprises/${e.id}/grants`]) {
      const { status, text } = await request(`/operator${path}`, { headers });
      expect([path, status]).toEqual([path, 200]);
      expect(text).toContain("&quot;&gt;&lt;img src=x onerror=alert(1)&gt;");
      expect(await injectedMarkupIn(text)).toEqual([]);
    }
  });

  it("is escaped, and isolated so that it cannot reverse the text around it", async () => {
    const { text } = await request(usage, { headers: { ...(await sessionCookie(e.id)), Accept: "text/html" } });
    expect(text).toContain("&quot;&gt;&lt;img src=x onerror=alert(1)&gt;");
    expect(text).toMatch(/<bdi[^>]*>\u202egnp\.exe\u2066\u2067<\/bdi>/);
    // A title has no markup, so isolation characters surround the name there.
    expect(text).toMatch(/<title>[^<]*\u2068[^<]*\u2069/);
  });

  it("is returned unchanged in JSON", async () => {
    const { rows } = (await e.agent("GET", `${e.path}/usage/top/workspaces?limit=100`)).body;
    expect(rows.map(({ name }: { name: string }) => name).sort()).toEqual([...NAMES].sort());
    const gauge = await e.agent("GET", `${e.path}/gauge`);
    expect(gauge.body.name).toBe(NAMES[0]);
    expect(gauge.headers.get("Content-Type")).toMatch(/^application\/json/);
  });

  it("with control characters, lone surrogates or only spaces is refused", async () => {
    for (const name of ["\u001b[31mred", "a\u0000", "\u007f", "\u009b31m", "\ud800", "  ", "a\rb"]) {
      expect((await e.put({ name })).status).toBe(422);
      const answer = await operator("PUT", `${e.path}/directory`, { users: [{ id: "u1", name }] });
      expect(answer.status).toBe(422);
    }
  });

  it("is not a formula in the CSV", async () => {
    const { text } = await e.agent("GET", `${e.path}/runs.csv`);
    const lines = text.trim().split("\r\n").slice(1);
    expect(lines.length).toBe(NAMES.length);
    for (const line of lines) expect(line).toMatch(/^'@run-\d,web,'-w\d,.*,'-g\d,.*,'@u\d,/s);
    for (const first of ["=", "+", "-", "@", "\t", "\r"]) expect(csvCell(`${first}1`)).toMatch(/^"?'/);
    expect(csvCell("=a\n")).toBe(`"'=a\n"`);
    expect(csvCell('a"b,c')).toBe('"a""b,c"');
    expect(csvCell(["=x", "y"])).toBe("'=x y");
    expect(csvCell(-5)).toBe("-5");
  });
});
