/**
 * Finds a model by the name that an agent reports (rule R1). Routers and clouds add parts to a provider's name:
 * `openrouter/anthropic/…`, `us.anthropic.…-v1:0`, `…@20260217`. If a name is unknown, these parts are removed one at a
 * time. The match with the fewest removed parts wins. A part that changes the price (`:free`, `:online`, another host's
 * path) is never removed: such a name matches only an entry that lists it. This file does not know any prices.
 */

/**
 * What a list of prices knows of a name. `step` is the number of parts that were removed. A tie means that different
 * models match at that step, so nothing says which of them is meant.
 */
export type NameMatch = { kind: "model"; id: string; step: number } | { kind: "tie"; step: number };

/** More than any real name has; it bounds the work for names made up of parts. */
const MAX_REMOVED = 6;
const MAX_SPELLINGS = 200;

/** Paths of routers and clouds that pass on a vendor's model at the vendor's price, and the vendors' own paths. */
const PATHS = new Set(
  [
    "ai-gateway azure azure-ai azure-openai azure_ai azure_openai bedrock bedrock_converse amazon-bedrock aws aws-bedrock",
    "bedrock-converse chat converse deployments gemini google-ai google-ai-studio google-genai google-gla google-vertex",
    "google_genai google_vertexai helicone invoke litellm litellm_proxy model models openai-chat openai-responses openrouter",
    "portkey requesty responses text-completion-openai vercel vertex vertex-ai vertex_ai vertexai",
    "ai21 alibaba amazon anthropic arcee arcee-ai cohere cohere_chat deepseek deepseek-ai google meta meta-llama microsoft",
    "minimax minimaxai mistral mistralai moonshot moonshotai nvidia openai perplexity qwen voyage voyageai writer x-ai xai",
    "z-ai zai zai-org zhipu zhipuai",
  ].flatMap((line) => line.split(" ")),
);

/** Hosts with separate prices. Their paths are never removed. */
const HOSTS = new Set(
  "avian baseten cerebras cloudflare cursor deepinfra doubleword fireworks github-copilot groq modal novita ovhcloud quicksilverpro sambanova together typesafe".split(
    " ",
  ),
);

/** Paths with variable parts: a project, a publisher, a region. */
const LONG_PATHS = [
  /^arn:aws[a-z-]*:bedrock:[a-z0-9-]*:\d*:(?:foundation-model|inference-profile)\//,
  /^projects\/[^/]+\/locations\/[^/]+\//,
  /^publishers\/[^/]+\//,
  // On-demand inference in one AWS region. GovCloud has separate prices.
  /^(?:af|ap|ca|eu|il|me|mx|sa|us)-(?:central|east|north|northeast|south|southeast|west)-\d\//,
  // A host's path in front of a name that only this host uses.
  /^(?:fireworks|fireworks[_-]ai)\/(?=accounts\/fireworks\/)/,
  /^(?:cloudflare|workers-ai|workersai)\/(?=@cf\/)/,
];

const BEDROCK_REGION = /^(?:af|apac|au|ca|cn|eu|global|il|in|jp|kr|me|mx|sa|sg|uk|us|us-gov)\./;
const BEDROCK_VENDOR =
  /^(?:ai21|amazon|anthropic|cohere|deepseek|google|luma|meta|minimax|mistral|moonshot|moonshotai|nvidia|openai|qwen|stability|twelvelabs|writer|zai)\./;
const BEDROCK_VERSION = /-v\d{1,2}:\d{1,2}(?::\d{1,4}[km])?$/;
/** These forms of the version also occur at the end of other names, where they may mean another model. */
const SHORT_BEDROCK_VERSION = /(?:-v\d{1,2}|:\d{1,2})$/;
const AT_DATE = /@(?:20\d{6}|20\d{2}-\d{2}-\d{2}|\d{3}|default|latest)$/;
const TRAILING_DATE = /-20\d{2}(-?)(?:0[1-9]|1[0-2])\1(?:0[1-9]|[12]\d|3[01])$/;
/** Whose fine-tuned model it is. The name without it still says that it is fine-tuned, which has other prices. */
const FINE_TUNED_OWNER = /(?<=^ft:[^:]+):.*$|(?<=\.ft-).+$/;
/** `4.6` or `4-6` as the version in a name, and not a part of a date or of a size such as `3-70b`. */
const DOTTED_VERSION = /(?<![\d.])(\d{1,2})\.(?=\d{1,2}(?![\d.]))/g;
const DASHED_VERSION = /(?<!\d|\d-)(\d{1,2})-(?=\d{1,2}(?![\da-z]|-\d))/gi;

/** Each returns the name without one part, or the same name if it does not have this part. */
const REMOVALS: readonly ((name: string) => string)[] = [
  withoutPath,
  ...LONG_PATHS.map((path) => (name: string) => name.replace(path, "")),
  (name) => name.replace(BEDROCK_REGION, ""),
  (name) => name.replace(BEDROCK_VENDOR, ""),
  (name) => name.replace(BEDROCK_VERSION, ""),
  withoutShortVersion,
  (name) => name.replace(AT_DATE, ""),
  (name) => name.replace(TRAILING_DATE, ""),
  (name) => name.replace(FINE_TUNED_OWNER, ""),
  (name) => name.replace(DOTTED_VERSION, "$1-"),
  (name) => name.replace(DASHED_VERSION, "$1."),
];

/** Yields the spellings of a name without 0, 1, 2 … parts. */
export function* spellingsOf(name: string): Generator<readonly string[]> {
  const seen = new Set([name]);
  let spellings = [name];
  for (let removed = 0; removed <= MAX_REMOVED && spellings.length > 0; removed += 1) {
    yield spellings;
    const shorter = spellings.flatMap((spelling) => REMOVALS.map((remove) => remove(spelling)));
    spellings = [...new Set(shorter)].filter((spelling) => spelling !== "" && !seen.has(spelling));
    for (const spelling of spellings) seen.add(spelling);
    if (seen.size > MAX_SPELLINGS) return;
  }
}

/**
 * Finds the model that a name means; null if no spelling of the name is known.
 *
 * @param idOf returns the id of the entry that has exactly this id or alias, or null
 */
export function matchName(name: string, idOf: (spelling: string) => string | null): NameMatch | null {
  let step = 0;
  for (const spellings of spellingsOf(name)) {
    const ids = new Set(spellings.map(idOf).filter((id) => id !== null));
    const [id] = ids;
    if (id !== undefined) return ids.size === 1 ? { kind: "model", id, step } : { kind: "tie", step };
    step += 1;
  }
  return null;
}

/** Returns the match that counts: at each step the enterprise's overrides are asked before the price book. */
export function preferOverride(override: NameMatch | null, book: NameMatch | null): NameMatch | null {
  if (override === null) return book;
  return book === null || override.step <= book.step ? override : book;
}

/** Removes the first path. In `groq:model` it only replaces the colon, so that `groq/model` can be found. */
function withoutPath(name: string): string {
  const [, path = "", separator, rest = ""] = /^([A-Za-z][A-Za-z0-9_-]*)([/:])(.+)$/.exec(name) ?? [];
  const known = path.toLowerCase();
  if (separator === ":") return PATHS.has(known) || HOSTS.has(known) ? `${path}/${rest}` : name;
  return PATHS.has(known) ? rest : name;
}

function withoutShortVersion(name: string): string {
  const isBedrock = BEDROCK_VENDOR.test(name.replace(BEDROCK_REGION, "")) || name.startsWith("claude-");
  return isBedrock ? name.replace(SHORT_BEDROCK_VERSION, "") : name;
}
