/** Pages of another site attack the browser of a signed-in person. None of it may succeed. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type OtherSite, startOtherSite } from "./other-site.ts";
import { type Enterprise, type Site, startSite, textOf } from "./site.ts";

const CAP = 500_000_000;

let site: Site;
let otherSite: OtherSite;
let globex: Enterprise;
let page: Page;

beforeAll(async () => {
  site = await startSite();
  otherSite = await startOtherSite(site.base);
  globex = await site.newEnterprise({ billing_model: "byom", monthly_allowance_micros: null, name: "Globex" });
  await globex.cap(CAP);
  page = (await site.signIn(globex)).page;
});
afterAll(async () => {
  otherSite.close();
  await site.stop();
});

/** Submits a form from the open page, as an attacker would trick a person into doing. */
async function submit(action: string, fields: Record<string, string>, enctype = "application/x-www-form-urlencoded") {
  await page.evaluate(
    ([to, values, type]) => {
      const form = document.forms[0] as HTMLFormElement;
      form.action = to;
      form.enctype = type;
      for (const [name, value] of Object.entries(values)) {
        form.append(Object.assign(document.createElement("input"), { type: "hidden", name, value }));
      }
      form.submit();
    },
    [site.base + action, fields, enctype] as const,
  );
  await page.waitForURL(`${site.base}/**`);
}

const isSignedIn = async () => {
  await page.goto(`${site.base}/settings/usage`);
  return new URL(page.url()).pathname === "/settings/usage";
};

const NAMES = ["another site", "another origin of this site"] as const;

describe.each(NAMES)("a page of %s", (name) => {
  beforeEach(() => page.goto(otherSite.origins[name]));

  it("cannot change the cap by submitting a form of any type", async () => {
    for (const type of ["application/x-www-form-urlencoded", "multipart/form-data", "text/plain"]) {
      await page.goto(otherSite.origins[name]);
      await submit("/settings/model", { limit: "none", cap: "", from: String(CAP), confirmed: "yes" }, type);
      // For a form of another site the browser does not send the cookie, so Fuelgauge redirects as without a session.
      if (name === "another site") expect(page.url()).toBe(`${site.base}/settings/usage`);
      else expect(await textOf(page, "main")).toContain("csrf_failed");
      expect((await globex.gauge()).spend.cap_micros).toBe(CAP);
    }
  });

  it("cannot sign a person out, or in as somebody else", async () => {
    await submit("/signout", {});
    expect(await textOf(page, "main")).toContain("csrf_failed");
    expect(await isSignedIn()).toBe(true);

    const other = await site.newEnterprise({ name: "Mallory" });
    const { body } = await site.sendOk("POST", `${other.path}/sessions`, { user: "mallory", role: "admin" });
    const token = new URL(body.url).searchParams.get("token") ?? "";
    await page.goto(otherSite.origins[name]);
    await submit("/signin", { token });
    expect(await textOf(page, "main")).toContain("csrf_failed");
    await isSignedIn();
    expect(await textOf(page, ".tenant")).toBe("Globex");
  });

  it("cannot change or read anything by script", async () => {
    const { path } = globex;
    const answers = await page.evaluate(
      async ([base, gauge, cap, csv]) => {
        const form = { "Content-Type": "application/x-www-form-urlencoded" };
        const fields = "limit=none&cap=&from=500000000&confirmed=yes";
        const json = { "Content-Type": "application/json" };
        const tries: [string, RequestInit][] = [
          ["/settings/model", { method: "POST", headers: form, body: fields }],
          ["/settings/model", { method: "POST", headers: form, body: fields, mode: "no-cors" }],
          ["/settings/usage", {}],
          [gauge, {}],
          [csv, {}],
          [cap, { method: "PUT", headers: json, body: '{"monthly_cap_micros":null}' }],
          [cap, { method: "POST", headers: { "Content-Type": "text/plain" }, body: '{"monthly_cap_micros":null}' }],
        ];
        return Promise.all(
          tries.map(([to, init]) =>
            fetch(base + to, { credentials: "include", ...init }).then(
              async (answer) => (answer.type === "opaque" ? "opaque" : await answer.text()),
              () => "not readable",
            ),
          ),
        );
      },
      [site.base, `${path}/gauge`, `${path}/spend-cap`, `${path}/runs.csv`] as const,
    );
    expect(new Set(answers)).toEqual(new Set(["not readable"]));
    expect((await globex.gauge()).spend.cap_micros).toBe(CAP);
  });

  it("cannot open the live socket of the signed-in person", async () => {
    const outcome = await page.evaluate(
      (url) =>
        new Promise((done) => {
          const socket = new WebSocket(url);
          socket.onmessage = ({ data }) => done(`received ${data}`);
          socket.onclose = () => done("closed");
        }),
      `${site.base.replace("http", "ws")}${globex.path}/live`,
    );
    expect(outcome).toBe("closed");
  });

  it("cannot show a page of Fuelgauge in a frame", async () => {
    await page.evaluate(
      (url) =>
        new Promise<void>((done) => {
          const frame = Object.assign(document.createElement("iframe"), { src: url });
          frame.onload = () => done();
          document.body.append(frame);
        }),
      `${site.base}/settings/model`,
    );
    const [, frame] = page.frames();
    expect(await frame?.evaluate(() => document.body?.innerText ?? "")).not.toContain("spend cap");
  });

  it("cannot use an embed token made for another origin", async () => {
    const origin = "https://editor.example";
    const { body } = await site.sendOk("POST", `${globex.path}/embed-tokens`, { user: "u1", role: "member", origin });
    const answer = await page.evaluate(
      async ([url, token]) => {
        const response = await fetch(url, { headers: { Authorization: `Bearer ${token}` } });
        return { status: response.status, code: (await response.json()).code };
      },
      [`${site.base}${globex.path}/gauge`, body.token as string] as const,
    );
    expect(answer).toEqual({ status: 403, code: "origin_not_allowed" });
  });
});
