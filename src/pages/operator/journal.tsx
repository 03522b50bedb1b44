/** The journal of an enterprise: everything but debits, newest first, from the ledger. */
import { Hono } from "hono";
import type { FC } from "hono/jsx";
import type { Entry } from "../../ledger/entries.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { isEntry, parseEntry } from "../../wire/entry.ts";
import { cutPage } from "../../wire/paging.ts";
import { Name } from "../kit/parts.tsx";
import { enterprisePage, tabHref } from "./enterprise-page.tsx";
import { textOf } from "./entry-text.ts";
import { beforeOf, type Column, Older, Row, Table, Utc } from "./frame.tsx";
import { type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/enterprises/:e/journal";
const PAGE_ROWS = 25;
const COLUMNS: readonly Column[] = [
  { title: "What" },
  { title: "Detail" },
  { title: "By" },
  { title: "When (UTC)" },
  { title: "Seq", num: true },
];

export const enterpriseJournal = new Hono<OperatorEnv>().get(PATH, async (c) => {
  const { id } = c.var.state.identity;
  const entries = await enterpriseStub(c.env, c.var.address).entries(c.var.caller, beforeOf(c), PAGE_ROWS);
  if (isRefusal(entries)) return operatorProblem(c, "not_found");
  const { rows, last } = cutPage(entries.filter(isEntry), PAGE_ROWS);
  return enterprisePage(
    c,
    "journal",
    <section class="card table" aria-labelledby="journal-title">
      <h2 id="journal-title">Journal</h2>
      <Entries entries={rows.map(parseEntry)} />
      <Older
        path={tabHref(id, "journal")}
        before={last === null ? null : String(last.seq)}
        later={c.req.query("before") !== undefined}
      />
    </section>,
  );
});

export const Entries: FC<{ entries: readonly Entry[] }> = ({ entries }) => (
  <Table id="rows-entries" caption="Newest first" columns={COLUMNS} empty="There are no older entries.">
    {entries.map(({ seq, atMs, by, facts }) => {
      const { what, detail } = textOf(facts);
      const cells = [what, <Name>{detail}</Name>, <Name>{by}</Name>, <Utc atMs={atMs} />, seq];
      return <Row columns={COLUMNS} cells={cells} />;
    })}
  </Table>
);
