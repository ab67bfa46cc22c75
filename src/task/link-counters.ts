/** What went over a network interface, as seen from inside: received and sent. */
export interface LinkCounters {
  readonly received: Traffic;
  readonly sent: Traffic;
}

interface Traffic {
  readonly bytes: number;
  readonly packets: number;
  readonly errors: number;
  readonly dropped: number;
}

/** The interfaces of /proc/PID/net/dev (proc_pid_net(5)) by name, without `lo`. */
export function parseNetDev(text: string): Readonly<Record<string, LinkCounters>> {
  const links: Record<string, LinkCounters> = {};
  for (const line of text.split("\n")) {
    const match = /^\s*([^:]+):\s*(\d.*)$/.exec(line);
    if (!match?.[1] || match[1] === "lo") continue;
    const columns = (match[2] ?? "").trim().split(/\s+/).map(Number);
    links[match[1]] = { received: trafficAt(columns, 0), sent: trafficAt(columns, 8) };
  }
  return links;
}

function trafficAt(columns: readonly number[], at: number): Traffic {
  const [bytes = 0, packets = 0, errors = 0, dropped = 0] = columns.slice(at, at + 4);
  return { bytes, packets, errors, dropped };
}
