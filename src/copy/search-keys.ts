/**
 * The keys under which a search finds enterprises: their id and name, starting from each word. "Acme Robotics" is found
 * by "acme", "acme rob" and "robotics", and so is the id "acme-robotics". Keys are stored, so that a search is one range
 * of an index and reads only the rows that it returns.
 */

const MAX_WORDS = 12;
const MAX_KEY_LENGTH = 100;

/** The keys of an enterprise: its id and its name, each starting from every word, without duplicates. */
export function searchKeysOf(id: string, name: string): string[] {
  return [...new Set([id, name].flatMap(endingsOf))];
}

/** What was typed, as the prefix of a key; empty if it contains neither letters nor digits. */
export function searchPrefixOf(typed: string): string {
  return wordsOf(typed).join(" ").slice(0, MAX_KEY_LENGTH);
}

function endingsOf(text: string): string[] {
  const words = wordsOf(text).slice(0, MAX_WORDS);
  return words.map((_, i) => words.slice(i).join(" ").slice(0, MAX_KEY_LENGTH));
}

/** The words of a text: lower-case letters and digits, without accents. */
function wordsOf(text: string): string[] {
  return text
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
}
