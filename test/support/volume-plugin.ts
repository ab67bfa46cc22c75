import {
  appendFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type Server } from "node:http";
import { join } from "node:path";

/**
 * A volume plugin of Docker's protocol, version 1, as its documentation has it: volumes are
 * directories, and a mount is told from others by its ID. All that it knows is in DIRECTORY, so that
 * it survives its process. DIRECTORY/behaviour makes it misbehave: "METHOD hang", "METHOD die",
 * "METHOD garbage", "METHOD refuse", or "METHOD " and the text of an answer.
 * As a program: volume-plugin.ts SOCKET DIRECTORY.
 */
export async function servePlugin(socket: string, directory: string): Promise<Server> {
  mkdirSync(join(directory, "volumes"), { recursive: true });
  const methods = methodsOf(directory);
  const server = createServer(async (request, response) => {
    const method = (request.url ?? "").slice(1).replace("VolumeDriver.", "");
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = JSON.parse(Buffer.concat(chunks).toString() || "{}");
    appendFileSync(join(directory, "calls"), `${JSON.stringify({ method, ...body })}\n`);
    const [wrong, how = ""] = behaviourOf(directory);
    if (wrong === method) {
      if (how === "hang") return;
      if (how === "die") process.kill(process.pid, "SIGKILL");
      const refusal = JSON.stringify({ Err: "refused as told" });
      response.writeHead(how === "refuse" ? 500 : 200);
      response.end(how === "refuse" ? refusal : how === "garbage" ? "<html>" : how);
      return;
    }
    const answer = methods[method];
    response.writeHead(answer ? 200 : 404, {
      "content-type": "application/vnd.docker.plugins.v1.2+json",
    });
    try {
      response.end(answer ? JSON.stringify(answer(body)) : "no such method");
    } catch (error) {
      response.end(JSON.stringify({ Err: (error as Error).message }));
    }
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return server;
}

function behaviourOf(directory: string): readonly string[] {
  const file = join(directory, "behaviour");
  if (!existsSync(file)) return [];
  const [, method = "", how = ""] = /^(\S+) (.*)$/.exec(readFileSync(file, "utf8")) ?? [];
  return [method, how];
}

interface Known {
  readonly options: Readonly<Record<string, string>>;
  readonly mounts: readonly string[];
}

interface Body {
  readonly Name: string;
  readonly ID: string;
  /** dockerd sends null for none. */
  readonly Opts?: Readonly<Record<string, string>> | null;
}

type Methods = Readonly<Record<string, (body: Body) => object>>;

function methodsOf(directory: string): Methods {
  const file = join(directory, "volumes.json");
  const read = (): Record<string, Known> =>
    existsSync(file) ? JSON.parse(readFileSync(file, "utf8")) : {};
  const place = (name: string) => join(directory, "volumes", name);
  const get = (name: string) => {
    const found = read()[name];
    if (!found) throw new Error(`no such volume: ${name}`);
    return found;
  };
  const change = (name: string, known: Known | undefined) => {
    const { [name]: _, ...others } = read();
    writeFileSync(file, JSON.stringify({ ...others, ...(known && { [name]: known }) }));
  };
  const shown = (name: string, { mounts, options }: Known) => ({
    ...{ Name: name, CreatedAt: "2024-05-06T07:08:09Z" },
    Mountpoint: mounts.length > 0 ? place(name) : "",
    Status: { Mounts: mounts.length, ...options },
  });
  return {
    "Plugin.Activate": () => ({ Implements: ["VolumeDriver"] }),
    Capabilities: () => ({ Capabilities: { Scope: "global" } }),
    Create: ({ Name, Opts }) => {
      if (Opts?.size === "wrong") throw new Error("size: not a number");
      mkdirSync(place(Name), { recursive: true });
      change(Name, { options: Opts ?? {}, mounts: [] });
      return {};
    },
    Remove: ({ Name }) => {
      if (get(Name).mounts.length > 0) throw new Error(`${Name} is mounted`);
      rmSync(place(Name), { recursive: true });
      change(Name, undefined);
      return {};
    },
    Mount: ({ Name, ID }) => {
      const known = get(Name);
      change(Name, { ...known, mounts: [...known.mounts, ID] });
      return { Mountpoint: place(Name) };
    },
    Unmount: ({ Name, ID }) => {
      const known = get(Name);
      if (!known.mounts.includes(ID)) throw new Error(`${Name} is not mounted as ${ID}`);
      change(Name, { ...known, mounts: known.mounts.filter((each) => each !== ID) });
      return {};
    },
    Path: ({ Name }) => ({ Mountpoint: shown(Name, get(Name)).Mountpoint }),
    Get: ({ Name }) => ({ Volume: shown(Name, get(Name)) }),
    List: () => ({
      Volumes: Object.entries(read()).map(([name, known]) => {
        const { Name, Mountpoint } = shown(name, known);
        return { Name, Mountpoint };
      }),
    }),
  };
}

/** A plugin in a process of its own. */
export interface PluginProcess extends AsyncDisposable {
  readonly directory: string;
  /** What it was asked since the last time, without questions that change nothing. */
  calls(): readonly Readonly<Record<string, unknown>>[];
  /** See DIRECTORY/behaviour; undefined: well again. */
  behave(how: string | undefined): void;
  /** Ends it; its socket stays, as after a crash. */
  kill(): Promise<void>;
  /** Starts it again. */
  revive(): Promise<void>;
}

export async function startPlugin(socket: string, directory: string): Promise<PluginProcess> {
  const start = async () => {
    rmSync(socket, { force: true });
    const child = Bun.spawn([process.execPath, import.meta.path, socket, directory], {
      stdin: "ignore",
      stdout: "pipe",
      stderr: "inherit",
    });
    await child.stdout.getReader().read();
    return child;
  };
  mkdirSync(directory, { recursive: true });
  let child = await start();
  const file = join(directory, "behaviour");
  const log = join(directory, "calls");
  const plugin: PluginProcess = {
    directory,
    calls() {
      const lines = existsSync(log) ? readFileSync(log, "utf8").trim().split("\n") : [];
      rmSync(log, { force: true });
      return lines
        .filter(Boolean)
        .map((line) => JSON.parse(line))
        .filter(({ method }) => /^(Create|Remove|Mount|Unmount)$/.test(method));
    },
    behave: (how) => (how === undefined ? rmSync(file, { force: true }) : writeFileSync(file, how)),
    async kill() {
      child.kill("SIGKILL");
      await child.exited;
    },
    async revive() {
      await plugin.kill();
      child = await start();
    },
    async [Symbol.asyncDispose]() {
      await plugin.kill();
      rmSync(socket, { force: true });
    },
  };
  return plugin;
}

if (import.meta.main) {
  const [socket = "", directory = ""] = process.argv.slice(2);
  await servePlugin(socket, directory);
  process.stdout.write("ready\n");
}
