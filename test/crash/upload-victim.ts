/**
 * An engine process that is to be killed while clients send contexts: prints "half" once it has taken
 * a part of a list's files, and of an archive, and waits for more.
 * Usage: upload-victim.ts DATA_ROOT RUN_ROOT
 */
import { openEngineAt } from "../support/engine.ts";
import { brokenUpload, uploadKey, uploadLines } from "../support/upload.ts";

const [dataRoot = "", runRoot = ""] = process.argv.slice(2);
const { engine } = await openEngineAt({ dataRoot, runRoot });
const { contexts, archives } = await engine.builds.builder();
const transfer = await contexts.begin(uploadKey, uploadLines());
const both = [Promise.withResolvers<void>(), Promise.withResolvers<void>()] as const;
void transfer.fill(brokenUpload(both[0].resolve));
void archives.fromArchive(brokenUpload(both[1].resolve));
await Promise.all(both.map(({ promise }) => promise));
process.stdout.write("half\n");
await new Promise(() => setInterval(() => undefined, 1_000_000));
