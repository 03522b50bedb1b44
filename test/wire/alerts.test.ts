// Alerts as JSON: a sentence for each, and a link where the enterprise has one.
import { expect, it } from "vitest";
import { type AlertCode, alertOf } from "../../src/ledger/alerts.ts";
import { parseAlert, showAlert } from "../../src/wire/alerts.ts";

const LINKS = { upgradeUrl: "https://example.com/up", referralUrl: "https://example.com/invite" };
const NO_LINKS = { upgradeUrl: null, referralUrl: null };
const show = (code: AlertCode, links = LINKS) => showAlert(alertOf(code), links);

it("has a sentence, and a link where the enterprise has one", () => {
  expect(show("exhausted")).toEqual({
    code: "exhausted",
    level: "critical",
    message: expect.stringMatching(/^[A-Z].*\.$/),
    action: { label: "Upgrade plan", url: "https://example.com/up" },
  });
  expect(showAlert(alertOf("exhausted"), NO_LINKS)).not.toHaveProperty("action");
});

it("offers an invitation only if a referral link is set", () => {
  expect(show("usage_50")).toMatchObject({ action: { label: "Invite", url: "https://example.com/invite" } });
  expect(showAlert(alertOf("usage_50"), NO_LINKS)).not.toHaveProperty("action");
});

it("links to the settings of the spend cap", () => {
  expect(show("cap_reached")).toMatchObject({ action: { label: "Raise cap", url: "/settings/model" } });
  expect(show("cap_not_set")).toMatchObject({ action: { label: "Set a cap", url: "/settings/model" } });
});

it("is read back with its kind of action, which JSON does not carry", () => {
  expect(parseAlert(show("usage_50"))).toMatchObject({
    ...alertOf("usage_50"),
    message: "Half of this cycle's credits are used.",
    actionUrl: "https://example.com/invite",
  });
  expect(parseAlert(showAlert(alertOf("usage_50"), NO_LINKS))).toMatchObject({ actionKind: "invite", actionUrl: null });
  expect(parseAlert(showAlert(alertOf("exhausted"), NO_LINKS))).toMatchObject({ actionUrl: "/settings/upgrade" });
});
