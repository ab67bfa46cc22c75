import { once } from "node:events";
import { rmSync } from "node:fs";
import type { Verb } from "../command.ts";
import { pluginSocket, type volumeServePluginFlags } from "../table/volumes.ts";

/** Serves until SIGINT or SIGTERM. */
export const volumeServePlugin: Verb<typeof volumeServePluginFlags> = async (
  context,
  { flags },
) => {
  const { socket = pluginSocket } = flags;
  const { servePlugin } = await import("../plugin-server.ts");
  const server = await servePlugin(context.client, socket);
  await context.out.write(`serving volumes at ${socket}\n`);
  await Promise.race([once(process, "SIGINT"), once(process, "SIGTERM")]);
  rmSync(socket, { force: true });
  server.closeAllConnections();
  server.close();
  return 0;
};
