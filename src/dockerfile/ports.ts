import { isIP } from "node:net";
import { DockerfileFault, quote } from "./fault.ts";

/** A port of EXPOSE cut at its colons: "ADDRESS:HOST:CONTAINER". */
interface Parts {
  readonly address: string;
  readonly host: string;
  readonly container: string;
}

/** Whether EXPOSE names an address or a port of the host, which only `docker run` can give. */
export function namesHostPort(port: string): boolean {
  const { address, host } = splitParts(port);
  return address !== "" || host !== "";
}

/** Whether the protocol is written in other than small letters. */
export function hasUpperCaseProtocol(port: string): boolean {
  const slash = port.indexOf("/");
  const protocol = slash < 0 ? "" : port.slice(slash + 1);
  return protocol !== protocol.toLowerCase();
}

/** The ports that EXPOSE means with "80", "80/udp" or "80-90", as "80/tcp". `invalid` in BuildKit's words. */
export function exposedPorts(port: string): string[] {
  const { address, host, container } = splitParts(port);
  const slash = container.indexOf("/");
  const written = slash < 0 ? container : container.slice(0, slash);
  const protocol = (slash < 0 ? "" : container.slice(slash + 1)).toLowerCase() || "tcp";
  if (written === "") {
    throw new DockerfileFault(`invalid port: ${quote(container)}: no port specified`);
  }
  if (!["tcp", "udp", "sctp"].includes(protocol)) {
    throw new DockerfileFault(`invalid port: ${quote(container)}: invalid proto: ${protocol}`);
  }
  const ip = address.replace(/^\[(.*)\]$/, "$1");
  if (ip !== "" && isIP(ip) === 0) throw new DockerfileFault(`invalid IP address: ${ip}`);
  const range = parseRange(written);
  if (!range) throw new DockerfileFault(`invalid containerPort: ${written}`);
  if (host !== "") checkHostPorts(host, written, range);
  const { first, last } = range;
  return Array.from({ length: last - first + 1 }, (_, index) => `${first + index}/${protocol}`);
}

function checkHostPorts(host: string, container: string, { first, last }: Range): void {
  const range = parseRange(host);
  if (!range) throw new DockerfileFault(`invalid hostPort: ${host}`);
  if (first === last || last - first === range.last - range.first) return;
  throw new DockerfileFault(
    `invalid ranges specified for container and host Ports: ${container} and ${host}`,
  );
}

interface Range {
  readonly first: number;
  readonly last: number;
}

function parseRange(text: string): Range | undefined {
  const match = /^(\d+)(?:-(\d+))?$/.exec(text);
  if (!match) return undefined;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first <= last && last <= 0xffff ? { first, last } : undefined;
}

function splitParts(port: string): Parts {
  const parts = port.split(":");
  const container = parts.pop() ?? "";
  const host = parts.pop() ?? "";
  return { address: parts.join(":"), host, container };
}
