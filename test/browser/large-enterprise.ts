/** An enterprise with more rows than a table shows at once: 23 workspaces, 12 users, 46 runs. */
import type { Enterprise, Site } from "./site.ts";

const WORKSPACES = 23;
const USERS = 12;

export async function newLargeEnterprise(site: Site, settings: Record<string, unknown> = {}): Promise<Enterprise> {
  const enterprise = await site.newEnterprise({ test_clock: "2026-11-23T12:00:00.000Z", ...settings });
  const padded = (n: number) => String(n).padStart(2, "0");
  await enterprise.directory({
    groups: [{ id: "g0", name: "Product engineering" }],
    workspaces: Array.from({ length: WORKSPACES }, (_, i) => ({
      id: `w${padded(i)}`,
      name: `Workspace ${padded(i)}`,
      ...(i % 2 === 0 ? { group_id: "g0" } : {}),
    })),
    users: Array.from({ length: USERS }, (_, i) => ({ id: `u${padded(i)}`, name: `User ${padded(i)}` })),
  });
  const reports = Array.from({ length: 2 * WORKSPACES }, (_, i) => ({
    run: `run-${padded(i)}`,
    model: "plain",
    // Each workspace uses a different amount, the first the most, so that the order is known.
    usage: { input_tokens: (WORKSPACES - (i % WORKSPACES)) * 10_000 + i, output_tokens: 0 },
    surface: i % WORKSPACES === 0 || i % 3 > 0 ? "web" : "cli",
    workspace: `w${padded(i % WORKSPACES)}`,
    user: `u${padded((i * 5) % USERS)}`,
    started_at: new Date(Date.parse("2026-11-23T12:00:00.000Z") - i * 60_000).toISOString(),
    final: true,
  }));
  await enterprise.debits(reports);
  await enterprise.project();
  return enterprise;
}
