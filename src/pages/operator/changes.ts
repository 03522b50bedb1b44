/**
 * The latest changes of an enterprise: its journal without the closing of runs, of which there are many. The copy finds
 * them however old they are; the ledger has the newest before the copy does, and serves alone while D1 is unavailable.
 */
import { readChanges } from "../../copy/read.ts";
import type { Entry } from "../../ledger/entries.ts";
import { MAX_MICROS } from "../../ledger/micros.ts";
import { isRefusal } from "../../ledger/refusals.ts";
import { enterpriseStub } from "../../operations/enterprise-stub.ts";
import { readCopy } from "../../operations/read-copy.ts";
import { isEntry, parseEntry } from "../../wire/entry.ts";
import { readBlock } from "../kit/read-block.ts";
import type { OperatorContext } from "./session.tsx";

const NEWEST_ENTRIES = 100;

export async function latestChanges(c: OperatorContext, limit: number): Promise<Entry[]> {
  const [copied, newest] = await Promise.all([
    readBlock("changes", () => readCopied(c, limit)),
    enterpriseStub(c.env, c.var.address).entries(c.var.caller, MAX_MICROS, NEWEST_ENTRIES),
  ]);
  const changes = isRefusal(newest)
    ? []
    : newest
        .filter(isEntry)
        .map(parseEntry)
        .filter(({ facts }) => facts.type !== "run_closed");
  const bySeq = new Map([...(copied ?? []), ...changes].map((entry) => [entry.seq, entry]));
  return [...bySeq.values()].sort((a, b) => b.seq - a.seq).slice(0, limit);
}

async function readCopied(c: OperatorContext, limit: number): Promise<Entry[]> {
  const { id } = c.var.state.identity;
  const view = await enterpriseStub(c.env, c.var.address).copyView(c.var.caller);
  return isRefusal(view) ? [] : readChanges(readCopy(c.env, c.executionCtx, c.var.address, view.copy), id, limit);
}
