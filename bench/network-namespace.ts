import { command } from "./peers.ts";

/** A network namespace with `lo` up, that ends with its disposal. */
export interface NetworkNamespace extends AsyncDisposable {
  readonly name: string;
  /** Puts a command into it. */
  enter(argv: readonly string[]): string[];
}

export async function makeNamespace(what: string): Promise<NetworkNamespace> {
  const name = `bench-${what}-${process.pid}`;
  await command(["ip", "netns", "add", name]);
  const enter = (argv: readonly string[]) => ["nsenter", `--net=/run/netns/${name}`, ...argv];
  await command(enter(["ip", "link", "set", "lo", "up"]));
  return {
    name,
    enter,
    [Symbol.asyncDispose]: async () => void (await command(["ip", "netns", "delete", name])),
  };
}

/** A cable between two of them, from 10.213.INDEX.1 to 10.213.INDEX.2; gives the address of the first. */
export async function connectNamespaces(
  from: NetworkNamespace,
  to: NetworkNamespace,
  index: number,
): Promise<string> {
  const ends = [
    [from, "uplink", 1],
    [to, `host${index}`, 2],
  ] as const;
  const [[, near], [, far]] = ends;
  await command(
    from.enter(["ip", "link", "add", near, "type", "veth", "peer", far, "netns", to.name]),
  );
  for (const [namespace, link, last] of ends) {
    const address = `10.213.${index}.${last}/24`;
    await command(namespace.enter(["ip", "address", "add", address, "dev", link]));
    await command(namespace.enter(["ip", "link", "set", link, "up"]));
  }
  const gateway = `10.213.${index}.2`;
  await command(from.enter(["ip", "route", "add", "default", "via", gateway]));
  return `10.213.${index}.1`;
}
