import { Fault } from "#base";

export interface Ports {
  /** "80/tcp" and so on. */
  readonly exposed: Readonly<Record<string, Record<string, never>>>;
  readonly bindings: Readonly<Record<string, readonly { HostIp: string; HostPort: string }[]>>;
}

/** `-p [IP:][HOST:]CONTAINER[/PROTOCOL]` with ranges, and `--expose`; `place` is where such a word stands. */
export function parsePorts(
  published: readonly string[],
  exposed: readonly string[],
  place = 'for "-p, --publish" flag',
): Ports {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  const all: Record<string, Record<string, never>> = {};
  for (const word of published) {
    for (const { port, ...binding } of publishedPorts(word, place)) {
      all[port] = {};
      bindings[port] = [...(bindings[port] ?? []), binding];
    }
  }
  for (const word of exposed) {
    const [numbers = "", protocol = "tcp"] = word.split("/");
    const range = parseRange(numbers);
    if (!range) throw new Fault("invalid", `invalid range format for --expose: ${word}`);
    for (let port = range[0]; port <= range[1]; port++) all[`${port}/${protocol}`] = {};
  }
  return { exposed: all, bindings };
}

function publishedPorts(
  word: string,
  place: string,
): { port: string; HostIp: string; HostPort: string }[] {
  const invalid = (why: string) =>
    new Fault("invalid", `invalid argument "${word}" ${place}: ${why}`, {
      about: word,
    });
  const match = /^(?:(?:(\[[0-9a-fA-F:.]+\]|[0-9.]*):)?([0-9-]*):)?([0-9-]+)(?:\/(\w+))?$/.exec(
    word,
  );
  if (!match) throw invalid("write [IP:][HOST:]CONTAINER[/PROTOCOL]");
  const [, address = "", host = "", inside = "", protocol = "tcp"] = match;
  if (!/^(tcp|udp|sctp)$/i.test(protocol)) throw invalid(`invalid proto: ${protocol}`);
  const inner = parseRange(inside);
  if (!inner) throw invalid(`invalid containerPort: ${inside}`);
  const outer = host === "" ? undefined : parseRange(host);
  if (host !== "" && !outer) throw invalid(`invalid hostPort: ${host}`);
  const count = inner[1] - inner[0];
  const pick = outer && count === 0 && outer[1] > outer[0];
  if (outer && !pick && outer[1] - outer[0] !== count) {
    throw invalid(`invalid ranges specified for container and host Ports: ${inside} and ${host}`);
  }
  const HostIp = address.replace(/^\[|\]$/g, "");
  return Array.from({ length: count + 1 }, (_, index) => ({
    port: `${inner[0] + index}/${protocol.toLowerCase()}`,
    HostIp,
    HostPort: pick ? host : outer ? String(outer[0] + index) : "",
  }));
}

function parseRange(text: string): readonly [number, number] | undefined {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (!match) return undefined;
  const from = Number(match[1]);
  const to = Number(match[2] ?? match[1]);
  return from <= to && from > 0 && to <= 65535 ? [from, to] : undefined;
}
