/** Whether the Worker runs as the local demo that `npm start` starts. A deployment never sets DEMO_MODE. */
export function isDemoMode(env: Env): boolean {
  return (env as { DEMO_MODE?: string }).DEMO_MODE === "true";
}
