/** The step that gives the export's log an age: the number of the last change at the start of each day. */
export const EXPORT_MARKS_STEP: string[] = [
  "CREATE TABLE export_marks (at_ms INTEGER PRIMARY KEY, change INTEGER NOT NULL) STRICT",
];
