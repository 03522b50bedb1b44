// Files of imported history: CSV and JSON, and what is said about a file that cannot be imported.
import { expect, it } from "vitest";
import { parseCsv, parseHistoryFile } from "../../../src/pages/operator/history-file.ts";

const HEAD = "day,surface,workspace,user,model,requests,amount,input_tokens";
const LINE = "2026-02-27,web,shop,ada,gpt-5,12,3.4,90000";
const faultOf = (text: string) => (parseHistoryFile(text, "credits") as { fault?: string }).fault;

it("reads a CSV file, with amounts as decimals or as micros", () => {
  const row = {
    ...{ day: "2026-02-27", surface: "web", workspace: "shop", group: "none", user: "ada", model: "gpt-5" },
    ...{ requests: 12, amountMicros: 3_400_000, usage: { input: 90_000 } },
  };
  expect(parseHistoryFile(`\uFEFF${HEAD}\r\n${LINE}\r\n\r\n`, "credits")).toEqual({
    portions: [{ unit: "credits", rows: [{ ...row, usage: expect.objectContaining(row.usage) }] }],
    rows: 1,
  });
  const micros = parseHistoryFile(`${HEAD.replace("amount", "amount_micros")}\n${LINE.replace("3.4", "34")}`, "usd");
  expect(micros).toMatchObject({ portions: [{ unit: "usd", rows: [{ amountMicros: 34 }] }] });
});

it("splits a long file into portions that one call may import", () => {
  const lines = Array.from({ length: 2_500 }, (_, n) => LINE.replace("ada", `user-${n}`));
  const { portions, rows } = parseHistoryFile([HEAD, ...lines].join("\n"), "credits") as Exclude<
    ReturnType<typeof parseHistoryFile>,
    { fault: string }
  >;
  expect([rows, ...portions.map((portion) => portion.rows.length)]).toEqual([2_500, 1_000, 1_000, 500]);
});

it("reads JSON as the API accepts it", () => {
  const row = {
    day: "2026-02-27",
    surface: "cli",
    workspace: "w",
    user: "u",
    model: "m",
    requests: 1,
    amount_micros: 5,
  };
  expect(parseHistoryFile(JSON.stringify({ unit: "usd", rows: [row] }), "credits")).toMatchObject({
    portions: [{ unit: "usd", rows: [{ surface: "cli", amountMicros: 5 }] }],
  });
  expect(faultOf('{"unit": "usd"}')).toBe('The file has no list of "rows".');
  expect(faultOf("{oops")).toBe("The file is not valid JSON.");
});

it("names the row and the column that are wrong", () => {
  expect(faultOf(" \n")).toBe("The file is empty.");
  expect(faultOf(HEAD)).toContain("must have at least one row");
  expect(faultOf(`${HEAD},colour\n${LINE},red`)).toBe("The first line names a column that does not exist: colour.");
  expect(faultOf("day,amount\n")).toBe("The first line has no column surface.");
  expect(faultOf(HEAD.replace(",amount", ""))).toContain("one column of amounts");
  expect(faultOf(`${HEAD}\n${LINE}\n${LINE},5`)).toBe("Row 2 has 9 cells, and the first line has 8.");
  expect(faultOf(`${HEAD}\n${LINE}\n${LINE.replace("12", "a dozen")}`)).toMatch(/^Row 2: requests must be an integer/);
  expect(faultOf(`${HEAD}\n${LINE.replace("3.4", "-1")}`)).toMatch(/^Row 1: amount_micros /);
});

it("reads cells in quotes as RFC 4180 says, and never hangs on broken ones", () => {
  expect(parseCsv('a, "b, c" ,"d ""e"""\n\n1,2,')).toEqual([
    ["a", "b, c", 'd "e"'],
    ["1", "2", ""],
  ]);
  expect(parseCsv('a,"b\nc,d')).toEqual([
    ["a", '"b'],
    ["c", "d"],
  ]);
  expect(parseCsv("")).toEqual([]);
});

it("ends a line at its end, whatever the next one begins with", () => {
  expect(parseCsv('a,\n"b",c')).toEqual([
    ["a", ""],
    ["b", "c"],
  ]);
  expect(parseCsv('a,"b" \r\n,c')).toEqual([
    ["a", "b"],
    ["", "c"],
  ]);
});

it("reads a file of empty lines in one pass", () => {
  const empty = "\n".repeat(1_000_000);
  expect(parseCsv(`a${empty}b`)).toEqual([["a"], ["b"]]);
  expect(parseCsv(`a,${" ".repeat(1_000_000)}b`)).toEqual([["a", "b"]]);
});

it("says how many more errors there are, also when there are very many", () => {
  const lines = Array.from({ length: 900 }, () => LINE.replace("3.4", "-1"));
  expect(faultOf([HEAD, ...lines].join("\n"))).toMatch(/^Row 1: amount_micros .* There are 899 more errors\.$/);
});
