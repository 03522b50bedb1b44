/**
 * Defines <usage-bar enterprise base theme="light | dark" size="full | compact">, which shows an enterprise's live
 * usage on any page. The host page sets the property `getToken` to a function that resolves to a fresh embed token.
 * This script has no dependencies and may have at most 6 KB after Brotli compression. docs/embed.md describes the
 * element for hosts.
 * Events: usage-change (detail: the gauge), usage-threshold ({threshold, gauge}), usage-action ({action, url}).
 */
import { UsageBar } from "./usage-bar/element.ts";
import { followPage } from "./usage-bar/feeds.ts";

// A page may load this script twice, but an element can be defined only once.
if (!customElements.get("usage-bar")) {
  followPage();
  customElements.define("usage-bar", UsageBar);
}
