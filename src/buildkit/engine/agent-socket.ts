import { mkdirSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { newId } from "#base";
import type { BuildClient } from "../build/solver.ts";

/** A socket that leads to an agent. */
export interface AgentSocket extends AsyncDisposable {
  readonly path: string;
}

/** An agent that a step asks for. */
interface WantedAgent {
  readonly client: BuildClient;
  readonly id: string;
  /** For sockets; of the engine alone, which finds none of a forerunner's there. */
  readonly directory: string;
}

/** Serves an agent of a client at a socket of this host, for a step; each connection is one to the agent. */
export async function openAgentSocket({
  client,
  id,
  directory,
}: WantedAgent): Promise<AgentSocket> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const path = join(directory, newId().slice(0, 12));
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
      rmSync(path, { force: true });
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
