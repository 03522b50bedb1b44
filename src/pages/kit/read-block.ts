/**
 * Reads one block of a page. When that fails, as while D1 is unavailable, the log names the block and the result is null:
 * the page shows that the block cannot be read, and everything else as usual.
 */
export async function readBlock<T>(block: string, read: () => Promise<T>): Promise<T | null> {
  try {
    return await read();
  } catch (error) {
    console.error(JSON.stringify({ event: "page_block_not_read", block, error: String(error) }));
    return null;
  }
}
