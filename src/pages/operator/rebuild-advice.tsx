/** When to rebuild the copy of an enterprise, and the link that asks for it: on the pages of its audit and of its data. */
import type { FC } from "hono/jsx";
import { enterpriseHref } from "./session.tsx";

/** The check of an audit that compares the copy with the ledger. */
export const COPY_CHECK = "copy_equals_ledger";

/** @param shard the database that has the copy, if the page names it */
export const RebuildAdvice: FC<{ id: string; shard?: string | null }> = ({ id, shard = null }) => (
  <>
    <p>
      Charts, tables and lists are read from a copy in {shard === null ? "D1" : `the database ${shard}`}. If the check{" "}
      <code>{COPY_CHECK}</code> of an audit fails, rebuild the copy: it is written again from the ledger, and what the
      ledger does not have is deleted.
    </p>
    <p class="buttons">
      <a class="button plain" href={enterpriseHref(id, "rebuild")}>
        Rebuild the copy
      </a>
    </p>
  </>
);
