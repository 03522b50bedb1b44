/** Whether this is the local demo that `npm start` runs. A deployment never sets DEMO_MODE. */
export function isDemoMode(env: Env): boolean {
  return (env as { DEMO_MODE?: string }).DEMO_MODE === "true";
}
