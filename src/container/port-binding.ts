import { isIP } from "node:net";
import { Fault } from "#base";
import type { Config } from "./config-options.ts";
import type { HostConfig } from "./host-options.ts";
import { shapes } from "./option.ts";

const protocols = ["tcp", "udp", "sctp"] as const;

/** A port of a container, as "80/tcp" names it. */
export interface ContainerPort {
  readonly protocol: (typeof protocols)[number];
  readonly containerPort: number;
}

/** Where on the host a port is to be published; see `WantedPort` of network. */
interface HostBinding {
  readonly hostIp: string;
  readonly range?: { readonly first: number; readonly last: number };
}

/** The bindings that were asked for one port. */
export interface PortBinding extends ContainerPort {
  readonly bindings: readonly HostBinding[];
}

/** The form of PortBindings. */
export const portBindingsSchema = shapes.record(
  shapes.list(shapes.object({ HostIp: shapes.text, HostPort: shapes.text })).nullish(),
);

/** The body of POST /thimble/v1/containers/ID/ports and of its removal. */
export const portsChangeSchema = shapes.object({ PortBindings: portBindingsSchema });

/** PortBindings as they are on the wire. */
export type PortBindingsBody = Readonly<Record<string, readonly BindingBody[] | null | undefined>>;

interface BindingBody {
  readonly HostIp?: string | null | undefined;
  readonly HostPort?: string | null | undefined;
}

/** "80/tcp" or "80"; undefined for any other text, as a range. */
export function parseContainerPort(text: string): ContainerPort | undefined {
  const [number = "", name = "tcp", ...more] = text.split("/");
  const containerPort = portNumber(number);
  const protocol = protocols.find((each) => each === name.toLowerCase());
  return protocol && containerPort && more.length === 0 ? { protocol, containerPort } : undefined;
}

function portNumber(text: string): number | undefined {
  const number = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  return number > 0 && number <= 65535 ? number : undefined;
}

function invalidPort(text: string): Fault {
  return new Fault("invalid", `invalid port specification: "${text}"`, { about: text });
}

/** PortBindings of Docker's HostConfig: `invalid`, in Docker's words, for what is no port or address. */
export function parsePortBindings(sent: PortBindingsBody): readonly PortBinding[] {
  return Object.entries(sent).map(([key, list]) => {
    const port = parseContainerPort(key);
    if (!port) throw invalidPort(key.split("/")[0] ?? "");
    return { ...port, bindings: (list ?? []).map(parseBinding) };
  });
}

/** As inspect shows them: each with both of its fields. */
export function shownBindings(sent: PortBindingsBody): unknown {
  return Object.fromEntries(
    Object.entries(sent).map(([key, list]) => [
      key,
      list?.map(({ HostIp, HostPort }) => ({ HostIp: HostIp ?? "", HostPort: HostPort ?? "" })) ??
        null,
    ]),
  );
}

function parseBinding({ HostIp, HostPort }: BindingBody): HostBinding {
  const [hostIp, hostPort] = [HostIp ?? "", HostPort ?? ""];
  if (hostIp !== "" && (isIP(hostIp) === 0 || hostIp.includes("%")))
    throw new Fault("invalid", `invalid IP address: ${hostIp}`, { about: hostIp });
  if (hostPort === "" || hostPort === "0") return { hostIp };
  const [from = "", to = from, ...more] = hostPort.split("-");
  const [first, last] = [portNumber(from), portNumber(to)];
  if (!first || !last || first > last || more.length > 0) throw invalidPort(hostPort);
  return { hostIp, range: { first, last } };
}

/** The ports that are exposed; what is no single port, as a range, is only shown. */
export function exposedPorts({ ExposedPorts }: Pick<Config, "ExposedPorts">): ContainerPort[] {
  const ports = Object.keys(ExposedPorts).flatMap((key) => parseContainerPort(key) ?? []);
  return ports.sort(
    (a, b) => a.containerPort - b.containerPort || a.protocol.localeCompare(b.protocol),
  );
}

/** The ports to publish: as in Docker those that are exposed, each to where it is bound or, with PublishAllPorts, to any port. */
export function wantedPorts(
  config: Pick<Config, "ExposedPorts">,
  host: Pick<HostConfig, "PortBindings" | "PublishAllPorts">,
): readonly (ContainerPort & HostBinding)[] {
  return exposedPorts(config).flatMap(({ protocol, containerPort }) => {
    const bound = host.PortBindings.filter(
      (each) => each.protocol === protocol && each.containerPort === containerPort,
    ).flatMap(({ bindings }) => bindings);
    const all = bound.length === 0 && host.PublishAllPorts ? [{ hostIp: "" }] : bound;
    return all.map((binding) => ({ protocol, containerPort, ...binding }));
  });
}
