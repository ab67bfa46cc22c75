import { Database } from "bun:sqlite";
import { join } from "node:path";
import type { TestRoots } from "./engine.ts";

/** The pid of the process that holds the published ports of a container, as the engine has it on record. */
export function proxyPid({ dataRoot }: TestRoots, container: string): number {
  using database = new Database(join(dataRoot, "state.db"), { readonly: true });
  const row = database
    .query<{ pid: number }, [string]>(
      "SELECT proxy_pid AS pid FROM published_port WHERE container = ?",
    )
    .get(container);
  return row?.pid ?? 0;
}
