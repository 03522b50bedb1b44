/**
 * Shows a problem as a page that says what to do next. A client that does not accept HTML gets the same problem as
 * JSON. The page shows the code so that people can quote it.
 */
import type { Context } from "hono";
import { noteBusy } from "../../operations/busy-counter.ts";
import type { ProblemCode } from "../../wire/problem-catalogue.ts";
import { problemHeaders, problemOf, sendProblem } from "../../wire/problems.ts";
import { isCopyError, isTransient } from "../../wire/transient.ts";
import { page } from "./layout.tsx";

/** `text` replaces the text of the problem. */
type Link = { label: string; url: string; text?: string };

const HOME = { label: "Go to the start page", url: "/" };
const USAGE = { label: "Go to the usage page", url: "/settings/usage" };
const MODEL = { label: "Go to the model settings", url: "/settings/model" };

/** The link of each page, and its text if the catalogue's text is written for programs. */
const PAGES = {
  key_invalid: { link: HOME, text: "It is not the operator key of this deployment." },
  csrf_failed: { link: HOME },
  scope_denied: {
    link: MODEL,
    text: "Only an admin can change this. You are signed in as a member, so you can only view these settings.",
  },
  not_byom: {
    link: MODEL,
    text: "Only an enterprise that brings its own model has a spend cap. This one uses credits.",
  },
  link_invalid: { link: HOME },
  link_used: { link: HOME },
  not_found: { link: USAGE },
  body_too_large: { link: HOME, text: "A form with its file may have at most 1 MB. Go back and send less at once." },
  rate_limited: { link: HOME, text: "Wait a few seconds, then try again." },
  ledger_busy: {
    link: USAGE,
    text: "Your numbers are safe, but they cannot be read right now. Try again in a few seconds.",
  },
  copy_unavailable: {
    link: USAGE,
    text: "Your numbers are safe, but their history cannot be read right now. Try again in a few seconds.",
  },
  internal: { link: USAGE, text: "The error was logged. Your balance has not changed." },
} as const satisfies { [code in ProblemCode]?: { link: Link; text?: string } };

export type PageProblem = keyof typeof PAGES;

/** @param link replaces the default link */
export async function problemPage(c: Context, code: PageProblem, link?: Link): Promise<Response> {
  const problem = problemOf(code);
  if (!wantsHtml(c)) return sendProblem(c, problem);
  const { link: defaultLink, text = problem.detail }: { link: Link; text?: string } = PAGES[code];
  const { label, url, text: ownText }: Link = link ?? defaultLink;
  const children = (
    <section class="card lone">
      <h1>{problem.title}</h1>
      <p>{ownText ?? text}</p>
      <p>
        <a class="button" href={url}>
          {label}
        </a>
      </p>
      <p class="muted">
        Code <code>{code}</code>
      </p>
    </section>
  );
  return c.html(page({ title: problem.title, children }), problem.status, problemHeaders(problem));
}

/** Answers an error thrown by a page: 503 for a transient failure; 500 for a bug, which is also logged. */
export function answerPageError(
  error: Error,
  c: Context,
  answer: (c: Context, code: PageProblem) => Promise<Response> = problemPage,
): Promise<Response> {
  if (isTransient(error) && isCopyError(error)) return answer(c, "copy_unavailable");
  if (isTransient(error)) {
    noteBusy(c, error, { path: c.req.routePath });
    return answer(c, "ledger_busy");
  }
  console.error(JSON.stringify({ event: "page_failed", path: c.req.routePath, error: String(error.stack ?? error) }));
  return answer(c, "internal");
}

export function wantsHtml(c: Context): boolean {
  return c.req.header("Accept")?.includes("text/html") === true;
}
