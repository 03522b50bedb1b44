/** The element <usage-bar>. Shows the state of its feed in a shadow root, and notifies the host page with events. */
import type { GaugeJson } from "../../wire/gauge.ts";
import { type Action, DEFAULT_LINKS, offeredActions } from "./actions.ts";
import stylesheet from "./bar.css";
import { type Bar, type Feed, feedOf, type GetToken } from "./feeds.ts";
import { amounts, headline, levelOf, ownBudget, percentOf, resets } from "./words.ts";

// A constructed stylesheet works under a content security policy that forbids inline styles.
const style = new CSSStyleSheet();
style.replaceSync(stylesheet);

export class UsageBar extends HTMLElement implements Bar {
  static observedAttributes = ["enterprise", "base"];
  #feed: Feed | null = null;
  #getToken: GetToken | null;
  #headline = make("span");
  #note = make("span");
  #fallback = make("slot");
  #label = make("span", { part: "label" }, this.#headline, this.#note, this.#fallback);
  #monthly = make("div", { part: "monthly" });
  #bonus = make("div", { part: "bonus" });
  #meter = make("div", { part: "meter", role: "meter", "aria-label": "Usage" }, this.#bonus, this.#monthly);
  #links = (Object.keys(DEFAULT_LINKS) as Action[]).map((action) => ({ action, link: this.#makeLink(action) }));
  #announcement = make("p", { role: "status" });
  #base = make("div", { part: "base" });

  constructor() {
    super();
    // If the host set `getToken` before this script ran, an own property hides the accessor below. Remove that
    // property, but keep its value.
    this.#getToken = Object.getOwnPropertyDescriptor(this, "getToken")?.value ?? null;
    Reflect.deleteProperty(this, "getToken");
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [style];
    const actions = make("div", { class: "actions" }, ...this.#links.map(({ link }) => link));
    this.#base.append(this.#label, actions, this.#meter, this.#announcement);
    root.append(this.#base);
  }

  get getToken(): GetToken | null {
    return this.#getToken;
  }

  set getToken(getToken: GetToken | null) {
    this.#getToken = getToken;
    this.#feed?.join(this);
  }

  connectedCallback(): void {
    const enterprise = this.getAttribute("enterprise");
    const feed = enterprise ? feedOf(this.getAttribute("base"), enterprise) : null;
    if (feed !== this.#feed) this.disconnectedCallback();
    this.#feed = feed;
    this.render();
    feed?.join(this);
  }

  disconnectedCallback(): void {
    this.#feed?.leave(this);
    this.#feed = null;
  }

  attributeChangedCallback(): void {
    if (this.isConnected) this.connectedCallback();
  }

  report(gauge: GaugeJson, passed: number[]): void {
    this.#dispatch("usage-change", gauge);
    for (const threshold of passed) this.#dispatch("usage-threshold", { threshold, gauge });
  }

  announce(gauge: GaugeJson, passed: number[]): void {
    this.#announcement.textContent = `${passed.at(-1)} % used: ${headline(gauge)}`;
  }

  render(): void {
    const gauge = this.#feed?.gauge ?? null;
    this.#fallback.hidden = gauge !== null;
    if (this.#feed === null || gauge === null) {
      const text = this.#feed?.isLost ? "Usage not available yet" : "Loading usage …";
      this.#meter.ariaValueNow = "0";
      this.#meter.ariaValueText = this.#headline.textContent = text;
      return;
    }
    const note = this.#noteOf(this.#feed, gauge);
    this.#renderLabel(this.#feed, gauge, note);
    this.#renderMeter(gauge, note || resets(gauge));
    this.#renderLinks(this.#feed, gauge);
  }

  #noteOf({ isLost, freshAtMs }: Feed, gauge: GaugeJson): string {
    if (isLost) return `not live, as of ${new Date(freshAtMs).toTimeString().slice(0, 5)}`;
    return gauge.suspended || gauge.remaining_micros === 0 ? "" : ownBudget(gauge) || resets(gauge);
  }

  #renderLabel({ isLost }: Feed, gauge: GaugeJson, note: string): void {
    this.#headline.textContent = headline(gauge);
    this.#note.textContent = note && ` · ${note}`;
    this.#note.className = isLost ? "note lost" : "note";
    this.#label.title = this.#label.textContent ?? "";
    const level = levelOf(gauge);
    if (level === null) delete this.#base.dataset.level;
    else this.#base.dataset.level = level;
  }

  #renderMeter(gauge: GaugeJson, note: string): void {
    const { monthly, bonus, used_micros, total_micros } = gauge;
    const percent = percentOf(gauge);
    this.#meter.style.visibility = percent === null ? "hidden" : "";
    const shown = percent ?? 0;
    const share = shown > 0 && shown < 1 ? "less than 1" : Math.floor(shown);
    this.#meter.ariaValueNow = String(Math.min(100, shown));
    this.#meter.ariaValueText = [`${amounts(gauge)} used`, `${share} %`, note].filter(Boolean).join(", ");
    const fill = (segment: HTMLElement, micros: number) => {
      const width = Math.min(100, (micros * 100) / (total_micros ?? 0));
      segment.style.inlineSize = micros === 0 ? "0" : `max(2px, ${width}%)`;
    };
    // The bonus segment also starts at zero and lies behind the monthly one, so it does not move when that one grows.
    fill(this.#monthly, monthly ? monthly.used_micros : used_micros);
    fill(this.#bonus, bonus?.used_micros ? used_micros : 0);
  }

  #renderLinks({ isAdmin, links, base }: Feed, gauge: GaugeJson): void {
    const offered = offeredActions(gauge, isAdmin);
    for (const { action, link } of this.#links) {
      const { label, url } = links[action] ?? DEFAULT_LINKS[action];
      link.textContent = label;
      // A link without `href` is invisible but keeps its place.
      if (offered[action]) link.href = new URL(url, base).href;
      else link.removeAttribute("href");
    }
  }

  #makeLink(action: Action): HTMLAnchorElement {
    const link = make("a", { part: action, target: "_blank", rel: "noopener" }, DEFAULT_LINKS[action].label);
    link.onclick = () => this.#dispatch("usage-action", { action, url: link.href }, true);
    return link;
  }

  /** Dispatches an event to the host page. Returns false if the host cancelled it. */
  #dispatch(type: string, detail: unknown, cancelable = false): boolean {
    return this.dispatchEvent(new CustomEvent(type, { detail, cancelable, bubbles: true, composed: true }));
  }
}

function make<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Record<string, string> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}
