/**
 * Starts one container, prints its id and dies by SIGKILL.
 * Usage: starter.ts DATA_ROOT RUN_ROOT CREATE_REQUEST_JSON
 */
import { writeSync } from "node:fs";
import { openEngineAt } from "../support/engine.ts";

const [dataRoot = "", runRoot = "", request = "{}"] = process.argv.slice(2);
const { engine } = await openEngineAt({ dataRoot, runRoot });
const { id } = await engine.containers.create(JSON.parse(request));
await engine.containers.start(id);
writeSync(1, `${id}\n`);
process.kill(process.pid, "SIGKILL");
