import { constants, type Database } from "bun:sqlite";
import { statSync } from "node:fs";

/** Bytes set aside in the database and in its log of writes. */
const reserve = 512 * 1024;

/**
 * Sets space aside while there is some: free pages in the database and a log of writes
 * of that length, which SQLite then overwrites instead of growing, and keeps at the
 * end. So on a full disk a container's end can still be written down, and containers
 * and images can be removed, which is what makes room again.
 */
export function keepReserve(database: Database, path: string): void {
  if (path === ":memory:") return;
  database.fileControl(constants.SQLITE_FCNTL_PERSIST_WAL, 1);
  const value = (name: string) =>
    Number(Object.values(database.query(`PRAGMA ${name}`).get() as object)[0]);
  const free = value("freelist_count") * value("page_size");
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false })?.size ?? 0;
  if (free >= reserve / 2 && log >= reserve) return;
  try {
    database.run("CREATE TABLE reserve (space BLOB) STRICT");
    database.run(`INSERT INTO reserve VALUES (zeroblob(${reserve}))`);
  } finally {
    database.run("DROP TABLE IF EXISTS reserve");
    reuseLog(database);
  }
}

/**
 * Moves the content of the log of writes into the database, so that the log begins anew in its own
 * space.
 */
export function reuseLog(database: Database): void {
  database.run("PRAGMA wal_checkpoint(RESTART)");
}
