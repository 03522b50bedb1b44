// What the object itself checks about keys and links, after the Worker has let the caller in.

import { expect, it } from "vitest";
import type { Caller } from "../../../src/access/callers.ts";
import { deny } from "../../../src/access/refusals.ts";
import { Keyring } from "../../../src/enterprise/books/keyring.ts";
import { migrate } from "../../../src/enterprise/books/schema.ts";
import { MINUTE_MS, NOON } from "../../support/books.ts";
import { openSql } from "../../support/node-sql.ts";

function newKeyring(): Keyring {
  const sql = openSql();
  migrate(sql);
  return new Keyring(sql);
}

it("identifies a key by its id and its hash together", () => {
  const keyring = newKeyring();
  keyring.add({ id: "k1", name: "agents", scopes: ["debit"], hash: "right", expiresAtMs: null }, "operator", NOON);
  const caller = (id: string, hash: string): Caller => ({ kind: "key", id, hash, scopes: ["debit"] });
  expect(keyring.findFault(caller("k1", "right"), NOON)).toBeNull();
  expect(keyring.findFault(caller("k1", "other"), NOON)).toEqual(deny({ code: "key_invalid" }));
  expect(keyring.findFault(caller("k2", "right"), NOON)).not.toBeNull();
  keyring.revoke({ kind: "operator" }, "k1", NOON);
  expect(keyring.findFault(caller("k1", "right"), NOON)).toEqual(deny({ code: "key_revoked" }));
});

it("refuses a key from the millisecond in which it expires, also when the Worker has let it in before", () => {
  const keyring = newKeyring();
  const key = { id: "k1", name: "agents", scopes: ["debit"] as const, hash: "right", expiresAtMs: NOON };
  keyring.add(key, "operator", NOON - MINUTE_MS);
  const caller: Caller = { kind: "key", id: "k1", hash: "right", scopes: ["debit"] };
  expect(keyring.findFault(caller, NOON - 1)).toBeNull();
  expect(keyring.findFault(caller, NOON)).toEqual(deny({ code: "key_expired" }));
});

it("lets a sign-in link be used once", () => {
  const keyring = newKeyring();
  const link = (id: string) => ({ id, expiresAtMs: NOON + 5 * MINUTE_MS });
  expect(keyring.useLink(link("l1"), NOON)).toEqual({ issuedAtMs: NOON });
  expect(keyring.useLink(link("l1"), NOON + MINUTE_MS)).toEqual(deny({ code: "link_used" }));
  expect(keyring.useLink(link("l2"), NOON + MINUTE_MS)).toEqual({ issuedAtMs: NOON + MINUTE_MS });
});
