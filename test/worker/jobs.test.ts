// The public records of jobs: the route that shows one, and the metric that counts them.
import { env } from "cloudflare:workers";
import { expect, it } from "vitest";
import { catalogOf } from "../../src/catalog/object.ts";
import { expectProblem, newEnterprise, operator } from "./api.ts";

const RECORD = {
  job: "j1",
  name: "rebuild",
  enterprise: "gone",
  state: "running",
  progress: 0.5,
  detail: "half",
} as const;

it("shows the record of a job, also when its enterprise does not exist", async () => {
  await catalogOf(env).putJob(RECORD);
  expect(await operator("GET", "/v1/jobs/j1")).toMatchObject({ status: 200, body: RECORD });
  const { text } = await operator("GET", "/metrics");
  expect(text).toContain('fuelgauge_jobs{name="rebuild",state="running"} 1');
});

it("keeps the end of a job when an earlier record arrives late", async () => {
  const ended = { ...RECORD, job: "j2", state: "done", progress: 1, detail: "counted" } as const;
  await catalogOf(env).putJob(ended);
  await catalogOf(env).putJob({ ...RECORD, job: "j2" });
  expect((await operator("GET", "/v1/jobs/j2")).body).toEqual(ended);
});

it("answers 404 for a job that it does not know, and 403 to the key of an enterprise", async () => {
  for (const job of ["unknown", "a%2Fb", "%20"])
    expectProblem(await operator("GET", `/v1/jobs/${job}`), 404, "not_found");
  const e = await newEnterprise();
  expectProblem(await e.agent("GET", "/v1/jobs/j1"), 403, "scope_denied");
});
