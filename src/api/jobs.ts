/** GET /v1/jobs/{job} shows how far a job has come. The catalog has the records, so they survive their enterprise. */

import type { JobRecord } from "../catalog/job-record.ts";
import { catalogOf } from "../catalog/object.ts";
import { problem } from "./problem.ts";
import { createRoute, declare, newRouter, z } from "./route.ts";

const jobSchema = z
  .object({
    job: z.string(),
    name: z.string(),
    enterprise: z.string(),
    state: z.enum(["running", "done", "failed"]),
    progress: z.number().openapi({ description: "The part that is done, from 0 to 1." }),
    detail: z.string(),
  })
  .openapi("Job") satisfies z.ZodType<JobRecord>;

export const jobRoutes = newRouter().openapi(
  createRoute({
    ...declare({
      method: "get",
      path: "/v1/jobs/{job}",
      name: "readJob",
      summary: "Read a job",
      details:
        "A response with status 202 names the job that it has started. The progress of a running job is updated about twenty times. A job is kept for 35 days after its last change, also if its enterprise is deleted.",
      refusals: ["not_found"],
      tag: "Operator",
      access: { scope: "operator", operatorScopes: ["metrics", "maintenance"] },
      answers: { 200: { description: "The job", schema: jobSchema } },
    }),
    request: { params: z.object({ job: z.string().openapi({ example: "0b0e4c1e-5a3e-4d4c-9a57-6f1c1f6d2f10" }) }) },
  }),
  async (c) => {
    const job = await catalogOf(c.env).job(c.req.valid("param").job);
    return job === null ? problem(c, "not_found") : c.json(job);
  },
);
