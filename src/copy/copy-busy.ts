/**
 * The copy of an enterprise was written again while it was being deleted. A transient failure: the caller may retry. An
 * RPC keeps only the message of an error, so the message starts with the name, by which isTransient recognizes it.
 */
export class CopyBusy extends Error {
  constructor() {
    super("CopyBusy: the copy was written while it was being deleted");
  }
}
