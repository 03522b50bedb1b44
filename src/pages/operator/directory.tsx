/**
 * The directory of an enterprise: the names of its users, groups and workspaces, and the group of each workspace. Many are
 * set at once, one in each line; who is not listed keeps the name.
 */
import { Hono } from "hono";
import { type DirectoryName, readNamePage } from "../../copy/read.ts";
import { DIMENSIONS, type Dimension } from "../../ledger/dimensions.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { readCopy } from "../../operations/read-copy.ts";
import { directorySchema, parseDirectory } from "../../wire/directory.ts";
import { isId } from "../../wire/fields.ts";
import { cutPage } from "../../wire/paging.ts";
import { fieldErrors } from "../../wire/problems.ts";
import { Area, type Form, hasErrors, PostForm, readForm } from "../kit/form.tsx";
import { Name, Unreadable } from "../kit/parts.tsx";
import { readBlock } from "../kit/read-block.ts";
import { doneHref, enterprisePage, tabHref } from "./enterprise-page.tsx";
import { type Column, Row, Table } from "./frame.tsx";
import { parseCsv } from "./history-file.ts";
import type { OperatorContext, OperatorEnv } from "./session.tsx";

const PATH = "/operator/enterprises/:e/directory";
const PAGE_ROWS = 50;
const TABS: Record<Dimension, string> = { user: "Users", group: "Groups", workspace: "Workspaces" };
const COLUMNS: readonly Column[] = [{ title: "Id" }, { title: "Name" }];
const WORKSPACE_COLUMNS: readonly Column[] = [...COLUMNS, { title: "Group" }];

export const enterpriseDirectory = new Hono<OperatorEnv>()
  .get(PATH, (c) => directoryPage(c, kindOf(c.req.query("of")), { values: {}, errors: {} }))
  .post(PATH, async (c) => {
    const values = await readForm(c);
    const kind = kindOf(values.of);
    const lines = parseCsv(values.names ?? "");
    const refuse = (fault: string) => directoryPage(c, kind, { values, errors: { names: fault } });
    if (lines.length === 0) return refuse("Enter at least one line.");
    const wrong = lines.findIndex((cells) => cells.length < 2 || cells.length > (kind === "workspace" ? 3 : 2));
    if (wrong !== -1) return refuse(`Line ${wrong + 1} needs an id, a comma and a name.`);
    const rows = lines.map(([id, name, group]) => ({ id, name, ...(group ? { group_id: group } : {}) }));
    const parsed = directorySchema.safeParse({ [`${kind}s`]: rows });
    if (!parsed.success) {
      const [error] = fieldErrors(parsed.error);
      const [, at, field] = error?.path.split(".") ?? [];
      return refuse(`Line ${Number(at ?? 0) + 1}: the ${field ?? "name"} ${error?.message}.`);
    }
    const put = await enterpriseStub(c.env, c.var.address).putDirectory(parseDirectory(parsed.data));
    if (isRefusal(put)) return refuse("Nothing was saved. Try again.");
    return c.redirect(`${doneHref(c.var.state, "directory", "named")}&of=${kind}`, 303);
  });

function kindOf(text: string | undefined): Dimension {
  return DIMENSIONS.find((known) => known === text) ?? "user";
}

async function directoryPage(c: OperatorContext, kind: Dimension, form: Form) {
  const { id } = c.var.state.identity;
  const path = tabHref(id, "directory");
  const asked = c.req.query("from") ?? "";
  const listed = await readBlock("names", () => readNames(c, kind, isId(asked) ? asked : ""));
  const { rows } = cutPage(listed ?? [], PAGE_ROWS);
  const next = listed?.[PAGE_ROWS];
  const columns = kind === "workspace" ? WORKSPACE_COLUMNS : COLUMNS;
  const noun = TABS[kind].toLowerCase();
  const children = (
    <>
      <section class="card table" aria-labelledby="names-title">
        <div class="head">
          <h2 id="names-title">Names of {noun}</h2>
          <p class="toggle">
            {(Object.keys(TABS) as Dimension[]).map((of) => (
              <a href={`${path}?of=${of}`} aria-current={of === kind ? "true" : undefined}>
                {TABS[of]}
              </a>
            ))}
          </p>
        </div>
        {listed === null ? (
          <Unreadable what="The names" retry={`${path}?of=${kind}`} />
        ) : (
          <Table id="rows-names" caption="By id" columns={columns} empty={`No ${noun} have names yet.`}>
            {rows.map(({ id, name, group }) => (
              <Row
                columns={columns}
                cells={[<span class="name">{id}</span>, <Name>{name}</Name>, <span class="name">{group ?? "—"}</span>]}
              />
            ))}
          </Table>
        )}
        <p class="more">
          {next !== undefined && <a href={`${path}?${new URLSearchParams({ of: kind, from: next.id })}`}>Show more</a>}
          {asked !== "" && <a href={`${path}?of=${kind}`}>Show the first</a>}
        </p>
      </section>
      <section class="card" aria-labelledby="set-title">
        <h2 id="set-title">Set names</h2>
        <PostForm form={form} action={path} submit="Save the names" hidden={{ of: kind }}>
          <Area
            form={form}
            name="names"
            label={`One of the ${noun} in each line`}
            rows={6}
            hint={
              kind === "workspace"
                ? "The id, a comma, the name; and after another comma the id of its group: web-shop, Web shop, retail"
                : "The id, a comma, the name: ada, Ada Lovelace. Put a name with a comma into quotes."
            }
          />
        </PostForm>
      </section>
    </>
  );
  return enterprisePage(c, "directory", children, hasErrors(form) ? 422 : 200);
}

/** Reads a page of names, which are in the copy seconds after they are set. */
async function readNames(c: OperatorContext, kind: Dimension, from: string): Promise<DirectoryName[] | null> {
  const view = await enterpriseStub(c.env, c.var.address).copyView(c.var.caller);
  if (isRefusal(view)) return null;
  const copy = readCopy(c.env, c.executionCtx, c.var.address, view.copy);
  return readNamePage(copy, c.var.state.identity.id, kind, from, PAGE_ROWS);
}
