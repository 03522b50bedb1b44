// The deployment's UPGRADE_URL and REFERRAL_URL wherever a link appears, and the page without any link.
import { env, exports } from "cloudflare:workers";
import { afterEach, describe, expect, it } from "vitest";
import { CREDIT, costing, newEnterprise, operator, start } from "./api.ts";
import { sessionCookie } from "./sessions.ts";

const URLS = {
  UPGRADE_URL: "https://platform.example/upgrade?for={enterprise}",
  REFERRAL_URL: "https://platform.example/join/{referral_code}",
};
afterEach(() => Object.assign(env, { UPGRADE_URL: undefined, REFERRAL_URL: undefined }));

async function readPage(id: string, role: "admin" | "member" = "admin") {
  const headers = { ...(await sessionCookie(id, { role })), Accept: "text/html" };
  const url = "https://fuelgauge.test/settings/upgrade";
  const response = await exports.default.fetch(url, { headers, redirect: "manual" });
  return { status: response.status, to: response.headers.get("Location"), text: await response.text() };
}

describe("with links of the deployment", () => {
  it("fills them in for an enterprise that has none: in alerts, in a 402, and on the way to an upgrade", async () => {
    Object.assign(env, URLS);
    const e = await newEnterprise({ monthly_allowance_micros: 10 * CREDIT });
    const { referral_code } = (await operator("GET", e.path)).body;
    await e.debit(costing(6, { final: true }));
    const upgrade = `https://platform.example/upgrade?for=${e.id}`;
    const invite = `https://platform.example/join/${encodeURIComponent(referral_code)}`;
    expect((await e.gauge()).alerts).toContainEqual(
      expect.objectContaining({ action: { label: "Invite", url: invite } }),
    );
    await e.debit(costing(4, { run: "run-2", final: true }));
    const refused = await e.start(start({ run: "run-3" }));
    expect([refused.status, refused.body.upgrade_url]).toEqual([402, upgrade]);
    expect(refused.body.gauge.alerts[0].action.url).toBe(upgrade);
    expect(await readPage(e.id)).toMatchObject({ status: 303, to: upgrade });
    // The settings stay empty: the deployment's link is not stored.
    expect((await operator("GET", e.path)).body).toMatchObject({ upgrade_url: null, referral_url: null });
  });

  it("prefers the enterprise's own", async () => {
    Object.assign(env, URLS);
    const e = await newEnterprise({ monthly_allowance_micros: 0, upgrade_url: "https://acme.example/up" });
    expect((await e.start(start())).body).toMatchObject({ upgrade_url: "https://acme.example/up", resets_at: null });
  });
});

describe("without any link", () => {
  it("says whom to ask, and a 402 has no link", async () => {
    const e = await newEnterprise({ monthly_allowance_micros: 0 });
    expect((await e.start(start())).body).not.toHaveProperty("upgrade_url");
    const admin = await readPage(e.id);
    expect(admin.status).toBe(200);
    expect(admin.text).toContain(`<code>${e.id}</code>`);
    expect((await readPage(e.id, "member")).text).toContain("ask an admin of");
  });
});
