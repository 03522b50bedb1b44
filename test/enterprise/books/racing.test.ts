// H2 and H3: of agents that ask at the same time, exactly as many are admitted as fit, and runs that stay within their
// holds leave no debt.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Ledger } from "../../../src/enterprise/books/ledger.ts";
import { auditBooks } from "../../../src/enterprise/jobs/audit.ts";
import { codeOf, debit, granted, grantRequest, NOON, openBooks, report, start } from "../../support/books.ts";
import { cases } from "../../support/cases.ts";

const admit = (ledger: Ledger, run: string, holdMicros: number | null) =>
  codeOf(ledger.start(start({ run, holdMicros }))) === "none";

describe("racing starts", () => {
  it("admit exactly as many holds of one size as fit, in both billing models", () => {
    const race = fc.record({
      billingModel: fc.constantFrom("credits" as const, "byom" as const),
      credit: fc.integer({ min: 0, max: 2_000 }),
      bonus: fc.integer({ min: 1, max: 500 }),
      used: fc.integer({ min: 0, max: 1_000 }),
      holdMicros: fc.integer({ min: 1, max: 400 }),
      agents: fc.integer({ min: 1, max: 40 }),
    });
    fc.assert(
      fc.property(race, ({ billingModel, credit, bonus, used, holdMicros, agents }) => {
        const ledger = openBooks({ billingModel, allowanceOverrideMicros: credit });
        if (billingModel === "byom") granted(ledger.setCap(credit, "operator"));
        else granted(ledger.addGrant(grantRequest("g1", bonus), "operator"));
        debit(ledger, report(used, { run: "before" }));
        const available = Math.max(0, credit + (billingModel === "byom" ? 0 : bonus) - used);
        const admitted = Array.from({ length: agents }, (_, i) => admit(ledger, `r${i}`, holdMicros));
        const places = Math.min(agents, Math.floor(available / holdMicros));
        expect(admitted.filter(Boolean)).toHaveLength(places);
        expect(admitted.slice(0, places).every(Boolean)).toBe(true);
        expect(ledger.gauge()).toMatchObject({
          heldMicros: places * holdMicros,
          availableMicros: available - places * holdMicros,
        });
      }),
      cases(10),
    );
  });

  it("never hold more than there is, also when holds of any size are raised, released or requested twice", () => {
    const ask = fc.record({
      run: fc.constantFrom("a", "b", "c", "d"),
      holdMicros: fc.option(fc.nat(700)),
      release: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
    });
    fc.assert(
      fc.property(fc.array(ask, { maxLength: 25 }), (asks) => {
        const ledger = openBooks();
        for (const { run, holdMicros, release } of asks) {
          const before = ledger.gauge();
          if (release) ledger.releaseHold(run);
          else if (!admit(ledger, run, holdMicros)) expect(ledger.gauge()).toEqual(before);
          const { heldMicros, availableMicros } = ledger.gauge();
          expect(heldMicros + (availableMicros ?? 0)).toBe(1_000);
        }
        expect(auditBooks(ledger).filter((check) => !check.ok)).toEqual([]);
      }),
      cases(10),
    );
  });
});

describe("runs that stay within their holds", () => {
  it("leave no debt, and are not stopped before their hold is used up", () => {
    const story = fc.record({
      allowanceOverrideMicros: fc.integer({ min: 0, max: 2_000 }),
      bonus: fc.integer({ min: 1, max: 1_000 }),
      steps: fc.array(
        fc.record({
          run: fc.integer({ min: 0, max: 5 }),
          holdMicros: fc.integer({ min: 1, max: 600 }),
          percent: fc.integer({ min: 1, max: 100 }),
          final: fc.boolean(),
        }),
        { maxLength: 30 },
      ),
    });
    fc.assert(
      fc.property(story, ({ allowanceOverrideMicros, bonus, steps }) => {
        const ledger = openBooks({ allowanceOverrideMicros });
        granted(ledger.addGrant(grantRequest("g1", bonus), "operator"));
        const given = new Map<number, { holdMicros: number; used: number }>();
        for (const { run, holdMicros, percent, final } of steps) {
          const held = given.get(run);
          if (held === undefined) {
            if (admit(ledger, `r${run}`, holdMicros)) given.set(run, { holdMicros, used: 0 });
            continue;
          }
          held.used = Math.max(held.used, Math.floor((held.holdMicros * percent) / 100));
          const answer = debit(ledger, report(held.used, { run: `r${run}`, final, startedAtMs: NOON }));
          if (held.used < held.holdMicros && !final) expect(answer.action).toBe("continue");
          if (final) given.set(run, { holdMicros: held.used, used: held.used });
          const { debtMicros, availableMicros, heldMicros, remainingMicros } = ledger.gauge();
          expect(debtMicros).toBe(0);
          expect((availableMicros ?? 0) + heldMicros).toBe(remainingMicros);
        }
      }),
      cases(15),
    );
  });
});
