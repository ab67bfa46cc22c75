import { Fault } from "#base";
import type { PublishedPorts } from "#wire";
import type { Verb } from "../command.ts";
import { parsePorts } from "../create-ports.ts";
import { hostAndPort } from "../show-ports.ts";

/** As the docker CLI: all mappings, or those of one port, in its words when there is none. */
export const port: Verb<Record<never, never>> = async (context, { args }) => {
  const [ref = "", wanted] = args;
  const { NetworkSettings } = await context.client.containers.inspect(ref);
  const published = Object.entries(NetworkSettings.Ports).sort(byNumber);
  const key = wanted === undefined || wanted.includes("/") ? wanted : `${wanted}/tcp`;
  const found = published.filter(([name]) => key === undefined || name === key.toLowerCase());
  const lines = found.flatMap(([name, bindings]) =>
    hostsOf(bindings).map((host) => (key === undefined ? `${name} -> ${host}` : host)),
  );
  if (key !== undefined && lines.length === 0)
    throw new Fault("not_found", `Error: No public port '${wanted}' published for ${ref}`, {
      about: ref,
    });
  await context.out.write(lines.map((line) => `${line}\n`).join(""));
  return 0;
};

/** Prints where the ports are published now; a container that does not run publishes them at its start. */
export const portAdd: Verb<Record<never, never>> = async (context, { args }) => {
  const [ref = "", ...words] = args;
  const { bindings } = parsePorts(words, [], "for a port");
  const { Ports } = await context.client.containers.addPorts(ref, bindings);
  await context.out.write(linesOf(Ports));
  return 0;
};

/** Prints where the ports were published. */
export const portRm: Verb<Record<never, never>> = async (context, { args }) => {
  const [ref = "", ...words] = args;
  const { bindings } = parsePorts(words, [], "for a port");
  const { Ports } = await context.client.containers.removePorts(ref, bindings);
  await context.out.write(linesOf(Ports));
  return 0;
};

function linesOf(ports: PublishedPorts): string {
  return Object.entries(ports)
    .sort(byNumber)
    .flatMap(([name, bindings]) => hostsOf(bindings).map((host) => `${name} -> ${host}\n`))
    .join("");
}

/** By the number, then the protocol. */
function byNumber([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1);
}

function hostsOf(bindings: PublishedPorts[string] | null): readonly string[] {
  return (bindings ?? []).map(({ HostIp, HostPort }) => hostAndPort(HostIp, HostPort));
}
