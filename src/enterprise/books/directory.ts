/**
 * The directory: the names of workspaces, groups and users, and the group of each workspace. The ledger uses it to fix
 * the group of a run at the run's first charge. The copy in D1 uses it for names. Every part of it is optional.
 */
import { nextRevision } from "./progress.ts";
import type { Sql } from "./sql.ts";

export type DirectoryChange = {
  workspaces: { id: string; name: string; groupId: string | null | undefined }[];
  groups: { id: string; name: string }[];
  users: { id: string; name: string }[];
};

export type DirectorySize = { workspaces: number; groups: number; users: number };

/** Stores names and returns how many there were. A workspace whose `groupId` is undefined keeps its group. */
export function putDirectory(sql: Sql, change: DirectoryChange): DirectorySize {
  sql.transaction(() => {
    for (const { id, name, groupId } of change.workspaces) {
      const group = groupId === undefined ? groupOfWorkspace(sql, id) : groupId;
      putName(sql, "workspace", id, name, group);
    }
    for (const { id, name } of change.groups) putName(sql, "group", id, name, null);
    for (const { id, name } of change.users) putName(sql, "user", id, name, null);
  });
  return { workspaces: change.workspaces.length, groups: change.groups.length, users: change.users.length };
}

/** Whether a change puts a workspace into another group. */
export function movesWorkspaces(sql: Sql, { workspaces }: DirectoryChange): boolean {
  return workspaces.some(({ id, groupId }) => groupId !== undefined && groupId !== groupOfWorkspace(sql, id));
}

/** Returns the group of a workspace according to the directory; null if the directory has none. */
export function groupOfWorkspace(sql: Sql, workspace: string): string | null {
  const row = sql.all("SELECT group_id FROM names WHERE kind = 'workspace' AND id = ?", workspace)[0];
  return (row?.group_id ?? null) as string | null;
}

/** Returns a person's name according to the directory; null if the directory has none. */
export function findUserName(sql: Sql, user: string): string | null {
  return findName(sql, "user", user);
}

/** Returns the directory's name of an id; the id itself if the directory has none. */
export function nameOf(sql: Sql, kind: string, id: string): string {
  return findName(sql, kind, id) ?? id;
}

function findName(sql: Sql, kind: string, id: string): string | null {
  return (sql.all("SELECT name FROM names WHERE kind = ? AND id = ?", kind, id)[0]?.name ?? null) as string | null;
}

function putName(sql: Sql, kind: string, id: string, name: string, group: string | null): void {
  sql.run(
    `INSERT INTO names (kind, id, name, group_id, revision) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT (kind, id) DO UPDATE SET name = excluded.name, group_id = excluded.group_id, revision = excluded.revision`,
    kind,
    id,
    name,
    group,
    nextRevision(sql, "names_revision"),
  );
}
