/**
 * The texts of messages for people, who read them on a phone: what happened comes first, then the numbers, then a link.
 * One text is made from an envelope, and shown as Slack blocks or as an email.
 */
import { NO_GROUP } from "../ledger/books.ts";
import type { Unit } from "../ledger/micros.ts";
import { countOf, formatAmount, formatCharge, formatPercent } from "./amounts.ts";
import { formatDate, formatPeriod } from "./dates.ts";
import type { GaugeJson } from "./gauge.ts";
import type { Envelope } from "./notice.ts";
import { parseIso } from "./time.ts";

type Text = { title: string; lines: string[]; link: { label: string; path: string } };
type Row = { id: string; name: string | null; amount_micros: number };
/** The lists of a cycle's report, by what they list. */
type Tops = Partial<Record<"workspaces" | "groups" | "users" | "models", Row[]>>;

const USAGE = { label: "Open the usage page", path: "/settings/usage" };
const BUDGETS = { label: "Open the budgets", path: "/settings/budgets" };
/** Slack refuses a header that is longer. */
const MAX_TITLE = 150;
/** How many rows of each list a text shows; the envelope may have more. */
const TOP_ROWS = 3;

/** The message as the body for a Slack incoming webhook. */
export function slackOf(envelope: Envelope, site: string): Record<string, unknown> {
  const { title, lines, link } = textOf(envelope);
  const url = urlOf(link.path, site);
  const body = [...lines.map(escapeSlack), `<${url}|${link.label}>`].join("\n");
  const header = title.length > MAX_TITLE ? `${title.slice(0, MAX_TITLE - 1)}…` : title;
  return {
    // Notifications on a phone show only this.
    text: escapeSlack(title),
    blocks: [
      { type: "header", text: { type: "plain_text", text: header, emoji: false } },
      { type: "section", text: { type: "mrkdwn", text: body } },
    ],
    unfurl_links: false,
  };
}

/** The message as an email. */
export function emailOf(envelope: Envelope, site: string): { subject: string; text: string; html: string } {
  const { title, lines, link } = textOf(envelope);
  const why = `You get this because an admin of ${nameOf(envelope)} added this address under Settings, Notifications.`;
  return makeEmail(title, lines, { label: link.label, url: urlOf(link.path, site) }, why);
}

/** The email that asks the recipient of a new email channel to confirm the address. */
export function confirmationEmail(envelope: Envelope, url: string): { subject: string; text: string; html: string } {
  const name = nameOf(envelope);
  const lines = [
    `An admin of ${name} wants to send messages about its AI credits to this address.`,
    "Nothing is sent before you confirm. The link works for 7 days.",
  ];
  const why = "If you did not expect this, ignore this email.";
  return makeEmail(`Confirm messages about ${name}`, lines, { label: "Confirm this address", url }, why);
}

function textOf(envelope: Envelope): Text {
  const name = nameOf(envelope);
  const { data, type } = envelope;
  const gauge = data.gauge as GaugeJson;
  switch (type) {
    case "threshold.crossed": {
      const what = gauge.unit === "usd" ? "its spend cap" : "its credits";
      const percent = /\d+$/.exec(data.code)?.[0];
      return {
        title: `${name} has used ${percent} % of ${what}`,
        lines: [usedLine(gauge), ...forecastLines(envelope), resetLine(envelope)],
        link: USAGE,
      };
    }
    case "forecast.changed":
      return {
        title: `${name} is on track to ${gauge.unit === "usd" ? "reach its spend cap" : "run out of credits"}`,
        lines: [...forecastLines(envelope), usedLine(gauge), resetLine(envelope)],
        link: USAGE,
      };
    case "balance.exhausted":
      return {
        title: gauge.unit === "usd" ? `${name} has reached its spend cap` : `${name} is out of credits`,
        lines: ["No new run starts. Runs in progress are asked to stop.", usedLine(gauge), resetLine(envelope)],
        link: USAGE,
      };
    case "balance.recovered":
      return {
        title: gauge.unit === "usd" ? `${name} can spend again` : `${name} has credits again`,
        lines: ["New runs can start.", usedLine(gauge), resetLine(envelope)],
        link: USAGE,
      };
    case "bonus.expiring": {
      const amount = formatCharge(data.amount_micros as number, "credits").replace(/ credits$/, " bonus credits");
      const date = formatDate(parseIso(data.expires_at as string), zoneOf(envelope));
      return {
        title: `${amount} of ${name} expire soon`,
        lines: [`The first of them expire on ${date}. What is not used until then is lost.`, usedLine(gauge)],
        link: USAGE,
      };
    }
    case "budget.crossed":
      return budgetText(envelope);
    case "cycle.reported":
      return reportText(envelope);
    case "test":
      return {
        title: `Test message about ${name}`,
        lines: ["It works: messages about the balance arrive here."],
        link: USAGE,
      };
    default:
      return type satisfies never;
  }
}

type BudgetData = {
  dimension: string;
  id: string;
  name?: string | null;
  period: "day" | "cycle";
  limit_micros: number;
  used_micros: number;
  unit: Unit;
  action?: "block" | "warn";
  resets_at?: string;
};

function budgetText(envelope: Envelope): Text {
  const budget = envelope.data.budget as BudgetData;
  const { dimension, id } = budget;
  const isWithoutGroup = dimension === "group" && id === NO_GROUP;
  const named = `${dimension.slice(0, 1).toUpperCase()}${dimension.slice(1)} ${oneLine(budget.name ?? id)}`;
  const who = isWithoutGroup ? "Runs without a group have" : `${named} has`;
  const period = budget.period === "day" ? "daily budget" : "budget for this cycle";
  const percent = /\d+$/.exec(envelope.data.code)?.[0];
  const share = percent === undefined ? "used up" : `used ${percent} % of`;
  const whose = dimension === "user" || isWithoutGroup ? "their" : "its";
  const title = `${who} ${share} ${whose} ${period}`;
  const used = formatAmount(budget.used_micros, budget.unit);
  const blocks = percent === undefined && budget.action !== "warn";
  const resets = budget.resets_at === undefined ? [] : [`It resets on ${momentOf(envelope, budget.resets_at)}.`];
  return {
    title,
    lines: [
      `${nameOf(envelope)}: ${used} of ${formatCharge(budget.limit_micros, budget.unit)} used.`,
      ...resets,
      ...(blocks ? ["Until then no new run that counts against it starts."] : []),
    ],
    link: BUDGETS,
  };
}

function reportText(envelope: Envelope): Text {
  const { data } = envelope;
  const unit = data.unit as Unit;
  const { starts_at, ends_at } = data.cycle as { starts_at: string; ends_at: string };
  const period = formatPeriod(parseIso(starts_at), parseIso(ends_at), zoneOf(envelope));
  const used = data.used_micros as number;
  const limit = data.limit_micros as number | null;
  const share =
    limit === null || limit === 0
      ? ""
      : `, ${formatPercent(used, limit)} of ${unit === "usd" ? "the spend cap" : "the allowance"}`;
  return {
    title: `${nameOf(envelope)} used ${formatCharge(used, unit)} in the last cycle`,
    lines: [
      `${period}: ${countOf(data.requests as number, "run")}${share}.`,
      ...Object.entries(data.top as Tops).flatMap(([what, rows]) => topLines(what, rows, unit)),
    ],
    link: USAGE,
  };
}

function topLines(what: string, rows: readonly Row[], unit: Unit): string[] {
  const nameIn = ({ id, name }: Row) => (what === "groups" && id === NO_GROUP ? "No group" : oneLine(name ?? id));
  // If nothing has a group, the list says nothing.
  if (rows.every(({ id }) => what === "groups" && id === NO_GROUP)) return [];
  const listed = rows.slice(0, TOP_ROWS).map((row) => `${nameIn(row)} ${formatAmount(row.amount_micros, unit)}`);
  return [`Top ${what}: ${listed.join(", ")}.`];
}

function usedLine(gauge: GaugeJson): string {
  const used = formatAmount(gauge.used_micros, gauge.unit);
  if (gauge.total_micros === null) return `${formatCharge(gauge.used_micros, gauge.unit)} used; there is no cap.`;
  const left = formatAmount(gauge.remaining_micros ?? 0, gauge.unit);
  return `${used} of ${formatCharge(gauge.total_micros, gauge.unit)} used, ${left} left.`;
}

/** The forecast as a sentence, when it says that nothing is left before the reset. The first day has no forecast. */
function forecastLines(envelope: Envelope): string[] {
  const gauge = envelope.data.gauge as GaugeJson;
  if (!gauge.on_track_to_run_out || gauge.run_out_at === null || gauge.remaining_micros === 0) return [];
  if (gauge.cycle.days_elapsed < 1) return [];
  const date = formatDate(parseIso(gauge.run_out_at), zoneOf(envelope));
  const what = gauge.unit === "usd" ? "the cap is reached" : "credits run out";
  return [`At this pace ${what} on about ${date}.`];
}

function resetLine(envelope: Envelope): string {
  const gauge = envelope.data.gauge as GaugeJson;
  const date = formatDate(parseIso(gauge.cycle.ends_at), zoneOf(envelope));
  const renews = gauge.unit === "usd" || (gauge.monthly?.allowance_micros ?? 0) > 0;
  return renews ? `The next cycle starts on ${date}.` : `This cycle ends on ${date}; the plan has no allowance.`;
}

function momentOf(envelope: Envelope, iso: string): string {
  return formatDate(parseIso(iso), zoneOf(envelope));
}

function nameOf({ data }: Envelope): string {
  return oneLine(data.name ?? (data.gauge as GaugeJson | undefined)?.name ?? data.enterprise);
}

function zoneOf({ data }: Envelope): string {
  return data.time_zone ?? "UTC";
}

/** Names may contain line breaks, which would end the subject of an email. */
function oneLine(text: string): string {
  return text.replaceAll(/\s+/g, " ");
}

function makeEmail(title: string, lines: readonly string[], link: { label: string; url: string }, why: string) {
  const html = [
    `<h1 style="font-size:20px">${escapeHtml(title)}</h1>`,
    ...lines.map((line) => `<p>${escapeHtml(line)}</p>`),
    `<p><a href="${escapeHtml(link.url)}">${escapeHtml(link.label)}</a></p>`,
    `<p style="color:#5A6472;font-size:13px">${escapeHtml(why)}</p>`,
  ];
  return {
    subject: title,
    text: [title, "", ...lines, "", `${link.label}: ${link.url}`, "", why, ""].join("\n"),
    html: `<!doctype html><html lang="en"><body style="font-family:system-ui,sans-serif;line-height:1.5">${html.join("")}</body></html>`,
  };
}

function urlOf(path: string, site: string): string {
  return new URL(path, site).href;
}

/** Escapes what Slack reads as a mention or a link: a name must not notify a whole channel. */
function escapeSlack(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function escapeHtml(text: string): string {
  return escapeSlack(text).replaceAll('"', "&quot;");
}
