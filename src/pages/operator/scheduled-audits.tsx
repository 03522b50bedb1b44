/**
 * The results of the scheduled audits: on the list, the enterprises whose last audit failed; on an enterprise's audit page,
 * its last result. Nothing is corrected automatically, because a difference needs a person.
 */
import type { FC } from "hono/jsx";
import type { AuditNote, AuditState, AuditSummary } from "../../catalog/audit-records.ts";
import { tabHref } from "./enterprise-page.tsx";
import { Utc } from "./frame.tsx";

const RESULTS: Record<AuditState, string> = {
  ok: "passed",
  drift: "found a difference",
  unreadable: "could not read the copy",
  too_large: "too large for the schedule",
  failed: "the audit did not finish",
};

export const WrongAudits: FC<{ wrong: AuditSummary["wrong"] }> = ({ wrong }) =>
  wrong.length === 0 ? null : (
    <section class="card" aria-labelledby="wrong-title">
      <h2 id="wrong-title">Scheduled audits that need attention</h2>
      <ul>
        {wrong.map(({ enterprise, state, checkedAtMs, detail }) => (
          <li>
            <a href={tabHref(enterprise, "audit")}>{enterprise}</a>: {RESULTS[state]}, <Utc atMs={checkedAtMs} /> UTC
            <small class="muted name"> {detail}</small>
          </li>
        ))}
      </ul>
    </section>
  );

export const LastAudit: FC<{ note: AuditNote | null }> = ({ note }) => (
  <p class="muted">
    {note === null ? (
      "There has been no scheduled audit yet."
    ) : (
      <>
        Last scheduled audit: {RESULTS[note.state]}, <Utc atMs={note.checkedAtMs} /> UTC.{" "}
        <span class="name">{note.detail}</span>
      </>
    )}
  </p>
);
