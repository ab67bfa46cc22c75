/**
 * Does one thing whose system calls must come in a certain order.
 * Usage: traced-work.ts ROOT (blob | object | log | socket)
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createApiServer } from "#api";
import { silentLog } from "#base";
import { compressRotated, replaceRotated } from "#logs";
import { DiskStore } from "../../src/registry-server/disk-store.ts";
import { openTestContent } from "./content.ts";
import { createFakeEngine } from "./fake-engine.ts";
import { streamOf } from "./tree.ts";

const [root = "", what = ""] = process.argv.slice(2);

switch (what) {
  case "blob": {
    const { content } = await openTestContent(root);
    await content.ingest(streamOf(Buffer.from("a blob")));
    break;
  }
  case "object": {
    const store = await DiskStore.open(root);
    await store.write("a/b/object", Buffer.from("an object"));
    break;
  }
  case "log": {
    const path = join(root, "log");
    mkdirSync(root);
    writeFileSync(`${path}.1`, "a log");
    await compressRotated({
      ...{ path, maxFiles: 2, signal: new AbortController().signal },
      replace: (inode) => replaceRotated(path, 2, inode),
    });
    break;
  }
  case "socket": {
    mkdirSync(root);
    const server = createApiServer({ engine: createFakeEngine(), log: silentLog, version: "0" });
    await server.listen([{ kind: "unix", path: join(root, "socket"), mode: 0o660 }]);
    await server.close();
    break;
  }
  default:
    throw new Error(`traced-work.ts does not know "${what}"`);
}
