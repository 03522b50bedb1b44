/**
 * Thrown when an enterprise's copy in D1 was written again while it was being deleted. The failure is transient, so the
 * caller may retry. RPC keeps only the message of an error, so the message starts with the error's name: isTransient
 * recognizes the error by this prefix.
 */
export class CopyBusy extends Error {
  constructor() {
    super("CopyBusy: the copy was written while it was being deleted");
  }
}
