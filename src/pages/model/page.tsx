/**
 * /settings/model: the spend cap of a byom enterprise, and the current rates for all. The form carries the cap that was
 * set when it was shown. If the cap has changed since, nothing is saved, because the admin has not seen the change that
 * they would overwrite.
 */
import { type Context, Hono } from "hono";
import { currentPrices } from "../../catalog/current-prices.ts";
import type { CheckedCopy } from "../../copy/checked-copy.ts";
import { type CapChange, readCapChanges } from "../../copy/read.ts";
import { readRunPage } from "../../copy/read-runs.ts";
import type { Gauge } from "../../ledger/gauge.ts";
import { MAX_MICROS, type Micros } from "../../ledger/micros.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterprisePricing } from "../../operations/enterprise-pricing.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { readCopy } from "../../operations/read-copy.ts";
import { isEntry, parseEntry } from "../../wire/entry.ts";
import { parseGauge } from "../../wire/gauge.ts";
import { capName, isSpent, parseCap } from "../kit/cap.ts";
import { readForm } from "../kit/form.tsx";
import { page } from "../kit/layout.tsx";
import { problemPage } from "../kit/problem-page.tsx";
import { readBlock } from "../kit/read-block.ts";
import { answerRefused, callerOf, isPartial, type PageEnv, requireSameOrigin, requireSession } from "../kit/session.ts";
import { loadView, type PageView, signedOf } from "../kit/view.ts";
import {
  AtCap,
  CapConfirmation,
  type CapFields,
  CapForm,
  CapHistory,
  type CapNotice,
  CapSummary,
  fieldsOf,
  fromField,
  MODEL_PATH,
  Preview,
  SpentFacts,
} from "./cap-form.tsx";
import { type PricesInForce, RATES_PAGE, Rates } from "./rates.tsx";

const HISTORY_ROWS = 10;
/** How many of the ledger's newest entries are searched for changes of the cap. */
const ENTRIES_READ = 100;
/** How many of the newest runs decide which models are listed first. */
const RUNS_READ = 50;
const MAX_RATE_ROWS = 10_000;

export const modelPages = new Hono<PageEnv>()
  .get(MODEL_PATH, requireSession, async (c) => {
    const view = await loadView(c);
    if (isRefusal(view)) return answerRefused(c, view.refusal);
    const { limit, cap } = c.req.query();
    const fields = cap === undefined && limit === undefined ? fieldsOf(view.gauge) : parseFields({ limit, cap });
    if (isPartial(c)) {
      return c.html(<Preview gauge={view.gauge} timeZone={view.timeZone} previewed={parsePreview(fields)} />);
    }
    const saved = c.req.query("saved") !== undefined;
    const text = `Saved. ${view.gauge.totalMicros === null ? "There is no cap now." : `The cap is ${capName(view.gauge.totalMicros)}.`}`;
    return modelPage(c, view, fields, saved ? { kind: "saved", text } : null);
  })
  .post(MODEL_PATH, requireSession, requireSameOrigin, async (c) => {
    if (c.var.session.role !== "admin") return problemPage(c, "scope_denied");
    const view = await loadView(c);
    if (isRefusal(view)) return answerRefused(c, view.refusal);
    if (view.gauge.spend === null) return problemPage(c, "not_byom");
    const sent = await readForm(c);
    const fields = parseFields(sent);
    // Another tab may have signed in to another enterprise since the form was shown.
    if (sent.enterprise !== undefined && sent.enterprise !== view.gauge.enterprise) {
      const text = `You are now signed in to ${view.gauge.name}, but the form belonged to another enterprise. Nothing was saved.`;
      return modelPage(c, view, fieldsOf(view.gauge), { kind: "conflict", text }, 409);
    }
    if (sent.from !== fromField(view.gauge)) return conflict(c, view, fields);
    const capMicros = parseCapChoice(fields, view.gauge);
    if (typeof capMicros === "string") return modelPage(c, view, fields, { kind: "invalid", text: capMicros }, 422);
    if (isSpent(view.gauge, capMicros) && sent.confirmed !== "yes")
      return confirmationPage(c, view, fields, capMicros as Micros);
    const set = await enterpriseStub(c.env, c.var.session).setCap(
      callerOf(c.var.session),
      capMicros,
      view.gauge.spend.capMicros,
    );
    if (isRefusal(set)) {
      return set.refusal.code === "not_byom" ? problemPage(c, "not_byom") : answerRefused(c, set.refusal);
    }
    const gauge = parseGauge(set);
    // Someone else changed the cap between our read and our write, and the object kept their change.
    if (gauge.spend?.capMicros !== capMicros) return conflict(c, { ...view, gauge }, fields);
    return c.redirect(`${MODEL_PATH}?saved`, 303);
  });

function conflict(c: Context<PageEnv>, view: PageView, fields: CapFields) {
  const text = `Someone else has changed the cap: it is now ${capName(view.gauge.totalMicros)}. Nothing was saved; save again to replace it.`;
  const kept = fields.limit === "none" ? { ...fields, cap: fieldsOf(view.gauge).cap } : fields;
  return modelPage(c, view, kept, { kind: "conflict", text }, 409);
}

function confirmationPage(c: Context<PageEnv>, view: PageView, fields: CapFields, capMicros: Micros) {
  const { gauge, timeZone } = view;
  return c.html(
    page({
      title: "Model",
      signed: signedOf(c, view),
      tab: "model",
      children: (
        <>
          <div class="heading">
            <h1>Model</h1>
          </div>
          <CapConfirmation gauge={gauge} timeZone={timeZone} capMicros={capMicros} fields={fields} />
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
  const copy = readCopy(c.env, c.executionCtx, c.var.session, view.copy);
  const [book, usedModels, changes] = await Promise.all([
    readBlock("prices", () => readPricesInForce(c)),
    readBlock("models", () => readUsedModels(c, copy, view.onlyUser)),
    byom && view.onlyUser === null ? readBlock("cap changes", () => readHistory(c, copy)) : null,
  ]);
  const rows = Number(c.req.query("rows") ?? RATES_PAGE);
  const query = {
    search: (c.req.query("q") ?? "").slice(0, 100),
    rows: Number.isInteger(rows) ? Math.min(Math.max(rows, RATES_PAGE), MAX_RATE_ROWS) : RATES_PAGE,
    all: c.req.query("models") === "all",
  };
  return c.html(
    page({
      title: "Model",
      signed: signedOf(c, view),
      tab: "model",
      children: (
        <>
          <div class="heading">
            <h1>Model</h1>
            <p class="muted">
              {byom
                ? "This enterprise brings its own model and pays the provider directly. All amounts are in US dollars."
                : "This enterprise uses credits. The cost of each model in credits is shown below."}
            </p>
          </div>
          {byom && <SpentFacts gauge={gauge} />}
          {byom &&
            (c.var.session.role === "admin" ? (
              <CapForm
                gauge={gauge}
                timeZone={timeZone}
                fields={fields}
                previewed={parsePreview(fields)}
                notice={notice}
              />
            ) : (
              <CapSummary gauge={gauge} timeZone={timeZone} />
            ))}
          {byom && <AtCap gauge={gauge} timeZone={timeZone} />}
          {byom && view.onlyUser === null && <CapHistory changes={changes} timeZone={timeZone} />}
          <Rates book={book} usedModels={usedModels ?? []} unit={gauge.unit} query={query} />
        </>
      ),
    }),
    status,
  );
}

/** The book's entries, with the overrides of this enterprise in place of or in front of them. */
async function readPricesInForce(c: Context<PageEnv>): Promise<PricesInForce> {
  const { book } = await currentPrices(c.env, c.executionCtx);
  const pricing = await enterprisePricing(c.env, c.var.session, callerOf(c.var.session));
  const { models, multiplier } = isRefusal(pricing) ? { models: [], multiplier: "1" } : pricing;
  const own = new Set(models.map(({ id }) => id));
  return { ...book, models: [...models, ...book.models.filter(({ id }) => !own.has(id))], own, multiplier };
}

function parseFields({ limit, cap }: Record<string, unknown>): CapFields {
  return { limit: limit === "none" ? "none" : "cap", cap: typeof cap === "string" ? cap.slice(0, 100) : "" };
}

function parsePreview({ limit, cap }: CapFields): Micros | null | string {
  if (limit === "none") return null;
  return cap.trim() === "" ? "Enter an amount to see how long it lasts." : parseCap(cap);
}

/**
 * The cap that the form chooses, or an error message. "No cap" together with a new amount is refused as contradictory:
 * nobody who types 500 and saves should end up without a cap.
 */
function parseCapChoice({ limit, cap }: CapFields, gauge: Gauge): Micros | null | string {
  if (limit === "cap") return parseCap(cap);
  if (cap.trim() === "" || cap === fieldsOf(gauge).cap) return null;
  return "You entered an amount but chose “No cap”. Choose “Stop new runs at”, or clear the amount.";
}

/** Merges the copy's changes with the ledger's newest entries, so that a change made just now is not missing. */
async function readHistory(c: Context<PageEnv>, copy: CheckedCopy): Promise<CapChange[]> {
  const [copied, entries] = await Promise.all([
    readCapChanges(copy, c.var.session.enterprise, HISTORY_ROWS),
    enterpriseStub(c.env, c.var.session).entries(callerOf(c.var.session), MAX_MICROS, ENTRIES_READ),
  ]);
  const newest = isRefusal(entries) ? [] : entries.filter(isEntry).map(parseEntry);
  const bySeq = new Map(copied.map((change) => [change.seq, change]));
  for (const { seq, atMs, by, facts } of newest) {
    if (facts.type !== "cap_changed") continue;
    bySeq.set(seq, { seq, atMs, by, fromMicros: facts.fromMicros, toMicros: facts.toMicros });
  }
  return [...bySeq.values()].sort((a, b) => b.seq - a.seq).slice(0, HISTORY_ROWS);
}

async function readUsedModels(c: Context<PageEnv>, copy: CheckedCopy, onlyUser: string | null): Promise<string[]> {
  const { runs } = await readRunPage(copy, {
    enterprise: c.var.session.enterprise,
    selection: { user: onlyUser ?? undefined },
    startedFromMs: null,
    startedToMs: null,
    sort: "newest",
    limit: RUNS_READ,
    after: null,
  });
  return [...new Set(runs.flatMap(({ models }) => models))];
}
