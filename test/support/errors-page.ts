/** Renders docs/errors.md from the catalogue of problems. test/tidy.test.ts compares the file with it or rewrites it. */
import { PROBLEMS } from "../../src/wire/problem-catalogue.ts";

const HEAD = `# Errors

Every error is an \`application/problem+json\` document (RFC 9457) with \`type\`, \`title\`, \`status\`, \`detail\` and a stable \`code\`. Branch on the code; the texts may change.

A body that cannot be parsed is 400; one that can be parsed but is wrong is 422. A 4xx changes nothing. Items of a batch and replies of a socket use the same codes, as \`{status, code, detail}\`. \`errors\` lists at most 100 invalid fields, and at most 10 for an item of a batch.

| Status | Code | What happened | What to do |
|---|---|---|---|
`;

export function renderErrorsPage(): string {
  const rows = Object.entries(PROBLEMS).map(
    ([code, { status, meaning, remedy }]) => `| ${status} | \`${code}\` | ${meaning} | ${remedy} |\n`,
  );
  return HEAD + rows.join("");
}
