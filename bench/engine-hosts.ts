import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { connectApi, type EngineApi } from "./engine-api.ts";
import { connectNamespaces, makeNamespace } from "./network-namespace.ts";
import { command, peersTree, startDockerApart } from "./peers.ts";
import { makeImage } from "./stage.ts";
import { startSubject } from "./subject.ts";

type Within = (argv: readonly string[]) => string[];

/** An engine on a host of its own: a network namespace, with a cable to a machine outside. */
export interface EngineHost {
  readonly name: string;
  readonly api: EngineApi;
  /** The address of the host as the machine outside knows it. */
  readonly address: string;
  /** The command line of a verb, by the engine's own client. */
  argv(...rest: string[]): string[];
  /** Puts a command on the host. */
  onHost(argv: readonly string[]): string[];
  /** Puts a command on the machine outside. */
  outside(argv: readonly string[]): string[];
}

/** The hosts of thimble and, where there is one, of Docker: the first is thimble's. */
export interface EngineHosts extends AsyncDisposable {
  readonly all: readonly EngineHost[];
  readonly rounds: number;
  /** In both engines; it holds `traffic`, which `traffic` names outside of it. */
  readonly image: string;
  readonly traffic: string;
  versions(): Promise<string[]>;
}

/**
 * Starts a thimble and a Docker, each in a network namespace of its own with no other rule, bridge
 * or route in it than the engine's, so that neither meets the firewall of the other or of the machine.
 */
export async function openHosts(rounds: number): Promise<EngineHosts> {
  const tree = await peersTree();
  if (typeof tree !== "string") console.error(`without Docker: ${tree.missing}`);
  await using scope = new AsyncDisposableStack();
  const work = await mkdtemp("/var/tmp/thimble-hosts-");
  scope.defer(() => rm(work, { recursive: true, force: true }));
  const traffic = join(work, "traffic");
  await command(["cc", "-O2", "-static", "-o", traffic, join(import.meta.dir, "traffic.c")]);
  const image = await makeImage(work, { traffic });
  const outside = scope.use(await makeNamespace("outside"));
  const engines = {
    thimble: (within: Within) => startSubject({ within }),
    ...(typeof tree === "string" && {
      docker: (within: Within) => startDockerApart(tree, within),
    }),
  };
  const all: EngineHost[] = [];
  for (const [name, start] of Object.entries(engines)) {
    const namespace = scope.use(await makeNamespace(name));
    const address = await connectNamespaces(namespace, outside, all.length);
    // Out of reach of the terminal, whose interrupt ends the cases and not the engines.
    const within = (argv: readonly string[]) => ["setsid", ...namespace.enter(argv)];
    const { host, argv } = scope.use(await start(within));
    const api = connectApi(host);
    // A case that failed leaves them running, and thimble's outlive their engine.
    scope.defer(() => api.removeAll());
    await api.import(image);
    all.push({ name, api, address, argv, onHost: namespace.enter, outside: outside.enter });
  }
  const opened = scope.move();
  return {
    all,
    rounds,
    image: image.name,
    traffic,
    versions: () =>
      Promise.all(
        all.map(
          async ({ name, api }) => `${name === "docker" ? "Docker" : name} ${await api.version()}`,
        ),
      ),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
