/** What usage is summed by and filtered by, and what budgets limit. */
export const DIMENSIONS = ["workspace", "group", "user"] as const;
export type Dimension = (typeof DIMENSIONS)[number];
