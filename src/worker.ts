/** What Cloudflare runs: the Worker's fetch and its schedule, and the classes of its Durable Objects. */
import { app } from "./app.tsx";
import { reconcile } from "./enterprise/reconcile.ts";

export { CatalogObject } from "./catalog/object.ts";
export { EnterpriseObject } from "./enterprise/object.ts";

export default {
  fetch: app.fetch,
  scheduled: async (_controller, env) => {
    await reconcile(env);
  },
} satisfies ExportedHandler<Env>;
