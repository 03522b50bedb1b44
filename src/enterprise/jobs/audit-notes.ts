/**
 * What an audit remembers from slice to slice: how far it has come, sums, counts and faults. All of it is JSON and stays
 * small, whatever the size of the books: a sum is one number, and of the faults only the first few keep their text.
 */
import type { Key } from "../books/as-of.ts";
import type { AuditStart } from "./audit-start.ts";

export type AuditCheck = { name: string; ok: boolean; detail: string };

export type AuditNotes = {
  phase: string;
  /** The key after which the phase continues; null at its start. */
  after: Key | null;
  /** The books at the moment as of which they are audited; null until then. */
  start: AuditStart | null;
  /** Sums by name, as decimal strings, because a wrong row may make a sum larger than 2^53. */
  sums: Record<string, string>;
  /** Counts of rows, by name. */
  counts: Record<string, number>;
  /** The faults of each check. */
  faults: Record<string, { count: number; first: string[] }>;
  /** Single values that a phase needs until its next slice. */
  values: Record<string, string | number | null>;
};

const SHOWN_FAULTS = 3;
const MAX_FAULT_CHARS = 1_000;

export function newNotes(phase: string): AuditNotes {
  return { phase, after: null, start: null, sums: {}, counts: {}, faults: {}, values: {} };
}

export function sumOf(notes: AuditNotes, name: string): bigint {
  return BigInt(notes.sums[name] ?? "0");
}

export function addTo(notes: AuditNotes, name: string, amount: number | bigint): void {
  notes.sums[name] = String(sumOf(notes, name) + BigInt(amount));
}

export function countIn(notes: AuditNotes, name: string, rows = 1): void {
  notes.counts[name] = (notes.counts[name] ?? 0) + rows;
}

export function addFault(notes: AuditNotes, check: string, text: string): void {
  notes.faults[check] ??= { count: 0, first: [] };
  const faults = notes.faults[check];
  faults.count += 1;
  if (faults.first.length < SHOWN_FAULTS) faults.first.push(text.slice(0, MAX_FAULT_CHARS));
}

/** Returns a check: passed with what was compared, or failed with the first of its faults. */
export function checkOf(notes: AuditNotes, name: string, count: number, claim: string): AuditCheck {
  const faults = notes.faults[name];
  if (faults === undefined) return { name, ok: true, detail: `${count} ${claim}` };
  const more = faults.count > faults.first.length ? ` and ${faults.count - faults.first.length} more` : "";
  return { name, ok: false, detail: `${faults.first.join("; ")}${more}` };
}
