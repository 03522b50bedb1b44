/** What Cloudflare runs: the Worker's fetch, and the classes of its Durable Objects. */
import { app } from "./app.tsx";

export { CatalogObject } from "./catalog/object.ts";
export { EnterpriseObject } from "./enterprise/object.ts";

export default app;
