import { existsSync, readFileSync } from "node:fs";
import { defined, Fault } from "#base";
import { ListenFault, type ListeningPort, type PortProxy } from "#helper";
import { addressBytes } from "./port-address.ts";
import type { PortProtocol, PublishedPort, PublishRequest, WantedPort } from "./port-contract.ts";
import { portHolder } from "./port-holder.ts";

/** linux/in.h */
const protocolNumbers: Readonly<Record<PortProtocol, number>> = { tcp: 6, udp: 17, sctp: 132 };
const LOCAL_PORTS = "/proc/sys/net/ipv4/ip_local_port_range";

/** Whom ports are for, and who has others. */
export type ListenPlace = Pick<PublishRequest, "address" | "nameOf">;

export interface PortListeningOptions {
  /** The container of this engine that has a port of the host. */
  readonly holderOf: (
    protocol: PortProtocol,
    hostPort: number,
  ) => { readonly container: string; readonly hostIp: string } | undefined;
}

/** Asks proxies to hold ports, and says in Docker's words why one cannot be had. */
export class PortListening {
  readonly #options: PortListeningOptions;
  #next = 0;

  constructor(options: PortListeningOptions) {
    this.#options = options;
  }

  /** All of the ports, in their order, or none: then the fault of the first that cannot be had. */
  async all(
    proxy: PortProxy,
    place: ListenPlace,
    ports: readonly WantedPort[],
  ): Promise<PublishedPort[]> {
    // The proxy takes one after the other, and none has to wait for the answer to another.
    const answers = await Promise.allSettled(
      ports.map((wanted) => this.#listen(proxy, place, wanted)),
    );
    const held = answers.flatMap((each) => (each.status === "fulfilled" ? each.value : []));
    const refused = answers.find((each) => each.status === "rejected");
    if (!refused) return held;
    await this.release(proxy, held);
    throw refused.reason;
  }

  /** Takes no more clients at these; one that is not held is no matter. */
  async release(proxy: PortProxy, ports: readonly PublishedPort[]): Promise<void> {
    await Promise.all(
      ports.map(async (port) => {
        try {
          await proxy.unlisten(listeningPort(port));
        } catch (error) {
          if (!(error instanceof ListenFault) || error.errno !== "ENOENT") throw error;
        }
      }),
    );
  }

  /** Holds these very ports again, as far as they are not held. */
  async again(
    proxy: PortProxy,
    place: ListenPlace,
    ports: readonly PublishedPort[],
  ): Promise<void> {
    for (const port of ports) {
      if ((await proxy.count(listeningPort(port))) !== undefined) continue;
      const range = { first: port.hostPort, last: port.hostPort };
      await this.#listen(proxy, place, { ...port, range });
    }
  }

  async #listen(
    proxy: PortProxy,
    { address, nameOf }: ListenPlace,
    wanted: WantedPort,
  ): Promise<PublishedPort[]> {
    const { protocol, containerPort, hostIp } = wanted;
    const hosts = hostIp === "" ? anyAddresses() : [hostIp];
    const range = wanted.range ?? localPorts();
    const begin = wanted.range ? range.first : this.#beginIn(range);
    const target = { address: addressBytes(address), port: containerPort };
    const addresses = hosts.map(addressBytes);
    try {
      const number = protocolNumbers[protocol];
      const hostPort = await proxy.listen({ protocol: number, target, ...range, begin, addresses });
      if (!wanted.range) this.#next = hostPort + 1;
      return hosts.map((host) => ({ protocol, containerPort, hostIp: host, hostPort }));
    } catch (error) {
      if (!(error instanceof ListenFault)) throw error;
      const host = hosts[error.index] ?? hostIp;
      throw this.#refused(error, { ...wanted, hostIp: host, address, nameOf });
    }
  }

  /** As Docker: one after the other, so that a port that was just given back is not the next one's. */
  #beginIn({ first, last }: { readonly first: number; readonly last: number }): number {
    return this.#next >= first && this.#next <= last ? this.#next : first;
  }

  /** In Docker's words, and by whom a port is held. */
  #refused(fault: ListenFault, at: WantedPort & ListenPlace): Fault {
    const { protocol, hostIp, containerPort, range, address } = at;
    const text =
      range && range.first !== range.last ? `${range.first}-${range.last}` : range?.first;
    const about = `${bracketed(hostIp)}:${text ?? 0}`;
    const detail = { about, cause: fault, ...defined({ errno: fault.errno }) };
    if (fault.errno === "EADDRINUSE" && range && range.first === range.last) {
      const other = this.#options.holderOf(protocol, range.first);
      if (other)
        return new Fault(
          "unavailable",
          `Bind for ${bracketed(other.hostIp)}:${text} failed: port is already allocated (held by container ${at.nameOf(other.container)})`,
          detail,
        );
    }
    if (fault.errno === "EADDRINUSE" && text !== range?.first)
      return new Fault("unavailable", "all ports are allocated", detail);
    if (fault.errno === "EPROTONOSUPPORT") {
      const lacks = `this kernel has no ${protocol.toUpperCase()} (module ${protocol})`;
      const message = `error starting userland proxy: failed to listen on ${about}: protocol not supported: ${lacks}`;
      return new Fault("unavailable", message, detail);
    }
    const why = reasons[fault.errno ?? ""] ?? `the kernel refused it (${fault.errno})`;
    const holder = fault.errno === "EADDRINUSE" && range ? portHolder(protocol, range.first) : "";
    const held = holder === "" ? "" : ` (held by ${holder})`;
    return new Fault(
      "unavailable",
      `failed to bind host port for ${about}:${address}:${containerPort}/${protocol}: ${why}${held}`,
      detail,
    );
  }
}

/** A port as a proxy names it. */
export function listeningPort({ protocol, hostIp, hostPort }: PublishedPort): ListeningPort {
  return {
    protocol: protocolNumbers[protocol],
    port: hostPort,
    address: addressBytes(hostIp),
  };
}

/** Go's words for them, which Docker shows. */
const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "address already in use",
  EADDRNOTAVAIL: "cannot assign requested address",
  EACCES: "permission denied",
};

function bracketed(address: string): string {
  return address.includes(":") ? `[${address}]` : address;
}

function anyAddresses(): readonly string[] {
  return existsSync("/proc/net/if_inet6") ? ["0.0.0.0", "::"] : ["0.0.0.0"];
}

/** Where the kernel, and Docker, take ports from that nobody has chosen. */
function localPorts(): { readonly first: number; readonly last: number } {
  const [first = 32768, last = 60999] = readFileSync(LOCAL_PORTS, "utf8")
    .trim()
    .split(/\s+/)
    .map(Number);
  return { first, last };
}
