/** Compares the whole copy with the ledger, phase by phase, as the audit does. */
import type { CopyKey } from "../../src/copy/compare.ts";
import type { Ledger } from "../../src/enterprise/books/ledger.ts";
import { COPY_PHASES, comparePhase } from "../../src/enterprise/jobs/audit-copy.ts";
import type { CopyDb } from "./copy-db.ts";

export async function faultsOf(ledger: Ledger, copy: CopyDb): Promise<string[]> {
  const faults: string[] = [];
  for (const phase of COPY_PHASES) {
    for (let after: CopyKey | null = null; ; ) {
      const compared = await comparePhase(ledger, copy, phase, after);
      faults.push(...compared.faults);
      if (compared.next === null) break;
      after = compared.next;
    }
  }
  return faults;
}
