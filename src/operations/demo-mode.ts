/** Whether the Worker runs as the local demo that `npm start` starts. A deployment never sets DEMO_MODE. */
export function isDemoMode(env: Env): boolean {
  return (env as DemoVariables).DEMO_MODE === "true";
}

/** Returns the address of the demo editor that `npm start` has started; null if there is none. */
export function demoEditorUrl(env: Env): string | null {
  return isDemoMode(env) ? ((env as DemoVariables).DEMO_EDITOR ?? null) : null;
}

type DemoVariables = { DEMO_MODE?: string; DEMO_EDITOR?: string };
