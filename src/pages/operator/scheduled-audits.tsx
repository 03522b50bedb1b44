/**
 * What the scheduled reconciliation found: on the list those enterprises that are not as they should be, on an
 * enterprise's audit how its last one ended. Nothing mends itself: that is for the operator to look into.
 */
import type { FC } from "hono/jsx";
import type { AuditNote, AuditState, AuditSummary } from "../../catalog/object.ts";
import { tabHref } from "./enterprise-page.tsx";
import { Utc } from "./frame.tsx";

const WORDS: Record<AuditState, string> = {
  ok: "all is right",
  drift: "something is wrong",
  too_large: "too large for the schedule",
  failed: "the audit came to no end",
};

export const WrongAudits: FC<{ wrong: AuditSummary["wrong"] }> = ({ wrong }) =>
  wrong.length === 0 ? null : (
    <section class="card" aria-labelledby="wrong-title">
      <h2 id="wrong-title">Scheduled audits that need you</h2>
      <ul>
        {wrong.map(({ enterprise, state, checkedAtMs, detail }) => (
          <li>
            <a href={tabHref(enterprise, "audit")}>{enterprise}</a>: {WORDS[state]}, <Utc atMs={checkedAtMs} /> UTC
            <small class="muted name"> {detail}</small>
          </li>
        ))}
      </ul>
    </section>
  );

export const LastAudit: FC<{ note: AuditNote | null }> = ({ note }) => (
  <p class="muted">
    {note === null ? (
      "No scheduled audit has come by yet."
    ) : (
      <>
        Last scheduled audit: {WORDS[note.state]}, <Utc atMs={note.checkedAtMs} /> UTC.{" "}
        <span class="name">{note.detail}</span>
      </>
    )}
  </p>
);
