// Who the replayed runs are for: a small company, so that tables and charts of a replay look like those of real use.
// The first workspaces and people are in use most; some people live at the command line, others never open it.
import { pickEarly, type Random, seededRandom } from "./random.ts";

/** Where a run happened and for whom; fixed for the run (PRODUCT, 409 run_attribution_conflict). */
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

/** The attribution of one run: a user, one of the user's workspaces, and the surface the user tends to. */
export function attributionOfRun(random: Random): Attribution {
  const user = pickEarly(random, USERS);
  const index = USERS.indexOf(user);
  const own = Array.from({ length: WORKSPACES_PER_USER }, (_, i) => WORKSPACES[(index * 3 + i) % WORKSPACES.length]!);
  const cliShare = seededRandom(user)() ** 2;
  return { surface: random() < cliShare ? "cli" : "web", workspace: pickEarly(random, own), user };
}
