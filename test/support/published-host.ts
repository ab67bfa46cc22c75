import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { PortExplanation, WantedPort } from "#network";
import type { Host } from "./lan.ts";
import { enter } from "./namespace.ts";

/** A container of port-host.ts. */
interface Place {
  readonly address: string;
  readonly gateway: string;
  readonly address6: string;
  readonly gateway6: string;
  readonly netns: string;
}

type Count = { readonly packets: number; readonly bytes: number };

interface PortCounts extends Omit<PortExplanation, "traffic" | "translated"> {
  readonly traffic?: { readonly clients: number };
  readonly translated?: { readonly received: Count; readonly sent: Count };
}

export interface PortEngine extends AsyncDisposable {
  /** The ports go from "web" to "near". */
  move(): void;
  /** What the engine says of the ports of "web", with its counts. */
  explain(): Promise<readonly PortCounts[]>;
  /** The name of the bridge of "web" and "near". */
  readonly bridge: string;
  readonly web: Place;
  readonly near: Place;
  readonly far: Place;
  /** In an internal network. */
  readonly vault: Place;
}

let opened = 0;

/** An engine on the host that publishes ports of its container "web"; its networks have IPv6 too ("dual"), or alone ("six"). */
export async function publish(
  host: Host,
  ports: readonly WantedPort[],
  kind?: "dual" | "six",
  {
    /** Ports pass by a firewall that filters what comes in. */
    isThrough = false,
    runRoot = `/tmp/ports-${process.pid}-${opened++}`,
  } = {},
): Promise<PortEngine> {
  const script = `${import.meta.dirname}/port-host.ts`;
  const options = [runRoot, JSON.stringify(ports), ...(kind ? [kind] : [])];
  const command = enter(host.netns, process.execPath, script, ...options);
  const child = Bun.spawn(command, {
    ...{ stdin: "pipe", stdout: "pipe" },
    env: { ...process.env, ...(isThrough && { PUBLISH_THROUGH: "yes" }) },
  });
  const reader = child.stdout.getReader();
  const answer = async () => JSON.parse(new TextDecoder().decode((await reader.read()).value));
  return {
    ...(await answer()),
    explain: async () => {
      child.stdin.write("explain\n");
      child.stdin.flush();
      return await answer();
    },
    move: () => {
      child.stdin.write("move\n");
      child.stdin.flush();
    },
    [Symbol.asyncDispose]: async () => {
      child.stdin.end();
      expect(await child.exited).toBe(0);
    },
  };
}

/** A port of TCP and of UDP. */
export const wanted = (hostPort: number, hostIp = "", containerPort = 80): readonly WantedPort[] =>
  (["tcp", "udp"] as const).map((protocol) => ({
    ...{ protocol, containerPort, hostIp },
    range: { first: hostPort, last: hostPort },
  }));

/** A table of docs/ports.md by its first column: who a container takes its clients for. */
export function documented(heading: string): Readonly<Record<string, readonly string[]>> {
  const text = readFileSync(join(import.meta.dirname, "../../docs/ports.md"), "utf8");
  const table = text.slice(text.indexOf(`| ${heading} |`)).split("\n\n")[0] ?? "";
  const cells = table.split("\n").map((row) => row.split("|").map((cell) => cell.trim()));
  return Object.fromEntries(
    cells.slice(2).map(([, from = "", ...rest]) => [from, rest.slice(0, 3)]),
  );
}
