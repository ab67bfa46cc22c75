import { mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import type { LayoutImage } from "./layout-image.ts";

/** A registry on the loopback, Debian's or ours, in a process of its own. */
export interface RegistryPeer extends AsyncDisposable {
  readonly name: string;
  readonly port: number;
  /** Another one after each restart. */
  pid(): number;
  /** `127.0.0.1:PORT/NAME:bench` */
  reference(name: string): string;
  /** Pushes an image by plain HTTP. */
  fill(name: string, image: LayoutImage): Promise<void>;
  /** Forgets everything; only where the registry keeps nothing in memory. */
  empty(): Promise<void>;
  /** A new process with the data of the one before, but none of its memory. */
  restart(): Promise<void>;
}

export interface RegistryPeerOptions {
  readonly name: string;
  /** Where it keeps its files; removed at the end. */
  readonly directory: string;
  argv(port: number, root: string): readonly string[] | Promise<readonly string[]>;
}

export async function startRegistry(options: RegistryPeerOptions): Promise<RegistryPeer> {
  const root = join(options.directory, "root");
  await mkdir(root, { recursive: true });
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/v2/`;
  let child = await serve(options, { port, root, url });
  const stop = async () => {
    child.kill("SIGTERM");
    await child.exited;
  };
  return {
    name: options.name,
    port,
    pid: () => child.pid,
    reference: (name) => `127.0.0.1:${port}/${name}:bench`,
    fill: (name, image) => fill(new URL(name, url), image),
    async empty() {
      for (const each of await readdir(root)) await rm(join(root, each), { recursive: true });
    },
    async restart() {
      await stop();
      child = await serve(options, { port, root, url });
    },
    async [Symbol.asyncDispose]() {
      await stop();
      await rm(options.directory, { recursive: true, force: true });
    },
  };
}

interface Place {
  readonly port: number;
  readonly root: string;
  readonly url: string;
}

async function serve({ name, directory, argv }: RegistryPeerOptions, { port, root, url }: Place) {
  const child = Bun.spawn([...(await argv(port, root))], {
    stdin: "ignore",
    stdout: Bun.file(join(directory, "log")),
    stderr: Bun.file(join(directory, "errors")),
  });
  for (let attempt = 0; ; attempt++) {
    const answer = await fetch(url).catch(() => undefined);
    if (answer?.ok) return child;
    if (attempt > 200 || child.exitCode !== null) {
      child.kill();
      throw new Error(`${name} does not start: ${await complaint(directory)}`);
    }
    await Bun.sleep(50);
  }
}

/** Debian's docker-registry; with its usual memory of what blobs there are, or without. */
export function debianRegistry(
  binary: string,
  directory: string,
  { cache }: { readonly cache: boolean },
): RegistryPeerOptions {
  return {
    name: "docker-registry",
    directory,
    async argv(port, root) {
      const config = join(directory, "config.json");
      const storage = {
        ...(cache ? { cache: { blobdescriptor: "inmemory" } } : {}),
        filesystem: { rootdirectory: root },
        delete: { enabled: true },
      };
      const log = { level: "error", accesslog: { disabled: true } };
      const http = { addr: `127.0.0.1:${port}`, secret: "bench" };
      await writeFile(config, JSON.stringify({ version: "0.1", log, storage, http }));
      return [binary, "serve", config];
    },
  };
}

export function ownRegistry(binary: string, directory: string): RegistryPeerOptions {
  return {
    name: "thimble",
    directory,
    argv: (port, root) => [
      ...[binary, "registry", "serve"],
      ...["--addr", `127.0.0.1:${port}`, "--root", root],
    ],
  };
}

async function complaint(directory: string): Promise<string> {
  const texts = ["log", "errors"].map((name) => Bun.file(join(directory, name)).text());
  return (await Promise.all(texts)).join("").trim();
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  await new Promise((resolve) => server.close(resolve));
  if (address === null || typeof address === "string") throw new Error("no port on the loopback");
  return address.port;
}

/** distribution-spec, "Pushing blobs": POST then PUT; then the manifest. */
async function fill(repository: URL, image: LayoutImage): Promise<void> {
  for (const { digest, path } of [image.config, ...image.layers]) {
    const begun = await expectStatus(202, `${repository}/blobs/uploads/`, { method: "POST" });
    const place = new URL(begun.headers.get("location") ?? "", repository);
    place.searchParams.set("digest", digest);
    await expectStatus(201, place.href, { method: "PUT", body: Bun.file(path) });
  }
  await expectStatus(201, `${repository}/manifests/bench`, {
    method: "PUT",
    headers: { "content-type": image.manifest.mediaType },
    body: image.manifest.bytes,
  });
}

async function expectStatus(status: number, url: string, request: RequestInit): Promise<Response> {
  const response = await fetch(url, request);
  if (response.status === status) return response;
  throw new Error(`${request.method} ${url}: ${response.status} ${await response.text()}`);
}
