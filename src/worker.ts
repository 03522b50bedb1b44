/** What Cloudflare runs: the Worker's fetch and its schedule, and the classes of its Durable Objects. */
import { app } from "./app.tsx";
import { reconcile } from "./operations/reconcile.ts";

export { CatalogObject } from "./catalog/object.ts";
export { EnterpriseObject } from "./enterprise/object.ts";

/** The app itself, not an object around it: the bench adds calls of its own to it. */
export default Object.assign(app, {
  scheduled: async (_controller: ScheduledController, env: Env) => {
    await reconcile(env);
  },
}) satisfies ExportedHandler<Env>;
