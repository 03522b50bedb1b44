/**
 * Reads the data of one block of a page. If that fails, for example because D1 is unavailable, it logs the block's name
 * and returns null: the page says that this block cannot be read, and shows the rest as usual.
 */
export async function readBlock<T>(block: string, read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    console.error(JSON.stringify({ event: "page_block_not_read", block, error: String(error) }));
    return null;
  }
}
