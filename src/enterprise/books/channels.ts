/**
 * The channels of an enterprise, as rows. The active ones are kept in memory, because every change of the balance asks
 * them. Losing the memory costs one query.
 */
import { type Channel, type ChannelKind, isActive } from "../../ledger/channels.ts";
import type { By } from "../../ledger/entries.ts";
import type { AtMs } from "../../ledger/time.ts";
import type { Sql, SqlRow } from "./sql.ts";
import { Table } from "./table.ts";

/** A channel with what delivering to it needs. */
export type StoredChannel = Channel & {
  /** Signs what goes to a webhook; null for the other kinds. */
  secret: string | null;
  /** The address of this deployment, for links in messages. */
  site: string;
  /** Identifies the confirmation link of an email channel that is valid; a new address gets a new one. */
  confirmId: string | null;
  /** When the last confirmation was sent, by the real clock. */
  confirmSentAtMs: AtMs | null;
  createdBy: By;
  createdAtMs: AtMs;
};

const CHANNELS = new Table<StoredChannel>({
  name: "channels",
  key: { id: (channel) => channel.id },
  fixed: {
    created_by: (channel) => channel.createdBy,
    created_at_ms: (channel) => channel.createdAtMs,
  },
  changing: {
    kind: (channel) => channel.kind,
    target: (channel) => channel.target,
    secret: (channel) => channel.secret,
    events: (channel) => (channel.events === null ? null : JSON.stringify(channel.events)),
    thresholds: (channel) => JSON.stringify(channel.thresholds),
    active: (channel) => Number(channel.active),
    site: (channel) => channel.site,
    confirm_id: (channel) => channel.confirmId,
    confirm_sent_at_ms: (channel) => channel.confirmSentAtMs,
    confirmed_at_ms: (channel) => channel.confirmedAtMs,
  },
  read: (row: SqlRow) => ({
    id: row.id as string,
    kind: row.kind as ChannelKind,
    target: row.target as string,
    secret: row.secret as string | null,
    events: row.events === null ? null : (JSON.parse(row.events as string) as string[]),
    thresholds: JSON.parse(row.thresholds as string) as number[],
    active: row.active === 1,
    site: row.site as string,
    confirmId: row.confirm_id as string | null,
    confirmSentAtMs: row.confirm_sent_at_ms as number | null,
    confirmedAtMs: row.confirmed_at_ms as number | null,
    createdBy: row.created_by as string,
    createdAtMs: row.created_at_ms as number,
  }),
});

export class Channels {
  #active: readonly StoredChannel[] | null = null;

  constructor(readonly sql: Sql) {}

  /** The channels that get messages. */
  get active(): readonly StoredChannel[] {
    this.#active ??= this.list().filter(isActive);
    return this.#active;
  }

  /** All channels, by id. */
  list(): StoredChannel[] {
    return this.sql.all("SELECT * FROM channels ORDER BY id").map(CHANNELS.read);
  }

  find(id: string): StoredChannel | null {
    const row = this.sql.all("SELECT * FROM channels WHERE id = ?", id)[0];
    return row === undefined ? null : CHANNELS.read(row);
  }

  /** Adds or replaces a channel, as part of the caller's transaction. Call `forget` if that fails. */
  put(channel: StoredChannel): void {
    this.forget();
    CHANNELS.put(this.sql, [channel]);
  }

  delete(id: string): void {
    this.forget();
    this.sql.run("DELETE FROM channels WHERE id = ?", id);
  }

  forget(): void {
    this.#active = null;
  }
}
