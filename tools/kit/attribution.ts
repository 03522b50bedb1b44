// Attributes replayed runs to the workspaces and users of a small company, so that tables and charts look real.
// Workspaces and users that come first are used most. Some users mostly work at the command line, others never do.
import { pickEarly, type Random, seededRandom } from "./random.ts";

/** Where a run happens and for whom. It must not change during a run (409 run_attribution_conflict). */
export interface Attribution {
  surface: "web" | "cli";
  workspace: string;
  user: string;
}

const WORKSPACES = ["web-app", "billing-api", "mobile", "search", "data-pipeline", "infra", "docs-site", "playground"];
const USERS = [
  "ada",
  "grace",
  "alan",
  "edsger",
  "barbara",
  "donald",
  "margaret",
  "tony",
  "frances",
  "ken",
  "radia",
  "dennis",
];
const WORKSPACES_PER_USER = 3;

/** Picks a user, one of the user's workspaces, and a surface by the user's preference. */
export function attributionOfRun(random: Random): Attribution {
  const user = pickEarly(random, USERS);
  const index = USERS.indexOf(user);
  const own = Array.from({ length: WORKSPACES_PER_USER }, (_, i) => WORKSPACES[(index * 3 + i) % WORKSPACES.length]!);
  const cliShare = seededRandom(user)() ** 2;
  return { surface: random() < cliShare ? "cli" : "web", workspace: pickEarly(random, own), user };
}
