import type { ContainerSummary } from "#wire";

type Port = ContainerSummary["Ports"][number];

/** As the docker CLI has it (cli/command/formatter/container.go, DisplayablePorts): ports that keep their number are put together in ranges, the others follow one by one. */
export function showPorts(ports: readonly Port[]): string {
  const moved: string[] = [];
  const done: string[] = [];
  const groups = new Map<string, { readonly port: Port; readonly first: number; last: number }>();
  for (const port of [...ports].sort(compare)) {
    const { IP = "", PrivatePort: first, PublicPort, Type } = port;
    if (IP !== "" && PublicPort !== first) {
      moved.push(`${hostAndPort(IP, `${PublicPort}`)}->${first}/${Type}`);
      continue;
    }
    const key = `${IP}/${Type}`;
    const group = groups.get(key);
    if (group && first === group.last + 1) {
      group.last = first;
      continue;
    }
    if (group) done.push(groupText(group));
    groups.set(key, { port, first, last: first });
  }
  return [...done, ...[...groups.values()].map(groupText), ...moved].join(", ");
}

function groupText({ port, first, last }: { port: Port; first: number; last: number }): string {
  const range = first === last ? `${first}` : `${first}-${last}`;
  return port.IP
    ? `${hostAndPort(port.IP, range)}->${range}/${port.Type}`
    : `${range}/${port.Type}`;
}

function compare(a: Port, b: Port): number {
  return (
    a.PrivatePort - b.PrivatePort ||
    order(a.IP ?? "", b.IP ?? "") ||
    (a.PublicPort ?? 0) - (b.PublicPort ?? 0) ||
    order(a.Type, b.Type)
  );
}

/** Go's order of strings: by their bytes. */
function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** "0.0.0.0:80", "[::]:80". */
export function hostAndPort(address: string, port: string): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
