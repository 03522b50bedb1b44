/** The journal of an enterprise: everything but debits, newest first, from the ledger itself. */
import { Hono } from "hono";
import type { FC } from "hono/jsx";
import type { Entry } from "../../ledger/entries.ts";
import { MAX_MICROS } from "../../ledger/micros.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { Name } from "../kit/parts.tsx";
import { enterprisePage, tabHref } from "./enterprise-page.tsx";
import { wordsOf } from "./entry-text.ts";
import { type Column, Older, Row, Table, Utc } from "./frame.tsx";
import { OPERATOR, type OperatorEnv, operatorProblem } from "./session.tsx";

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
  const before = Number(c.req.query("before") ?? MAX_MICROS);
  const entries = await enterpriseStub(c.env, c.var.state.identity.id).entries(
    OPERATOR,
    Number.isSafeInteger(before) ? before : MAX_MICROS,
    PAGE_ROWS,
  );
  if (isRefusal(entries)) return operatorProblem(c, "not_found");
  const rows = entries.slice(0, PAGE_ROWS);
  const last = rows.at(-1);
  return enterprisePage(
    c,
    "journal",
    <section class="card table" aria-labelledby="journal-title">
      <h2 id="journal-title">Journal</h2>
      <Entries entries={rows} />
      <Older
        path={tabHref(c.var.state.identity.id, "journal")}
        before={entries.length > PAGE_ROWS && last !== undefined ? String(last.seq) : null}
        later={c.req.query("before") !== undefined}
      />
    </section>,
  );
});

export const Entries: FC<{ entries: readonly Entry[] }> = ({ entries }) => (
  <Table id="rows-entries" caption="Newest first" columns={COLUMNS} empty="Nothing older.">
    {entries.map(({ seq, atMs, by, facts }) => {
      const { what, detail } = wordsOf(facts);
      const cells = [what, <Name>{detail}</Name>, <Name>{by}</Name>, <Utc atMs={atMs} />, seq];
      return <Row columns={COLUMNS} cells={cells} />;
    })}
  </Table>
);
