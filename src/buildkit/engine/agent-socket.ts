import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BuildClient } from "../build/solver.ts";

/** A socket that leads to an agent. */
export interface AgentSocket extends AsyncDisposable {
  readonly path: string;
}

/** Serves an agent of a client at a socket of this host, for a step; each connection is one to the agent. */
export async function openAgentSocket(client: BuildClient, id: string): Promise<AgentSocket> {
  const directory = mkdtempSync(join(tmpdir(), "thimble-agent-"));
  const path = join(directory, "agent");
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    socket.on("error", () => socket.destroy());
    serveAgent(client, id, socket).catch(() => socket.destroy());
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(path, resolve);
  await promise;
  return {
    path,
    async [Symbol.asyncDispose]() {
      server.close();
      for (const socket of sockets) socket.destroy();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function serveAgent(client: BuildClient, id: string, socket: Socket): Promise<void> {
  await using agent = await client.agent(id);
  const answers = async () => {
    for await (const bytes of agent.received) socket.write(bytes);
    socket.end();
  };
  const answered = answers();
  answered.catch(() => socket.destroy());
  for await (const bytes of socket) await agent.send(bytes);
  await answered;
}
