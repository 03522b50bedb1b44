/**
 * <usage-bar enterprise base theme="light | dark" size="full | compact">: an enterprise's usage, live, on any page.
 * The host sets the property `getToken`, a function that resolves to a fresh embed token. The script has no dependency
 * and may be at most 6 KB after Brotli. docs/embed.md describes it for hosts.
 * Events: usage-change (detail: the gauge), usage-threshold ({threshold, gauge}), usage-action ({action, url}).
 */
import { UsageBar } from "./usage-bar/element.ts";
import { followPage } from "./usage-bar/feeds.ts";

// A page may load the script twice.
if (!customElements.get("usage-bar")) {
  followPage();
  customElements.define("usage-bar", UsageBar);
}
