/**
 * The open grants of an enterprise in the order of drawing. A list is never changed: each change returns a new list that
 * shares almost everything with the old one. The grants are kept in chunks, each with its own sums, so no question and no
 * change takes time in proportion to the number of grants. This file knows no rule except that order.
 */
import { byDrawOrder, type Grant, type GrantChunk, type GrantList, grantRemaining } from "./books.ts";
import type { Micros } from "./micros.ts";
import type { AtMs } from "./time.ts";

type Expiring = { micros: Micros; expiresAtMs: AtMs | null };

const MAX_CHUNK = 96;
/** Removing a grant from a chunk of at most this size looks at all chunks: there may be too many small ones then. */
const MIN_CHUNK = MAX_CHUNK / 8;

export const NO_GRANTS: GrantList = { chunks: [], open: 0, remainingMicros: 0, versions: new Map() };

/** A list of these grants, which may come in any order. */
export function listGrants(grants: Iterable<Grant>): GrantList {
  const sorted = [...grants].sort(byPlace);
  const { open, remainingMicros } = chunkOf(sorted);
  const versions = new Map(sorted.map((grant) => [grant.id, grant]));
  return { chunks: chunksOf(sorted), open, remainingMicros, versions };
}

/** All grants in the order of drawing. */
export function* eachGrant(list: GrantList): Generator<Grant> {
  for (const chunk of list.chunks) yield* chunk.grants;
}

/** The grants that can be used now and have something left, in the order of drawing. */
export function* eachUsable(list: GrantList, nowMs: AtMs): Generator<Grant> {
  for (const chunk of list.chunks) {
    if (chunk.open === 0 || hasEnded(lastOf(chunk), nowMs)) continue;
    for (const grant of chunk.grants) if (!hasEnded(grant, nowMs) && leftOf(grant) > 0) yield grant;
  }
}

/** The first grant in the order of drawing that has something left, even if it can no longer be used. */
export function firstOpen(list: GrantList): Grant | null {
  const chunk = list.chunks.find(({ open }) => open > 0);
  return chunk?.grants.find((grant) => leftOf(grant) > 0) ?? null;
}

/** How many grants can be used now and have something left, and how much that is. */
export function usableSum(list: GrantList, nowMs: AtMs): { count: number; micros: Micros } {
  let { open: count, remainingMicros: micros } = list;
  for (const chunk of list.chunks) {
    // Grants are in the order of expiry, so those that have ended come first.
    if (!hasEnded(chunk.grants[0] as Grant, nowMs)) break;
    const ended = chunk.grants.filter((grant) => hasEnded(grant, nowMs));
    const sum = ended.length === chunk.grants.length ? chunk : chunkOf(ended);
    count -= sum.open;
    micros -= sum.remainingMicros;
  }
  return { count, micros };
}

/** What is left of the grants that can be used now, summed by expiry: soonest first, those without expiry last. */
export function* eachExpiry(list: GrantList, nowMs: AtMs): Generator<Readonly<Expiring>> {
  let sum = null as Expiring | null;
  for (const { micros, expiresAtMs } of eachPart(list, nowMs)) {
    if (micros === 0) continue;
    if (sum?.expiresAtMs === expiresAtMs) sum.micros += micros;
    else {
      if (sum !== null) yield sum;
      sum = { micros, expiresAtMs };
    }
  }
  if (sum !== null) yield sum;
}

/** What is left of each chunk whose grants expire together, and of each grant of the other chunks. */
function* eachPart(list: GrantList, nowMs: AtMs): Generator<Expiring> {
  for (const chunk of list.chunks) {
    const { expiresAtMs } = lastOf(chunk);
    if (hasEnded(lastOf(chunk), nowMs)) continue;
    if (chunk.grants[0]?.expiresAtMs === expiresAtMs) yield { micros: chunk.remainingMicros, expiresAtMs };
    else {
      for (const grant of chunk.grants) {
        if (!hasEnded(grant, nowMs)) yield { micros: leftOf(grant), expiresAtMs: grant.expiresAtMs };
      }
    }
  }
}

/** The grant with this id; null if it is not in the list. */
export function findGrant(list: GrantList, id: string): Grant | null {
  const version = list.versions.get(id);
  if (version === undefined) return null;
  const grants = list.chunks[chunkIndexOf(list.chunks, version)]?.grants ?? [];
  const found = grants[placeOf(grants, version)];
  return found?.id === id ? found : null;
}

/** Adds these grants to the list. A grant whose id is in the list replaces the version there. */
export function putGrants(list: GrantList, grants: readonly Grant[]): GrantList {
  if (grants.length === 0) return list;
  if (list.chunks.length === 0) return listGrants(new Map(grants.map((grant) => [grant.id, grant])).values());
  if (grants.length === 1) {
    const replaced = replaceOne(list, grants[0] as Grant);
    if (replaced !== null) return replaced;
  }
  const byChunk = Map.groupBy(grants, (grant) => Math.min(chunkIndexOf(list.chunks, grant), list.chunks.length - 1));
  const edited = new Map<number, readonly Grant[]>();
  for (const [index, added] of byChunk) {
    edited.set(index, merge((list.chunks[index] as GrantChunk).grants, added));
    for (const grant of added) if (!list.versions.has(grant.id)) list.versions.set(grant.id, grant);
  }
  return withEdits(list, edited);
}

/** Adds grants to sorted ones. A grant with the same place and id replaces the version there. */
function merge(known: readonly Grant[], added: readonly Grant[]): readonly Grant[] {
  const sorted = added.toSorted(byPlace);
  const merged: Grant[] = [];
  let next = 0;
  for (const [i, grant] of sorted.entries()) {
    // Of two versions of a grant, the later one counts.
    if (sorted[i + 1]?.id === grant.id) continue;
    for (let kept = known[next]; kept !== undefined && byPlace(kept, grant) < 0; kept = known[next]) {
      merged.push(kept);
      next += 1;
    }
    if (known[next]?.id === grant.id) next += 1;
    merged.push(grant);
  }
  for (; next < known.length; next++) merged.push(known[next] as Grant);
  return merged;
}

/** Returns the list with a new version of one of its grants, which most debits on grants need; null if it has none. */
function replaceOne(list: GrantList, grant: Grant): GrantList | null {
  const index = chunkIndexOf(list.chunks, grant);
  const chunk = list.chunks[index];
  if (chunk === undefined) return null;
  const place = placeOf(chunk.grants, grant);
  const before = chunk.grants[place];
  if (before?.id !== grant.id) return null;
  const [left, leftBefore] = [leftOf(grant), leftOf(before)];
  const open = Number(left > 0) - Number(leftBefore > 0);
  const micros = left - leftBefore;
  const grants = chunk.grants.slice();
  grants[place] = grant;
  const chunks = list.chunks.slice();
  chunks[index] = { grants, open: chunk.open + open, remainingMicros: chunk.remainingMicros + micros };
  const { versions } = list;
  return { chunks, open: list.open + open, remainingMicros: list.remainingMicros + micros, versions };
}

/** Removes these grants from the list. Ids that are not in the list are ignored. */
export function dropGrants(list: GrantList, grants: readonly Grant[]): GrantList {
  if (grants.length === 1) {
    const dropped = dropOne(list, grants[0] as Grant);
    if (dropped !== null) return dropped;
  }
  const edited = new Map<number, Grant[]>();
  for (const grant of grants) {
    const index = chunkIndexOf(list.chunks, grant);
    const copy = edited.get(index) ?? [...(list.chunks[index]?.grants ?? [])];
    edited.set(index, copy);
    const place = placeOf(copy, grant);
    if (copy[place]?.id === grant.id) copy.splice(place, 1);
  }
  return withEdits(list, edited);
}

/** Returns the list without a grant, which most debits that use up a grant need; null if its chunk would be small then. */
function dropOne(list: GrantList, grant: Grant): GrantList | null {
  const index = chunkIndexOf(list.chunks, grant);
  const chunk = list.chunks[index];
  if (chunk === undefined || chunk.grants.length <= MIN_CHUNK) return null;
  const place = placeOf(chunk.grants, grant);
  const before = chunk.grants[place];
  if (before?.id !== grant.id) return null;
  const left = leftOf(before);
  const open = Number(left > 0);
  const chunks = list.chunks.slice();
  chunks[index] = {
    grants: chunk.grants.toSpliced(place, 1),
    open: chunk.open - open,
    remainingMicros: chunk.remainingMicros - left,
  };
  return { ...list, chunks, open: list.open - open, remainingMicros: list.remainingMicros - left };
}

/** The grants of the list that are new or different since `before`. Looks only at the chunks that are not shared. */
export function changedGrants(list: GrantList, before: GrantList): Grant[] {
  if (list === before) return [];
  const [now, then] = [list.chunks, before.chunks];
  let first = 0;
  while (first < now.length && now[first] === then[first]) first += 1;
  let end = 0;
  while (end < now.length - first && end < then.length - first && now.at(-1 - end) === then.at(-1 - end)) end += 1;
  if (now.length === then.length && first + end + 1 === now.length) {
    const [one, other] = [now[first]?.grants ?? [], then[first]?.grants ?? []];
    // A debit has replaced single grants of one chunk.
    if (one.length === other.length && one.every((grant, i) => grant.id === other[i]?.id)) {
      return one.filter((grant, i) => grant !== other[i]);
    }
  }
  const known = new Set(then.slice(first, then.length - end).flatMap(({ grants }) => grants));
  return now.slice(first, now.length - end).flatMap(({ grants }) => grants.filter((grant) => !known.has(grant)));
}

function withEdits(list: GrantList, edited: ReadonlyMap<number, readonly Grant[]>): GrantList {
  if (edited.size === 0) return list;
  const { versions } = list;
  let { open, remainingMicros } = list;
  let size = 0;
  const chunks: GrantChunk[] = [];
  for (const [i, chunk] of list.chunks.entries()) {
    const grants = edited.get(i);
    size += (grants ?? chunk.grants).length;
    if (grants === undefined) chunks.push(chunk);
    else {
      open -= chunk.open;
      remainingMicros -= chunk.remainingMicros;
      for (const part of chunksOf(grants)) {
        open += part.open;
        remainingMicros += part.remainingMicros;
        chunks.push(part);
      }
    }
  }
  // Removing grants leaves small chunks and old versions. Starting over once they prevail keeps the average cost low.
  const wasteful = chunks.length > 8 + (4 * size) / MAX_CHUNK || versions.size > 2 * size + MAX_CHUNK;
  return wasteful ? listGrants(chunks.flatMap(({ grants }) => grants)) : { chunks, open, remainingMicros, versions };
}

/** Sorted grants in chunks. A group that is too large becomes half-full chunks, which leave room for more. */
function chunksOf(grants: readonly Grant[]): GrantChunk[] {
  if (grants.length <= MAX_CHUNK) return grants.length === 0 ? [] : [chunkOf(grants)];
  const half = MAX_CHUNK / 2;
  const count = Math.ceil(grants.length / half);
  return Array.from({ length: count }, (_, i) => chunkOf(grants.slice(i * half, (i + 1) * half)));
}

function chunkOf(grants: readonly Grant[]): GrantChunk {
  let open = 0;
  let remainingMicros = 0;
  for (const grant of grants) {
    const micros = leftOf(grant);
    if (micros > 0) open += 1;
    remainingMicros += micros;
  }
  return { grants, open, remainingMicros };
}

/** The index of the chunk that has the place of this grant; the number of chunks if it comes after all of them. */
function chunkIndexOf(chunks: readonly GrantChunk[], grant: Grant): number {
  return lowerBound(chunks.length, (i) => byPlace(lastOf(chunks[i] as GrantChunk), grant) < 0);
}

/** The index of this grant, or where it belongs, among sorted grants. */
function placeOf(grants: readonly Grant[], grant: Grant): number {
  return lowerBound(grants.length, (i) => byPlace(grants[i] as Grant, grant) < 0);
}

/** The first index for which `isBefore` is false. It must be true for all indexes before that one. */
function lowerBound(length: number, isBefore: (index: number) => boolean): number {
  let low = 0;
  for (let high = length; low < high; ) {
    const middle = (low + high) >> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function byPlace(a: Grant, b: Grant): number {
  return byDrawOrder(a, b) || (a.id < b.id ? -1 : Number(a.id > b.id));
}

function lastOf(chunk: GrantChunk): Grant {
  return chunk.grants[chunk.grants.length - 1] as Grant;
}

function hasEnded(grant: Grant, nowMs: AtMs): boolean {
  return expiryOf(grant) <= nowMs;
}

function expiryOf(grant: Grant): AtMs {
  return grant.expiresAtMs ?? Number.POSITIVE_INFINITY;
}

/** What is left of a grant; nothing once it is voided. */
function leftOf(grant: Grant): Micros {
  return grant.voided ? 0 : grantRemaining(grant);
}
