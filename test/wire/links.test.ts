// Where people get more credits and invite others: the enterprise's link, else the deployment's, filled in.
import { describe, expect, it } from "vitest";
import { deploymentLinks, linksOf, NO_LINKS } from "../../src/wire/links.ts";

const NONE = { upgradeUrl: null, referralUrl: null, referralCode: "a/b~12345678" };
const DEPLOYMENT = deploymentLinks({
  UPGRADE_URL: "https://platform.example/upgrade?for={enterprise}",
  REFERRAL_URL: "https://platform.example/join/{referral_code}?from={enterprise}",
});

describe("the links of an enterprise", () => {
  it("are its own, if it has some", () => {
    const own = { ...NONE, upgradeUrl: "https://acme.example/up", referralUrl: "https://acme.example/{enterprise}" };
    expect(linksOf(own, "a/b", DEPLOYMENT)).toEqual({
      upgradeUrl: "https://acme.example/up",
      referralUrl: "https://acme.example/{enterprise}",
    });
  });

  it("are else the deployment's, with the id and the referral code filled in and encoded", () => {
    expect(linksOf(NONE, "a/b", DEPLOYMENT)).toEqual({
      upgradeUrl: "https://platform.example/upgrade?for=a%2Fb",
      referralUrl: "https://platform.example/join/a%2Fb~12345678?from=a%2Fb",
    });
  });

  it("are null if there is neither", () => {
    expect(linksOf(NONE, "acme", NO_LINKS)).toEqual({ upgradeUrl: null, referralUrl: null });
    expect(deploymentLinks({ UPGRADE_URL: "", REFERRAL_URL: undefined })).toEqual(NO_LINKS);
  });

  it.each([
    "javascript:alert('{enterprise}')",
    "upgrade",
    "//x.example",
    "https://",
    "https://a\tb.example/{enterprise}",
  ])("never lead to %s, which is not a web address", (template) => {
    const deployment = deploymentLinks({ UPGRADE_URL: template });
    expect(linksOf(NONE, "acme", deployment).upgradeUrl).toBeNull();
  });

  it("have no invitation as long as the referral code is not known", () => {
    const { referralCode: _, ...unknown } = NONE;
    expect(linksOf(unknown, "acme", DEPLOYMENT)).toMatchObject({
      upgradeUrl: "https://platform.example/upgrade?for=acme",
      referralUrl: null,
    });
  });
});
