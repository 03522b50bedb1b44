/**
 * Small components that several pages share: names, times, the message for a block that cannot be read, and the regions
 * and links with which htmx updates part of a page.
 */
import type { Child, FC } from "hono/jsx";
import { NO_GROUP } from "../../ledger/books.ts";
import type { AtMs } from "../../ledger/time.ts";
import { formatIso } from "../../wire/time.ts";
import { formatMoment } from "./dates.ts";

/** A name that a user chose, isolated so that right-to-left text cannot reorder the text around it. */
export const Name: FC<{ children?: Child }> = ({ children }) => <bdi class="name">{children}</bdi>;

/** The name that a page shows for an id. */
export function idName(of: string, id: string, name: string | null): string {
  return name ?? (of === "group" && id === NO_GROUP ? "No group" : id);
}

/** A time in the enterprise's time zone. The page's script adds the reader's local time as a tooltip. */
export const Moment: FC<{ atMs: AtMs; timeZone: string }> = ({ atMs, timeZone }) => (
  <time datetime={formatIso(atMs)}>{formatMoment(atMs, timeZone)}</time>
);

/**
 * A key, link or id that people copy: one click selects all of it, and with script a button copies it.
 * @param what names it for screen readers, for example "The key"
 */
export const Copyable: FC<{ id: string; what: string; block?: boolean; children?: Child }> = ({
  id,
  what,
  block,
  children,
}) => (
  <span class={block === true ? "copyable block" : "copyable"}>
    <code id={id} class="secret">
      {children}
    </code>
    <button class="button plain copy scripted" type="button" data-copy={id} aria-label={`Copy: ${what}`}>
      Copy
    </button>
  </span>
);

export const Unreadable: FC<{ what: string; retry: string }> = ({ what, retry }) => (
  <p class="unreadable">
    {what} cannot be read right now. The balance above is correct. <a href={retry}>Try again</a>
  </p>
);

/** Makes htmx update the element with this id. `outerMorph` keeps the focus and open details. */
export const Region: FC<{ id: string; swap?: "outerMorph" | "beforeend" | "innerHTML"; children?: Child }> = ({
  id,
  swap = "outerMorph",
  children,
}) => (
  <hx-partial hx-target={`#${id}`} hx-swap={swap}>
    {children}
  </hx-partial>
);

/**
 * A link that updates `part` of the page. Without JavaScript it loads the whole page. A second click ends the request of
 * the first, whichever link it was on: if both were shown, parts of the page could belong to different filters.
 */
export const PartLink: FC<{
  href: string;
  part: string;
  id?: string | undefined;
  class?: string | undefined;
  current?: boolean | undefined;
  push?: boolean;
  children?: Child;
}> = ({ href, part, id, class: className, current, push = true, children }) => (
  <a
    id={id}
    class={className}
    href={href}
    aria-current={current === true ? "true" : undefined}
    hx-get={href + (href.includes("?") ? "&" : "?") + new URLSearchParams({ part }).toString()}
    hx-push-url={push ? href : undefined}
    hx-sync="body:replace"
    {...{ "hx-status:5xx": "swap:none" }}
  >
    {children}
  </a>
);
