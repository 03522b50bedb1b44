/**
 * Decides where an enterprise's people get more credits and invite others: the enterprise's own link, else the
 * deployment's, with the enterprise's id and referral code filled in. Pages lead to UPGRADE_PAGE if there is neither.
 */
import type { Settings } from "../ledger/books.ts";
import { link } from "./fields.ts";

/** The links of a deployment, with `{enterprise}` and `{referral_code}` where the enterprise's are filled in. */
export type DeploymentLinks = { upgradeUrl: string | null; referralUrl: string | null };

/** The links that an enterprise has for the actions of its alerts; an action whose link is null is not offered. */
export type AlertLinks = DeploymentLinks;

export const NO_LINKS: DeploymentLinks = { upgradeUrl: null, referralUrl: null };

/** The page that says whom to ask for more credits. */
export const UPGRADE_PAGE = "/settings/upgrade";

/** Reads the deployment's links from its variables. A variable that is missing or empty is no link. */
export function deploymentLinks(env: object): DeploymentLinks {
  const { UPGRADE_URL, REFERRAL_URL } = env as Record<string, unknown>;
  const textOf = (value: unknown) => (typeof value === "string" && value !== "" ? value : null);
  return { upgradeUrl: textOf(UPGRADE_URL), referralUrl: textOf(REFERRAL_URL) };
}

export function linksOf(
  { upgradeUrl, referralUrl, referralCode }: Pick<Settings, "upgradeUrl" | "referralUrl" | "referralCode">,
  enterprise: string,
  deployment: DeploymentLinks,
): AlertLinks {
  const fill = (template: string | null) => fillIn(template, { enterprise, referral_code: referralCode ?? null });
  return {
    upgradeUrl: upgradeUrl ?? fill(deployment.upgradeUrl),
    referralUrl: referralUrl ?? fill(deployment.referralUrl),
  };
}

/** Returns null if a value is missing, or if the result is not an http or https URL. */
function fillIn(template: string | null, values: Record<string, string | null>): string | null {
  if (template === null) return null;
  let complete = true;
  const url = template.replaceAll(/\{(enterprise|referral_code)\}/g, (_, name: string) => {
    complete &&= values[name] != null;
    return encodeURIComponent(values[name] ?? "");
  });
  return complete && link.safeParse(url).success ? url : null;
}
