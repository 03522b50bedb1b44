/**
 * Computes the search keys of enterprises. The keys are the id and the name, each starting from every word in it. For
 * example, the searches "acme", "acme rob" and "robotics" all find the name "Acme Robotics" and the id "acme-robotics".
 * Keys are stored, so that a search is one range of an index and reads only the rows that it returns.
 */

const MAX_WORDS = 12;
const MAX_KEY_LENGTH = 100;

/** Returns the keys of an enterprise: its id and its name, each starting from every word, without duplicates. */
export function searchKeysOf(id: string, name: string): string[] {
  return [...new Set([id, name].flatMap(endingsOf))];
}

/** Converts typed text to the prefix of a key. The prefix is empty if the text has neither letters nor digits. */
export function searchPrefixOf(typed: string): string {
  return wordsOf(typed).join(" ").slice(0, MAX_KEY_LENGTH);
}

function endingsOf(text: string): string[] {
  const words = wordsOf(text).slice(0, MAX_WORDS);
  return words.map((_, i) => words.slice(i).join(" ").slice(0, MAX_KEY_LENGTH));
}

/** Splits a text into words: lower-case letters and digits, without accents. */
function wordsOf(text: string): string[] {
  return text
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .toLowerCase()
    .split(/[^\p{L}\p{N}]+/u)
    .filter((word) => word !== "");
}
