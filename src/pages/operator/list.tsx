/**
 * /operator: every enterprise, newest first or found by id and name, read from the copy, which reads only the rows that it
 * shows. Without the copy an enterprise still opens by its id, because its page asks its object.
 */
import { Hono } from "hono";
import { catalogOf } from "../../catalog/object.ts";
import { filterEnterprises, LIST_STATES } from "../../copy/filter-enterprises.ts";
import {
  countPressing,
  type ListedEnterprise,
  readEnterprisesById,
  readNewestEnterprises,
  readPressingEnterprises,
  searchEnterprises,
} from "../../copy/read-enterprises.ts";
import { BILLING_MODELS } from "../../ledger/books.ts";
import { readPlans } from "../../operations/plans.ts";
import { readDirectories } from "../../operations/read-copy.ts";
import { isId } from "../../wire/fields.ts";
import { parseGauge } from "../../wire/gauge.ts";
import { cutPage, FROM_NEWEST } from "../../wire/paging.ts";
import { readBlock } from "../kit/read-block.ts";
import { isPartial } from "../kit/session.ts";
import { mayOpen } from "./access.ts";
import { openHref } from "./enterprise-page.tsx";
import { operatorPage } from "./frame.tsx";
import type { Counts, Listed } from "./list-filters.tsx";
import {
  Enterprises,
  EnterprisesPage,
  Heading,
  isAll,
  Missing,
  OpenForm,
  Pressing,
  WithoutCopy,
} from "./list-view.tsx";
import { WrongAudits } from "./scheduled-audits.tsx";
import type { OperatorContext, OperatorEnv } from "./session.tsx";
import { OPERATOR_PATH } from "./sign-in.tsx";

const LISTED = "GET /operator/enterprises/:e";
const AUDITED = "GET /operator/enterprises/:e/audit";
const PAGE_ROWS = 20;
const WRONG_SHOWN = 10;
const MAX_COUNTED = 1_000;
/** How many of the newest enterprises are looked up in the lists. */
const MAX_CHECKED = 100;
const UNFILTERED = { search: "", attention: false, plan: "", state: null, billing: null, byId: false };
const MAX_SEARCH_LENGTH = 100;

export const enterpriseList = new Hono<OperatorEnv>()
  .get(OPERATOR_PATH, async (c) => {
    if (!mayOpen(c.var.caller, LISTED)) return homePage(c);
    const search = (c.req.query("q") ?? "").trim().slice(0, MAX_SEARCH_LENGTH);
    const attention = search === "" && c.req.query("show") === "attention";
    const plan = search === "" && !attention ? (c.req.query("plan") ?? "").slice(0, MAX_SEARCH_LENGTH) : "";
    const state = LIST_STATES.find((known) => known === c.req.query("state")) ?? null;
    const billing = BILLING_MODELS.find((known) => known === c.req.query("billing")) ?? null;
    const filtered = search === "" && !attention && (state !== null || billing !== null);
    const sorted = search === "" && !attention && c.req.query("sort") === "id";
    const byId = sorted || (plan !== "" && !filtered);
    const after = c.req.query("after") ?? "";
    const listed = await readBlock("enterprises", () =>
      attention
        ? readAttentionPage(readDirectories(c.env), after)
        : filtered
          ? readFilteredPage(readDirectories(c.env), { state, billing, plan, byId }, after)
          : byId
            ? readByIdPage(c.env, plan, after)
            : readPage(readDirectories(c.env), search, after),
    );
    if (listed !== null && isPartial(c)) return c.html(<EnterprisesPage {...listed} />);
    const isStart = listed !== null && isAll(listed) && !listed.later;
    const [pressing, wrong, missing, counts, { plans }] = await Promise.all([
      isStart ? readBlock("pressing enterprises", () => readAttentionPage(readDirectories(c.env), "")) : null,
      mayOpen(c.var.caller, AUDITED) ? readBlock("audits", () => catalogOf(c.env).wrongAudits(WRONG_SHOWN)) : null,
      listed === null ? null : readBlock("missing enterprises", () => countMissing(c)),
      listed === null ? null : readBlock("counts", () => readCounts(c.env)),
      readPlans(c.env),
    ]);
    const children = (
      <>
        <Heading mayCreate={mayOpen(c.var.caller, "GET /operator/new")} />
        <WrongAudits wrong={wrong ?? []} />
        {missing !== null && missing > 0 && <Missing count={missing} />}
        {pressing !== null && pressing.rows.length > 0 && <Pressing listed={pressing} />}
        {listed === null ? (
          <WithoutCopy search={search} ids={await newestIds(c)} />
        ) : (
          <Enterprises listed={listed} counts={counts} plans={plans} />
        )}
      </>
    );
    return c.html(operatorPage(c, { title: "Enterprises", tab: "enterprises", children }));
  })
  .get(`${OPERATOR_PATH}/open`, (c) => {
    const id = (c.req.query("id") ?? "").trim();
    return c.redirect(isId(id) ? openHref(c.var.caller, id) : OPERATOR_PATH, 303);
  });

/** The page of a session that may not list enterprises: it opens one by its id, and says what the session may do. */
function homePage(c: OperatorContext) {
  const scopes = c.var.caller.key?.scopes ?? [];
  const children = (
    <>
      <Heading mayCreate={false} />
      <section class="card" aria-labelledby="open-title">
        <h2 id="open-title">Open an enterprise</h2>
        <OpenForm id="" />
        <p class="muted">
          You are signed in with an operator key that has {scopes.length === 1 ? "the scope" : "the scopes"}{" "}
          {scopes.join(", ")}. It cannot list enterprises.
        </p>
      </section>
    </>
  );
  return c.html(operatorPage(c, { title: "Enterprises", tab: "enterprises", children }));
}

/** @param after the position of the last row shown, as `Listed.next` encoded it; anything else starts at the first row */
async function readPage(db: readonly D1Database[], search: string, after: string): Promise<Listed> {
  const [, key, id] = /^([^~]*)~(.+)$/.exec(after) ?? [];
  const position = key !== undefined && id !== undefined && isId(id) ? { key, id } : null;
  if (search !== "") {
    const found = await searchEnterprises(db, search, PAGE_ROWS, position);
    const list = { ...UNFILTERED, search, later: position !== null };
    return listedOf(found, list, (row) => `${row.key}~${row.id}`);
  }
  const isTime = position !== null && /^\d{1,16}$/.test(position.key);
  const newest = isTime ? { createdAtMs: Number(position.key), id: position.id } : null;
  const rows = await readNewestEnterprises(db, PAGE_ROWS, newest);
  return listedOf(rows, { ...UNFILTERED, search, later: newest !== null }, (row) => `${row.createdAtMs}~${row.id}`);
}

/** The same for the enterprises that need attention. */
async function readAttentionPage(db: readonly D1Database[], after: string): Promise<Listed> {
  const [, attention, createdAtMs, id] = /^(\d)~(\d{1,16})~(.+)$/.exec(after) ?? [];
  const position =
    id !== undefined && isId(id) ? { attention: Number(attention), createdAtMs: Number(createdAtMs), id } : null;
  const rows = await readPressingEnterprises(db, PAGE_ROWS, position);
  const list = { ...UNFILTERED, attention: true, later: position !== null };
  return listedOf(rows, list, (row) => `${row.attention}~${row.createdAtMs}~${row.id}`);
}

/** The same for all enterprises by id, or for those with a plan. The catalog knows them, and the copy their numbers. */
async function readByIdPage(env: Env, plan: string, after: string): Promise<Listed> {
  const from = isId(after) ? after : "";
  const ids = await catalogOf(env).enterprisesById(plan === "" ? null : plan, from, PAGE_ROWS + 1);
  const { rows: shown, last } = cutPage(ids, PAGE_ROWS);
  const rows = await readEnterprisesById(readDirectories(env), shown);
  const list = { ...UNFILTERED, plan, byId: true, later: from !== "" };
  return { ...listedOf(rows, list, ({ id }) => id), next: last };
}

/** The same for those with a state or a billing model, and a plan if one was chosen. */
async function readFilteredPage(
  db: readonly D1Database[],
  { state, billing, plan, byId }: Pick<Listed, "state" | "billing" | "plan" | "byId">,
  after: string,
): Promise<Listed> {
  const [, createdAtMs, id] = /^(\d{1,16})~(.+)$/.exec(after) ?? [];
  const place = id !== undefined && isId(id) ? { createdAtMs: Number(createdAtMs), id } : null;
  const filter = { state, billing, plan: plan === "" ? null : plan };
  const { rows, next } = await filterEnterprises(db, filter, { byId, after: place, limit: PAGE_ROWS });
  const list = { ...UNFILTERED, state, billing, plan, byId, later: place !== null };
  return { ...listedOf(rows, list, () => ""), next: next === null ? null : `${next.createdAtMs}~${next.id}` };
}

async function readCounts(env: Env): Promise<Counts> {
  const [counts, pressing] = await Promise.all([
    catalogOf(env).countEnterprises(),
    countPressing(readDirectories(env), MAX_COUNTED + 1),
  ]);
  return { ...counts, pressing: pressing > MAX_COUNTED ? null : pressing };
}

function listedOf<R extends ListedEnterprise>(
  read: readonly R[],
  list: Omit<Listed, "rows" | "next">,
  encode: (row: R) => string,
): Listed {
  const { rows, last } = cutPage(read, PAGE_ROWS);
  const shown = rows.map((row) => ({ ...row, gauge: parseGauge(row.gauge) }));
  return { ...list, rows: shown, next: last === null ? null : encode(last) };
}

/** How many of the catalog's newest enterprises are missing from the lists: their rows were lost, or are not written yet. */
async function countMissing(c: OperatorContext): Promise<number> {
  const newest = (await catalogOf(c.env).enterprises(FROM_NEWEST, MAX_CHECKED)).map(({ id }) => id);
  return newest.length - (await readEnterprisesById(readDirectories(c.env), newest)).length;
}

/** The ids that the catalog lists, for when the copy cannot be read. */
async function newestIds(c: OperatorContext): Promise<string[]> {
  const listed = await readBlock("newest enterprises", () => catalogOf(c.env).enterprises(FROM_NEWEST, PAGE_ROWS));
  return (listed ?? []).map(({ id }) => id);
}
