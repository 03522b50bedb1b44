/** The live usage page: opens it, and reads its connection state and its headline. */
import type { Page } from "playwright-core";
import { expect } from "vitest";
import { type Enterprise, type Site, textOf } from "./site.ts";

/** "Live", or why the page is not live. */
export const pill = (page: Page) => textOf(page, "#pill");
export const headline = (page: Page) => textOf(page, ".headline");

/** Signs in and waits until the usage page is live. */
export async function openLivePage(site: Site, enterprise: Enterprise) {
  const signedIn = await site.signIn(enterprise);
  await expect.poll(() => pill(signedIn.page)).toBe("Live");
  return signedIn;
}
