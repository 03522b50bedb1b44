// Names come from people, and their colleagues open the file in a spreadsheet. No name may become a formula there, whatever
// separator the spreadsheet expects.
import { describe, expect, it } from "vitest";
import { csvCell } from "../../src/wire/csv.ts";

/** The cells that a spreadsheet makes of a line with this separator. It reads quotes only at the start of a cell. */
function cellsOf(line: string, separator: string): string[] {
  const cells: string[] = [];
  for (let at = 0; at <= line.length; ) {
    const quoted = line[at] === '"' ? /"((?:[^"]|"")*)"/y : null;
    if (quoted) quoted.lastIndex = at;
    const cell = quoted?.exec(line)?.[0] ?? "";
    const end = line.indexOf(separator, at + cell.length);
    const stop = end === -1 ? line.length : end;
    cells.push((cell.slice(1, -1).replaceAll('""', '"') || line.slice(at, stop)).trim());
    at = stop + 1;
  }
  return cells;
}

const HOSTILE = [
  "=1+1",
  "+1",
  "-1",
  "@SUM(1)",
  "＝1+1",
  "＋1",
  "－1",
  "＠SUM(1)",
  " =1",
  '"=1',
  "x;=1",
  "x; =1;y",
  'x";=1;"y',
  ";;-1",
];

describe("a cell of a CSV file", () => {
  it.each(HOSTILE)("begins no formula in any spreadsheet: %s", (name) => {
    const line = ["1", csvCell(name), "2"].join(",");
    for (const separator of [",", ";"]) {
      const formulas = cellsOf(line, separator).filter((cell) => /^[\s"]*[=+\-@＝＋－＠]/.test(cell));
      expect([separator, formulas]).toEqual([separator, []]);
    }
  });

  it.each(["a-b", "Smith; Jones", "1+1=2", "ada@example.com", "R&D (-10 %)", "null"])(
    "keeps ordinary text: %s",
    (name) => {
      expect(csvCell(name)).toBe(name);
    },
  );

  it("keeps numbers, negative ones too", () => {
    expect([-1.5, 0, 12].map(csvCell)).toEqual(["-1.5", "0", "12"]);
  });
});
