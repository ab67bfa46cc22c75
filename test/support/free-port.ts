import { randomInt } from "node:crypto";
import { createServer } from "node:net";

/**
 * A port of this host that nobody listens on just now, at any address. It is below those that the
 * kernel gives by itself (ip_local_port_range), so that no connection of another test takes it
 * before it is used.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(10_000, 32_768);
    if (await isFree(port)) return port;
  }
}

/** Whether the port can be listened on at all addresses of IPv4. */
export async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen({ port, host: "0.0.0.0" }, () => resolve(true));
  });
  if (free) await new Promise((resolve) => server.close(resolve));
  return free;
}
