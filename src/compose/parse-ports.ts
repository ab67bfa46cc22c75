import { Fault } from "#base";
import type { Mapping } from "#yaml";
import { byBytes } from "./value.ts";

/**
 * Ports in the short form, as "8080:80/tcp" or "127.0.0.1:8000-8010:80-90", one mapping for each port
 * of the container; the messages are those of Docker's parser.
 */
export function parsePorts(spec: string): Mapping[] {
  const { address, published, target, protocol } = splitPort(spec);
  const targets = range(target, "containerPort", target);
  const ports = published === "" ? undefined : range(published, "hostPort", published);
  const size = targets.end - targets.start;
  if (ports !== undefined && ports.end - ports.start !== size && size !== 0) {
    throw new Fault(
      "invalid",
      `Invalid ranges specified for container and host Ports: ${target} and ${published}`,
    );
  }
  const mappings: { key: string; mapping: Mapping }[] = [];
  for (let i = 0; i <= size; i++) {
    const mapping: Mapping = new Map([["mode", "ingress"]]);
    if (address !== "") mapping.set("host_ip", address);
    mapping.set("target", targets.start + i);
    if (ports !== undefined) {
      const isOneOfMany = size === 0 && ports.end > ports.start;
      mapping.set("published", isOneOfMany ? published : String(ports.start + i));
    }
    mapping.set("protocol", protocol);
    mappings.push({ key: `${targets.start + i}/${protocol}`, mapping });
  }
  return mappings.sort((a, b) => byBytes(a.key, b.key)).map(({ mapping }) => mapping);
}

function splitPort(spec: string) {
  const slash = spec.lastIndexOf("/");
  const protocol = slash < 0 ? "tcp" : spec.slice(slash + 1);
  const rest = slash < 0 ? spec : spec.slice(0, slash);
  const parts = rest.split(":");
  const target = parts.pop() as string;
  const published = parts.pop() ?? "";
  let address = parts.join(":");
  if (address.startsWith("[") && address.endsWith("]")) address = address.slice(1, -1);
  else if (address.includes(":")) {
    const why = `address ${address}:: too many colons in address`;
    throw new Fault("invalid", `Invalid ip address ${address}: ${why}`);
  }
  if (address !== "" && !isAddress(address)) {
    throw new Fault("invalid", `Invalid ip address: ${address}`);
  }
  if (target === "") throw new Fault("invalid", `No port specified: ${spec}<empty>`);
  if (!["tcp", "udp", "sctp"].includes(protocol.toLowerCase())) {
    throw new Fault("invalid", `Invalid proto: ${protocol}`);
  }
  return { address, published, target, protocol: protocol.toLowerCase() };
}

function isAddress(text: string): boolean {
  const four = text.split(".");
  const isFour =
    four.length === 4 &&
    four.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && Number(part) <= 255);
  return isFour || (text.includes(":") && URL.canParse(`http://[${text.replace(/%.*$/, "")}]/`));
}

function range(text: string, what: string, shown: string): { start: number; end: number } {
  const parts = text.split("-");
  const [first = "", last = first] = parts;
  const isPort = (port: string) => /^\d+$/.test(port) && Number(port) <= 65535;
  if (parts.length > 2 || !isPort(first) || !isPort(last)) {
    throw new Fault("invalid", `Invalid ${what}: ${shown}`);
  }
  if (Number(last) < Number(first)) throw new Fault("invalid", `Invalid ${what}: ${shown}`);
  return { start: Number(first), end: Number(last) };
}
