/** The Worker's entry point. Exports the fetch and scheduled handlers, and the Durable Object classes. */
import { app } from "./app.tsx";
import { renewRestoring } from "./catalog/restoring.ts";
import { recordSomePlans } from "./operations/plans.ts";
import { reconcile } from "./operations/reconcile.ts";
import { storeWebhookSecrets } from "./operations/store-webhook-secrets.ts";

export { CatalogObject } from "./catalog/object.ts";
export { EnterpriseObject } from "./enterprise/object.ts";

/** Exports the app itself rather than a wrapper object, because the benchmark adds routes to the app. */
export default Object.assign(app, {
  scheduled: async (_controller: ScheduledController, env: Env, ctx: ExecutionContext) => {
    await renewRestoring(env, ctx);
    await storeWebhookSecrets(env);
    await reconcile(env);
    await recordSomePlans(env);
  },
}) satisfies ExportedHandler<Env>;
