/**
 * /settings/model: the spend cap of an enterprise that brings its own model, and the rates in force for everyone.
 * A change is a form: posted, decided, redirected. A form made from another cap than the one in force saves nothing,
 * because its maker has not seen what they would undo.
 */
import { type Context, Hono } from "hono";
import { currentPrices } from "../../catalog/current-prices.ts";
import { type CapChange, readCapChanges, readRuns } from "../../copy/read.ts";
import type { Gauge } from "../../ledger/gauge.ts";
import { MAX_MICROS, type Micros } from "../../ledger/micros.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { parseGauge } from "../../wire/gauge.ts";
import { capName, isSpent, parseCap } from "../kit/cap.ts";
import { readForm } from "../kit/form.tsx";
import { page } from "../kit/layout.tsx";
import { problemPage } from "../kit/problem-page.tsx";
import { readBlock } from "../kit/read-block.ts";
import { callerOf, isPartial, ownForm, type PageEnv, signedIn } from "../kit/session.ts";
import { loadView, type PageView } from "../kit/view.ts";
import {
  AtTheCap,
  type CapFields,
  CapForm,
  CapHistory,
  type CapNotice,
  CapQuestion,
  CapShown,
  fieldsOf,
  fromField,
  MODEL_PATH,
  Preview,
  SpentFacts,
} from "./cap-form.tsx";
import { RATES_PAGE, Rates } from "./rates.tsx";

const HISTORY_ROWS = 10;
const ENTRIES_LOOKED_AT = 100;
const RUNS_LOOKED_AT = 50;
const MOST_RATES = 10_000;

export const modelPages = new Hono<PageEnv>()
  .get(MODEL_PATH, signedIn, async (c) => {
    const view = await loadView(c);
    if (isRefusal(view)) return problemPage(c, "not_found");
    const { limit, cap } = c.req.query();
    const fields = cap === undefined && limit === undefined ? fieldsOf(view.gauge) : sentFields({ limit, cap });
    if (isPartial(c)) {
      return c.html(<Preview gauge={view.gauge} timeZone={view.timeZone} previewed={previewedOf(fields)} />);
    }
    const saved = c.req.query("saved") !== undefined;
    const text = `Saved. ${view.gauge.totalMicros === null ? "There is no cap now." : `The cap is ${capName(view.gauge.totalMicros)}.`}`;
    return modelPage(c, view, fields, saved ? { kind: "saved", text } : null);
  })
  .post(MODEL_PATH, signedIn, ownForm, async (c) => {
    if (c.var.who.role !== "admin") return problemPage(c, "scope_denied");
    const view = await loadView(c);
    if (isRefusal(view)) return problemPage(c, "not_found");
    if (view.gauge.spend === null) return problemPage(c, "not_byom");
    const sent = await readForm(c);
    const fields = sentFields(sent);
    // Another tab may have signed in to another enterprise since this form was shown.
    if (sent.enterprise !== undefined && sent.enterprise !== view.gauge.enterprise) {
      const text = `You are signed in to ${view.gauge.name} now, and the form was of another enterprise. Nothing was saved.`;
      return modelPage(c, view, fieldsOf(view.gauge), { kind: "conflict", text }, 409);
    }
    if (sent.from !== fromField(view.gauge)) return conflict(c, view, fields);
    const capMicros = wishOf(fields, view.gauge);
    if (typeof capMicros === "string") return modelPage(c, view, fields, { kind: "invalid", text: capMicros }, 422);
    if (isSpent(view.gauge, capMicros) && sent.confirmed !== "yes")
      return question(c, view, fields, capMicros as Micros);
    const set = await enterpriseStub(c.env, c.var.who.enterprise).setCap(
      callerOf(c.var.who),
      capMicros,
      view.gauge.spend.capMicros,
    );
    if (isRefusal(set)) return problemPage(c, "not_byom");
    const gauge = parseGauge(set);
    // Somebody was faster, between reading and writing: the object kept theirs.
    if (gauge.spend?.capMicros !== capMicros) return conflict(c, { ...view, gauge }, fields);
    return c.redirect(`${MODEL_PATH}?saved`, 303);
  });

function conflict(c: Context<PageEnv>, view: PageView, fields: CapFields) {
  const text = `Someone else changed the cap meanwhile: it is ${capName(view.gauge.totalMicros)} now. Nothing was saved; save again to replace it.`;
  const kept = fields.limit === "none" ? { ...fields, cap: fieldsOf(view.gauge).cap } : fields;
  return modelPage(c, view, kept, { kind: "conflict", text }, 409);
}

function question(c: Context<PageEnv>, { gauge, timeZone }: PageView, fields: CapFields, capMicros: Micros) {
  return c.html(
    page({
      title: "Model",
      signed: { ...c.var.who, name: gauge.name },
      tab: "model",
      children: (
        <>
          <div class="heading">
            <h1>Model</h1>
          </div>
          <CapQuestion gauge={gauge} timeZone={timeZone} capMicros={capMicros} fields={fields} />
        </>
      ),
    }),
  );
}

async function modelPage(
  c: Context<PageEnv>,
  view: PageView,
  fields: CapFields,
  notice: CapNotice | null,
  status: 200 | 409 | 422 = 200,
) {
  const { gauge, timeZone } = view;
  const byom = gauge.spend !== null;
  const [book, usedModels, changes] = await Promise.all([
    readBlock("prices", async () => (await currentPrices(c.env, c.executionCtx)).book),
    readBlock("models", () => readUsedModels(c)),
    byom ? readBlock("cap changes", () => readHistory(c)) : null,
  ]);
  const rows = Number(c.req.query("rows") ?? RATES_PAGE);
  const query = {
    search: (c.req.query("q") ?? "").slice(0, 100),
    rows: Number.isInteger(rows) ? Math.min(Math.max(rows, RATES_PAGE), MOST_RATES) : RATES_PAGE,
    all: c.req.query("models") === "all",
  };
  return c.html(
    page({
      title: "Model",
      signed: { ...c.var.who, name: gauge.name },
      tab: "model",
      children: (
        <>
          <div class="heading">
            <h1>Model</h1>
            <p class="muted">
              {byom
                ? "This enterprise brings its own model and pays its provider; everything is in US dollars."
                : "This enterprise uses credits; what a model costs in credits stands below."}
            </p>
          </div>
          {byom && <SpentFacts gauge={gauge} />}
          {byom &&
            (c.var.who.role === "admin" ? (
              <CapForm
                gauge={gauge}
                timeZone={timeZone}
                fields={fields}
                previewed={previewedOf(fields)}
                notice={notice}
              />
            ) : (
              <CapShown gauge={gauge} timeZone={timeZone} />
            ))}
          {byom && <AtTheCap gauge={gauge} timeZone={timeZone} />}
          {byom && <CapHistory changes={changes} timeZone={timeZone} />}
          <Rates book={book} usedModels={usedModels ?? []} unit={gauge.unit} query={query} />
        </>
      ),
    }),
    status,
  );
}

function sentFields({ limit, cap }: Record<string, unknown>): CapFields {
  return { limit: limit === "none" ? "none" : "cap", cap: typeof cap === "string" ? cap.slice(0, 100) : "" };
}

function previewedOf({ limit, cap }: CapFields): Micros | null | string {
  if (limit === "none") return null;
  return cap.trim() === "" ? "Write an amount to see how long it lasts." : parseCap(cap);
}

/**
 * What the form asks for; a text says what is wrong with it. An amount beside "No cap" is a contradiction, unless it is
 * the one that stood there: nobody who writes 500 and saves should end without a cap.
 */
function wishOf({ limit, cap }: CapFields, gauge: Gauge): Micros | null | string {
  if (limit === "cap") return parseCap(cap);
  if (cap.trim() === "" || cap === fieldsOf(gauge).cap) return null;
  return "An amount is written and “No cap” is chosen: choose “Stop new runs at”, or empty the field.";
}

/** The copy knows all changes, the ledger the newest at once: together nothing is missing after a change. */
async function readHistory(c: Context<PageEnv>): Promise<CapChange[]> {
  const [copied, entries] = await Promise.all([
    readCapChanges(c.env.DB, c.var.who.enterprise, HISTORY_ROWS),
    enterpriseStub(c.env, c.var.who.enterprise).entries(callerOf(c.var.who), MAX_MICROS, ENTRIES_LOOKED_AT),
  ]);
  const newest = isRefusal(entries) ? [] : entries;
  const bySeq = new Map(copied.map((change) => [change.seq, change]));
  for (const { seq, atMs, by, facts } of newest) {
    if (facts.type !== "cap_changed") continue;
    bySeq.set(seq, { seq, atMs, by, fromMicros: facts.from_micros, toMicros: facts.to_micros });
  }
  return [...bySeq.values()].sort((a, b) => b.seq - a.seq).slice(0, HISTORY_ROWS);
}

async function readUsedModels(c: Context<PageEnv>): Promise<string[]> {
  const runs = await readRuns(c.env.DB, c.var.who.enterprise, {}, RUNS_LOOKED_AT, null);
  return [...new Set(runs.flatMap(({ models }) => models))];
}
