import { expect, it } from "vitest";
import { newEnterprise, report } from "./client.ts";

it("charges a report once, however often it comes", async () => {
  const { debit, gauge } = await newEnterprise();
  const first = await debit(report());
  expect(first.body).toMatchObject({ charged_micros: 225_000, run_total_micros: 225_000, action: "continue" });
  const again = await debit(report());
  expect(again.body).toMatchObject({ charged_micros: 0, run_total_micros: 225_000, seq: first.body.seq });
  expect((await gauge()).used_micros).toBe(225_000);
});
