/**
 * What went wrong, as a page with a way on. Who does not ask for HTML (a script, a test) gets the same as
 * problem+json. The code is always there, so that a person can quote it.
 */
import type { Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { RETRY_AFTER_SECONDS } from "../../access/limits.ts";
import { page } from "./layout.tsx";

type Wording = { status: ContentfulStatusCode; title: string; detail: string; way: { label: string; url: string } };

const HOME = { label: "To the start page", url: "/" };
const USAGE = { label: "To the usage page", url: "/settings/usage" };
const MODEL = { label: "To the model settings", url: "/settings/model" };

const WORDINGS = {
  key_invalid: {
    status: 401,
    title: "This key is not known",
    detail: "It is not the operator key of this deployment.",
    way: HOME,
  },
  csrf_failed: {
    status: 403,
    title: "This form came from elsewhere",
    detail: "It was not sent from a page of this site, so nothing was changed.",
    way: HOME,
  },
  scope_denied: {
    status: 403,
    title: "Only an admin can change this",
    detail: "You are signed in as a member: you can see the settings of the model, not change them.",
    way: MODEL,
  },
  not_byom: {
    status: 409,
    title: "There is no spend cap here",
    detail: "Only an enterprise that brings its own model has a spend cap. This one uses credits.",
    way: MODEL,
  },
  link_invalid: {
    status: 410,
    title: "This sign-in link no longer works",
    detail: "A link is good for five minutes. Ask for a new one where you got this one.",
    way: HOME,
  },
  link_used: {
    status: 410,
    title: "This sign-in link was used before",
    detail: "A link is good once. Ask for a new one where you got this one.",
    way: HOME,
  },
  not_found: {
    status: 404,
    title: "There is nothing here",
    detail: "The address may be misspelt, or what it names may belong to someone else.",
    way: USAGE,
  },
  rate_limited: {
    status: 429,
    title: "Too many requests",
    detail: "Wait a few seconds, then try again.",
    way: HOME,
  },
  ledger_busy: {
    status: 503,
    title: "The ledger is busy",
    detail: "Your numbers are safe; they cannot be read at this moment. Try again shortly.",
    way: USAGE,
  },
  internal: {
    status: 500,
    title: "Something went wrong here",
    detail: "It is noted. Nothing of your balance has changed by it.",
    way: USAGE,
  },
} as const satisfies Record<string, Wording>;

export type PageProblem = keyof typeof WORDINGS;

const RETRY_AFTER: { [code in PageProblem]?: number } = { rate_limited: RETRY_AFTER_SECONDS, ledger_busy: 1 };

/** @param way where the page leads on, where that is not the usual */
export async function problemPage(c: Context, code: PageProblem, way?: Wording["way"]): Promise<Response> {
  const { status, title, detail, way: usualWay }: Wording = WORDINGS[code];
  const seconds = RETRY_AFTER[code];
  if (seconds !== undefined) c.header("Retry-After", String(seconds));
  if (status === 401) c.header("WWW-Authenticate", "Bearer");
  if (!wantsHtml(c)) {
    const problem = { type: `urn:fuelgauge:problem:${code}`, title, status, detail, code };
    return c.body(JSON.stringify(problem), status, { "Content-Type": "application/problem+json" });
  }
  return c.html(
    page({
      title,
      children: (
        <section class="card lone">
          <h1>{title}</h1>
          <p>{detail}</p>
          <p>
            <a class="button" href={(way ?? usualWay).url}>
              {(way ?? usualWay).label}
            </a>
          </p>
          <p class="muted">
            Code <code>{code}</code>
          </p>
        </section>
      ),
    }),
    status,
  );
}

export function wantsHtml(c: Context): boolean {
  return c.req.header("Accept")?.includes("text/html") === true;
}
