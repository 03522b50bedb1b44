/**
 * Small pieces that several pages are made of: a name from outside, kept from turning the text around it; a block that
 * could not be read; the wrapping of a region that htmx puts in place of the one on the page.
 */
import type { Child, FC } from "hono/jsx";
import type { AtMs } from "../../ledger/time.ts";
import { formatIso } from "../../wire/time.ts";
import { formatMoment } from "./dates.ts";

/** A name that people gave: isolated, so that its writing direction stays its own. */
export const Name: FC<{ children?: Child }> = ({ children }) => <bdi class="name">{children}</bdi>;

/** A moment in the enterprise's time zone; with script, resting on it tells it in the reader's own. */
export const Moment: FC<{ atMs: AtMs; timeZone: string }> = ({ atMs, timeZone }) => (
  <time datetime={formatIso(atMs)}>{formatMoment(atMs, timeZone)}</time>
);

export const Unreadable: FC<{ what: string; retry: string }> = ({ what, retry }) => (
  <p class="unreadable">
    {what} cannot be read at this moment. The balance above is right. <a href={retry}>Try again</a>
  </p>
);

/** A region for htmx to put in place of the element of this id (`outerMorph` keeps focus and what is open). */
export const Region: FC<{ id: string; swap?: "outerMorph" | "beforeend" | "innerHTML"; children?: Child }> = ({
  id,
  swap = "outerMorph",
  children,
}) => (
  <hx-partial hx-target={`#${id}`} hx-swap={swap}>
    {children}
  </hx-partial>
);

/** A link that changes one thing of the page: whole without script, in place with it. */
export const InPlace: FC<{
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
    hx-sync="this:drop"
    {...{ "hx-status:5xx": "swap:none" }}
  >
    {children}
  </a>
);
