/** Converts instants between the ledger's milliseconds and the ISO 8601 strings (UTC) of the wire. */
import type { AtMs } from "../ledger/time.ts";

/** 1795442712000 → "2026-11-23T14:05:12.000Z". */
export function formatIso(atMs: AtMs): string {
  return new Date(atMs).toISOString();
}

export function formatIsoOrNull(atMs: AtMs | null): string | null {
  return atMs === null ? null : formatIso(atMs);
}

/** The instant of a string that `formatIso` has made. */
export function parseIso(iso: string): AtMs {
  return Date.parse(iso);
}

export function parseIsoOrNull(iso: string | null): AtMs | null {
  return iso === null ? null : parseIso(iso);
}
