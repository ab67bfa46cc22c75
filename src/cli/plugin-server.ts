import { chmodSync, mkdirSync, rmSync } from "node:fs";
import { createServer, type IncomingMessage, type Server } from "node:http";
import { connect } from "node:net";
import { dirname } from "node:path";
import { Fault, faultOf } from "#base";
import type { Client } from "#client";
import type { Volume } from "#wire";

const mediaType = "application/vnd.docker.plugins.v1.2+json";
/** A name, an ID, and options of mount(8). */
const maxRequest = 1 << 20;

interface Request {
  readonly Name?: string;
  readonly ID?: string;
  readonly Opts?: Readonly<Record<string, string>> | null;
}

type Methods = Readonly<Record<string, (request: Required<Request>) => Promise<object>>>;

/**
 * The volumes of an engine as Docker's volume plugin protocol, version 1, has them. Those of other
 * plugins are left out: the other engine has them itself.
 * @param engineId by which the engine knows a plugin that is itself
 */
function pluginMethods({ volumes }: Client, engineId: string): Methods {
  const listed = async (filters: Readonly<Record<string, readonly string[]>>) =>
    (await volumes.list({ filters: { ...filters, driver: ["local"] } })).Volumes;
  // By a list: the engine would ask its plugins for a volume that it does not know, us among them.
  const find = async (name: string) => {
    const found = await listed({ name: [`^${name.replace(/[^\w-]/g, "\\$&")}$`] });
    const volume = found.find(({ Name }) => Name === name);
    if (!volume) throw new Fault("not_found", `get ${name}: no such volume`, { about: name });
    return volume;
  };
  const shown = ({ Name, Mountpoint, CreatedAt, Status = {} }: Volume) => ({
    ...{ Name, Mountpoint, Status },
    ...(CreatedAt && { CreatedAt }),
  });
  return {
    "Plugin.Activate": async () => ({ Implements: ["VolumeDriver"], ThimbleEngine: engineId }),
    "VolumeDriver.Capabilities": async () => ({ Capabilities: { Scope: "local" } }),
    "VolumeDriver.Create": async ({ Name, Opts }) => {
      const DriverOpts = Object.keys(Opts ?? {}).length > 0 ? { ...Opts } : null;
      await volumes.create({ Name, Driver: "local", DriverOpts, Labels: null });
      return {};
    },
    "VolumeDriver.Remove": async ({ Name }) => {
      await find(Name);
      await volumes.remove(Name);
      return {};
    },
    "VolumeDriver.Mount": async ({ Name, ID }) => {
      await find(Name);
      return { Mountpoint: (await volumes.lend(Name, ID)).Mountpoint };
    },
    "VolumeDriver.Unmount": async ({ Name, ID }) => {
      await volumes.takeBack(Name, ID);
      return {};
    },
    "VolumeDriver.Path": async ({ Name }) => ({ Mountpoint: (await find(Name)).Mountpoint }),
    "VolumeDriver.Get": async ({ Name }) => ({ Volume: shown(await find(Name)) }),
    "VolumeDriver.List": async () => ({ Volumes: (await listed({})).map(shown) }),
  };
}

async function readRequest(request: IncomingMessage): Promise<Required<Request>> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request) {
    size += chunk.length;
    if (size > maxRequest) throw new Fault("invalid", "the request is larger than 1 MiB");
    chunks.push(chunk);
  }
  const body = JSON.parse(Buffer.concat(chunks).toString() || "{}") as Request;
  return { Name: String(body.Name ?? ""), ID: String(body.ID ?? ""), Opts: body.Opts ?? null };
}

/** Serves the volumes of an engine as a plugin, at a socket for root alone. `exists` when somebody listens there. */
export async function servePlugin(client: Client, socket: string): Promise<Server> {
  const { ID } = await client.system.info();
  const methods = pluginMethods(client, ID);
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: object) => {
      response.writeHead(status, { "content-type": mediaType });
      response.end(JSON.stringify(body));
    };
    try {
      const method = Object.hasOwn(methods, (request.url ?? "").slice(1))
        ? methods[(request.url ?? "").slice(1)]
        : undefined;
      if (!method) answer(404, { Err: "no such method" });
      else answer(200, await method(await readRequest(request)));
    } catch (error) {
      answer(500, { Err: faultOf(error).message });
    }
  });
  await refuseServed(socket);
  mkdirSync(dirname(socket), { recursive: true });
  rmSync(socket, { force: true });
  await new Promise<void>((resolve, reject) => {
    server.on("error", reject);
    server.listen(socket, resolve);
  });
  chmodSync(socket, 0o600);
  return server;
}

/** A socket that nobody listens at is left over from a crash. */
async function refuseServed(socket: string): Promise<void> {
  const isServed = await new Promise<boolean>((resolve) => {
    const client = connect(socket);
    client.on("connect", () => resolve(true));
    client.on("error", () => resolve(false));
    client.on("close", () => client.destroy());
    client.unref();
  });
  if (isServed)
    throw new Fault("exists", `a plugin is served at ${socket} already; end it, or use --socket`, {
      about: socket,
    });
}
