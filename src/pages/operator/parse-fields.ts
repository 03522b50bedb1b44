/**
 * Amounts and times of the operator's forms: parses what people type, and formats the fields' values. A time that cannot be
 * parsed is passed on unchanged, so that the field's schema refuses it.
 */
import { MAX_MICROS, type Micros } from "../../ledger/micros.ts";
import { formatExactDecimal } from "../kit/format.ts";

const AMOUNT = /^\$?(\d{1,3}(?:,\d{3})+|\d{1,10})(?:\.(\d{1,6}))?$/;
const UTC_TIME = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d)(?::(\d\d(?:\.\d{1,3})?))?)?Z?$/;

/** "1,200.5" → micros; null for anything but an amount with at most six decimals. */
export function parseAmount(text: string): Micros | null {
  const [, whole, fraction = ""] = AMOUNT.exec(text.trim()) ?? [];
  if (whole === undefined) return null;
  const micros = BigInt(whole.replaceAll(",", "")) * 1_000_000n + BigInt(fraction.padEnd(6, "0"));
  return micros <= MAX_MICROS ? Number(micros) : null;
}

/** The value of an amount's field, exact to the micro: "1200.5". */
export function formatAmountField(micros: Micros | null): string {
  return micros === null ? "" : formatExactDecimal(BigInt(micros), 6);
}

/** A UTC time, as typed, as ISO 8601; undefined for an empty field. */
export function parseUtcField(text: string): string | undefined {
  const typed = text.trim();
  const [, day, minute = "00:00", second = "00"] = UTC_TIME.exec(typed) ?? [];
  if (typed === "") return undefined;
  return day === undefined ? typed : `${day}T${minute}:${second}Z`;
}
