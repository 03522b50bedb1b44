/**
 * /operator: every enterprise, newest first or found by id and name, as the copy has them; a page of them reads a page
 * of rows. Without the copy any enterprise still opens by its id, because its own page asks its object.
 */
import { Hono } from "hono";
import { catalogOf } from "../../catalog/object.ts";
import {
  type ListedEnterprise,
  readNewestEnterprises,
  readPressingEnterprises,
  searchEnterprises,
} from "../../copy/read-enterprises.ts";
import { MAX_MICROS } from "../../ledger/micros.ts";
import { isId } from "../../wire/fields.ts";
import { parseGauge } from "../../wire/gauge.ts";
import { readBlock } from "../kit/read-block.ts";
import { isPartial } from "../kit/session.ts";
import { operatorPage } from "./frame.tsx";
import { Enterprises, EnterprisesPage, Heading, type Listed, WithoutCopy } from "./list-view.tsx";
import { WrongAudits } from "./scheduled-audits.tsx";
import { enterpriseHref, type OperatorContext, type OperatorEnv } from "./session.tsx";
import { OPERATOR_PATH } from "./sign-in.tsx";

const PAGE_ROWS = 20;
const WRONG_SHOWN = 10;
const LONGEST_SEARCH = 100;

export const enterpriseList = new Hono<OperatorEnv>()
  .get(OPERATOR_PATH, async (c) => {
    const search = (c.req.query("q") ?? "").trim().slice(0, LONGEST_SEARCH);
    const pressing = search === "" && c.req.query("show") === "attention";
    const after = c.req.query("after") ?? "";
    const listed = await readBlock("enterprises", () =>
      pressing ? readPressing(c.env.DB, after) : readPage(c.env.DB, search, after),
    );
    if (listed !== null && isPartial(c)) return c.html(<EnterprisesPage {...listed} />);
    const wrong = await readBlock("audits", () => catalogOf(c.env).wrongAudits(WRONG_SHOWN));
    const children = (
      <>
        <Heading />
        <WrongAudits wrong={wrong ?? []} />
        {listed === null ? <WithoutCopy search={search} ids={await newestIds(c)} /> : <Enterprises {...listed} />}
      </>
    );
    return c.html(operatorPage({ title: "Enterprises", tab: "enterprises", children }));
  })
  .get(`${OPERATOR_PATH}/open`, (c) => {
    const id = (c.req.query("id") ?? "").trim();
    return c.redirect(isId(id) ? enterpriseHref(id) : OPERATOR_PATH, 303);
  });

/** @param after where the page goes on, as `Listed.next` gave it; what is none of these begins anew */
async function readPage(db: D1Database, search: string, after: string): Promise<Listed> {
  const [, place, id] = /^([^~]*)~(.+)$/.exec(after) ?? [];
  const at = place !== undefined && id !== undefined && isId(id) ? { place, id } : null;
  if (search !== "") {
    const rows = await searchEnterprises(db, search, PAGE_ROWS, at && { key: at.place, id: at.id });
    return pageOf(rows, { search, pressing: false, later: at !== null }, ({ key, id }) => `${key}~${id}`);
  }
  const newest = at !== null && /^\d{1,16}$/.test(at.place) ? { createdAtMs: Number(at.place), id: at.id } : null;
  const rows = await readNewestEnterprises(db, PAGE_ROWS, newest);
  const shown = { search, pressing: false, later: newest !== null };
  return pageOf(rows, shown, ({ createdAtMs, id }) => `${createdAtMs}~${id}`);
}

/** The same of those only that ask for attention. */
async function readPressing(db: D1Database, after: string): Promise<Listed> {
  const [, attention, createdAtMs, id] = /^(\d)~(\d{1,16})~(.+)$/.exec(after) ?? [];
  const at =
    id !== undefined && isId(id) ? { attention: Number(attention), createdAtMs: Number(createdAtMs), id } : null;
  const rows = await readPressingEnterprises(db, PAGE_ROWS, at);
  const shown = { search: "", pressing: true, later: at !== null };
  return pageOf(rows, shown, (row) => `${row.attention}~${row.createdAtMs}~${row.id}`);
}

function pageOf<R extends ListedEnterprise>(
  rows: readonly R[],
  list: Pick<Listed, "search" | "pressing" | "later">,
  placeOf: (row: R) => string,
): Listed {
  const shown = rows.slice(0, PAGE_ROWS);
  const last = shown.at(-1);
  const parsed = shown.map((row) => ({ ...row, gauge: parseGauge(row.gauge) }));
  return { ...list, rows: parsed, next: rows.length > PAGE_ROWS && last !== undefined ? placeOf(last) : null };
}

/** The catalog has the ids of all, for when the copy is away. */
async function newestIds(c: OperatorContext): Promise<string[]> {
  const listed = await readBlock("newest enterprises", () => catalogOf(c.env).enterprises(MAX_MICROS, PAGE_ROWS));
  return (listed ?? []).map(({ id }) => id);
}
