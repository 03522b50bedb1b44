/** Compares two versions of the price book, on /operator/prices. */
import type { Child } from "hono/jsx";
import { catalogOf } from "../../catalog/object.ts";
import { formatCount } from "../kit/format.ts";
import { type Column, Row, Table } from "./frame.tsx";
import type { OperatorContext } from "./session.tsx";

const MAX_ROWS = 50;
const COMPARE_COLUMNS: readonly Column[] = [{ title: "Model" }, { title: "Before" }, { title: "After" }];

/** What differs between the versions that the query names; nothing if it names none. */
export async function comparison(c: OperatorContext): Promise<Child> {
  const [from, to] = [Number(c.req.query("from")), Number(c.req.query("to"))];
  if (!Number.isSafeInteger(from) || !Number.isSafeInteger(to) || to < 1) return null;
  const [before, after] = await Promise.all([catalogOf(c.env).bookAt(from), catalogOf(c.env).bookAt(to)]);
  const old = new Map((before?.models ?? []).map((model) => [model.id, JSON.stringify(model)]));
  const next = new Map((after?.models ?? []).map((model) => [model.id, JSON.stringify(model)]));
  const ids = [...new Set([...old.keys(), ...next.keys()])].filter((id) => old.get(id) !== next.get(id));
  return (
    <section class="card table" aria-labelledby="compare-title">
      <h2 id="compare-title">
        Version {formatCount(from)} and version {formatCount(to)}
      </h2>
      {before === null || after === null ? (
        <p>One of these versions was never stored.</p>
      ) : (
        <Table
          id="rows-compare"
          caption={`${formatCount(Math.min(ids.length, MAX_ROWS))} of ${formatCount(ids.length)} entries that differ`}
          columns={COMPARE_COLUMNS}
          empty="Both versions have the same entries."
        >
          {ids.slice(0, MAX_ROWS).map((id) => (
            <Row
              columns={COMPARE_COLUMNS}
              cells={[
                <span class="name">{id}</span>,
                <span class="name">{old.get(id) ?? "—"}</span>,
                <span class="name">{next.get(id) ?? "—"}</span>,
              ]}
            />
          ))}
        </Table>
      )}
    </section>
  );
}
