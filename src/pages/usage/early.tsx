/** Says that filters cannot answer about usage which an earlier release recorded: it has totals only. */
import type { FC } from "hono/jsx";
import { Moment } from "../kit/parts.tsx";
import type { Early } from "./data.ts";
import { type UsageQuery, usageHref, withoutPaging } from "./query.ts";

export const TooEarly: FC<{ early: Early; query: UsageQuery; timeZone?: string }> = ({ early, query, timeZone }) => (
  <p class="unreadable">
    Part of this time was recorded before usage could be filtered: it has totals only. Filters and models count from{" "}
    <Moment atMs={early.earlyMs} timeZone={timeZone ?? "UTC"} /> on.{" "}
    <a href={usageHref(withoutPaging(query), { selection: {} })}>Show all</a>
  </p>
);
