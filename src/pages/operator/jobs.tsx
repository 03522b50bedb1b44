/**
 * /operator/jobs: the long work of the last 35 days, newest first, and each job with its progress. With script, what is
 * running is shown live: its part of the page asks for itself again every two seconds until the job ends.
 */
import { Hono } from "hono";
import type { FC } from "hono/jsx";
import type { JobState, ListedJob } from "../../catalog/job-record.ts";
import { catalogOf } from "../../catalog/object.ts";
import { cutPage } from "../../wire/paging.ts";
import { Copyable, Name, Region } from "../kit/parts.tsx";
import { isPartial } from "../kit/session.ts";
import { mayOpen } from "./access.ts";
import { openHref } from "./enterprise-page.tsx";
import { type Column, Older, operatorPage, Row, Table, Utc } from "./frame.tsx";
import { type OperatorContext, type OperatorEnv, operatorProblem } from "./session.tsx";

const PATH = "/operator/jobs";
const PAGE_ROWS = 20;
const STATES = { running: "Running", done: "Done", failed: "Failed" } as const satisfies Record<JobState, string>;
const LEVELS: Record<JobState, string> = { running: "info", done: "ok", failed: "critical" };
const WORK: Record<string, string> = {
  audit: "Audit",
  rebuild: "Rebuild of the copy",
  move: "Move of the copy",
  erase: "Erasure",
  delete: "Deletion",
  restore: "Restore",
  price_waiting: "Pricing of waiting usage",
};
const COLUMNS: readonly Column[] = [
  { title: "Job" },
  { title: "Enterprise" },
  { title: "State" },
  { title: "Progress" },
  { title: "Detail" },
  { title: "Last change (UTC)" },
];

export const operatorJobs = new Hono<OperatorEnv>()
  .get(PATH, async (c) => {
    const state = (Object.keys(STATES) as JobState[]).find((known) => known === c.req.query("state")) ?? null;
    const [, changedAt = "", job = ""] = /^(\d{1,16})~([\w-]{1,64})$/.exec(c.req.query("before") ?? "") ?? [];
    const before = changedAt === "" ? null : { changedAtMs: Number(changedAt), job };
    const listed = await catalogOf(c.env).jobs(state, before, PAGE_ROWS + 1);
    const { rows, last } = cutPage(listed, PAGE_ROWS);
    const list = <Jobs c={c} rows={rows} query={new URL(c.req.url).search} />;
    if (isPartial(c)) return c.html(<Region id="jobs">{list}</Region>);
    const path = state === null ? PATH : `${PATH}?state=${state}`;
    const children = (
      <>
        <div class="heading">
          <h1>Jobs</h1>
        </div>
        <section class="card table">
          <div class="head">
            <p class="toggle">
              <a href={PATH} aria-current={state === null ? "true" : undefined}>
                All
              </a>
              {Object.entries(STATES).map(([name, text]) => (
                <a href={`${PATH}?state=${name}`} aria-current={state === name ? "true" : undefined}>
                  {text}
                </a>
              ))}
            </p>
          </div>
          {list}
          <Older
            path={path}
            before={last === null ? null : `${last.changedAtMs}~${last.job}`}
            later={before !== null}
          />
        </section>
      </>
    );
    return c.html(operatorPage(c, { title: "Jobs", tab: "jobs", children }));
  })
  .get(`${PATH}/:job`, async (c) => {
    const job = await catalogOf(c.env).job(c.req.param("job"));
    if (job === null) return operatorProblem(c, "not_found");
    const shown = <Job c={c} job={job} />;
    if (isPartial(c)) return c.html(<Region id="job">{shown}</Region>);
    const children = (
      <>
        <div class="heading">
          <p class="crumbs">
            <a href={PATH}>Jobs</a> / <span class="name">{job.job}</span>
          </p>
          <h1>{workOf(job)}</h1>
        </div>
        <section class="card" aria-label="The job">
          {shown}
        </section>
      </>
    );
    return c.html(operatorPage(c, { title: workOf(job), tab: "jobs", children }));
  });

/** The path of the page that shows a job. */
export function jobHref(job: string): string {
  return `${PATH}/${encodeURIComponent(job)}`;
}

function workOf({ name }: { name: string }): string {
  return Object.hasOwn(WORK, name) ? (WORK[name] as string) : name;
}

/** Asks for this part of the page again while something runs. A part without it stops that. */
const Poll: FC<{ path: string }> = ({ path }) => (
  <span id="poll" hx-get={path} hx-trigger="every 2s" {...{ "hx-status:5xx": "swap:none" }}></span>
);

const Jobs: FC<{ c: OperatorContext; rows: readonly ListedJob[]; query: string }> = ({ c, rows, query }) => (
  <div id="jobs">
    {rows.some(({ state }) => state === "running") && <Poll path={`${PATH}${query}`} />}
    <Table
      id="rows-jobs"
      caption="Last change first; kept for 35 days"
      columns={COLUMNS}
      empty={query === "" ? "No job has run in the last 35 days." : "There are no such jobs."}
    >
      {rows.map((job) => (
        <Row
          columns={COLUMNS}
          cells={[
            <a href={jobHref(job.job)}>{workOf(job)}</a>,
            <Enterprise c={c} job={job} />,
            <span class={`badge ${LEVELS[job.state]}`}>{STATES[job.state]}</span>,
            <Progress {...job} />,
            <span class="name">{job.detail || "—"}</span>,
            <Utc atMs={job.changedAtMs} />,
          ]}
        />
      ))}
    </Table>
  </div>
);

const Job: FC<{ c: OperatorContext; job: Omit<ListedJob, "changedAtMs"> }> = ({ c, job }) => (
  <div id="job">
    {job.state === "running" && <Poll path={jobHref(job.job)} />}
    <p>
      <span class={`badge ${LEVELS[job.state]}`}>{STATES[job.state]}</span> <Progress {...job} />
    </p>
    <dl class="facts">
      <div>
        <dt>Enterprise</dt>
        <dd>
          <Enterprise c={c} job={job} />
        </dd>
      </div>
      <div>
        <dt>Detail</dt>
        <dd class="name">{job.detail || "—"}</dd>
      </div>
      <div>
        <dt>Id</dt>
        <dd>
          <Copyable id="job-id" what="the job's id">
            {job.job}
          </Copyable>
        </dd>
      </div>
    </dl>
    {job.state === "running" && (
      <p class="muted">
        It goes on without this page. <a href={jobHref(job.job)}>Show its progress</a>
      </p>
    )}
  </div>
);

const Progress: FC<Pick<ListedJob, "progress" | "state">> = ({ progress, state }) => {
  if (state === "done") return <>100 %</>;
  const percent = Math.floor(progress * 100);
  return (
    <>
      {state === "running" && <progress value={progress} max="1" aria-label="Progress" />} {percent} %
    </>
  );
};

/** The enterprise of a job, with a link if the session may open one, unless the job deletes it. */
const Enterprise: FC<{ c: OperatorContext; job: { name: string; enterprise: string } }> = ({ c, job }) =>
  job.name !== "delete" &&
  (mayOpen(c.var.caller, "GET /operator/enterprises/:e/data") ||
    mayOpen(c.var.caller, "GET /operator/enterprises/:e")) ? (
    <a href={openHref(c.var.caller, job.enterprise)}>
      <Name>{job.enterprise}</Name>
    </a>
  ) : (
    <Name>{job.enterprise}</Name>
  );
