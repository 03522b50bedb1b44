/**
 * The totals of the whole fleet for the operator's page. They read all enterprises, as /metrics does, so an isolate keeps
 * them for a minute.
 */
import { type BusyEnterprise, countFleetRuns, type FleetRow, readFleet, readMostUsed } from "../copy/fleet.ts";
import { allShards } from "../copy/shards.ts";
import type { Unit } from "../ledger/micros.ts";
import { readDirectories, readShard } from "./read-copy.ts";

const MAX_AGE_MS = 60_000;
const BUSIEST = 5;

export type FleetTotals = { asOfMs: number; rows: FleetRow[]; runs: number; busiest: Record<Unit, BusyEnterprise[]> };

let kept: FleetTotals | null = null;

export async function readFleetTotals(env: Env): Promise<FleetTotals> {
  if (kept !== null && Date.now() - kept.asOfMs < MAX_AGE_MS) return kept;
  const directories = readDirectories(env);
  const [rows, runs, credits, usd] = await Promise.all([
    readFleet(directories),
    countFleetRuns(allShards(env).map((shard) => readShard(env, shard))),
    readMostUsed(directories, "credits", BUSIEST),
    readMostUsed(directories, "usd", BUSIEST),
  ]);
  kept = { asOfMs: Date.now(), rows, runs, busiest: { credits, usd } };
  return kept;
}
