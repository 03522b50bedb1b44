/**
 * How enterprises are found among very many: by the beginning of their id or name, from any word on. What can be typed
 * to find one is stored as keys, so that a search is one range of an index and reads only what it shows: "Acme Robotics"
 * is found by "acme", "acme rob" and "robotics", and so is the id "acme-robotics".
 */

const MOST_WORDS = 12;
const LONGEST_KEY = 100;

/** The keys of an enterprise: its id and its name, each from every word on, without repeats. */
export function searchKeysOf(id: string, name: string): string[] {
  return [...new Set([id, name].flatMap(endingsOf))];
}

/** What was typed, as the beginning of a key; empty when it holds neither letters nor digits. */
export function searchPrefixOf(typed: string): string {
  return wordsOf(typed).join(" ").slice(0, LONGEST_KEY);
}

function endingsOf(text: string): string[] {
  const words = wordsOf(text).slice(0, MOST_WORDS);
  return words.map((_, i) => words.slice(i).join(" ").slice(0, LONGEST_KEY));
}

/** Letters and digits, without case and accents. */
function wordsOf(text: string): string[] {
  return text
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
}
