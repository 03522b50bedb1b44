/** The entry point for Cloudflare: the Worker's fetch and scheduled handlers, and the classes of its Durable Objects. */
import { app } from "./app.tsx";
import { reconcile } from "./operations/reconcile.ts";

export { CatalogObject } from "./catalog/object.ts";
export { EnterpriseObject } from "./enterprise/object.ts";

/** The app itself rather than an object around it, because the benchmark adds routes to it. */
export default Object.assign(app, {
  scheduled: async (_controller: ScheduledController, env: Env) => {
    await reconcile(env);
  },
}) satisfies ExportedHandler<Env>;
