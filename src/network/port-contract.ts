import type { ForwardPolicy } from "./foreign-firewall.ts";
import type { PortExplanation } from "./port-explanation.ts";

export type PortProtocol = "tcp" | "udp" | "sctp";

/** A port of a container to publish. */
export interface WantedPort {
  readonly protocol: PortProtocol;
  readonly containerPort: number;
  /** An address of the host; "" for all, of IPv4 and IPv6. */
  readonly hostIp: string;
  /** The host's port is the first free one of this range; absent: of the kernel's range for such ports. */
  readonly range?: { readonly first: number; readonly last: number };
}

/** A port of the host that leads to one of a container. */
export interface PublishedPort {
  readonly protocol: PortProtocol;
  readonly containerPort: number;
  /** "0.0.0.0" and "::" stand for all addresses. */
  readonly hostIp: string;
  readonly hostPort: number;
}

/** Where the ports of a container lead to. */
export interface PortTarget {
  /** For proxies: its IPv4 address, or that of IPv6 where it has no other. */
  readonly address: string;
  /** What comes over IPv6 is translated to this; "" where nothing is. */
  readonly address6: string;
}

export interface PublishRequest extends PortTarget {
  /** The container's id. */
  readonly container: string;
  /** Whether they pass by a firewall of the host that filters what comes in. */
  readonly passesInput: boolean;
  readonly ports: readonly WantedPort[];
  /** The name of a container, for the message that it holds a port already. */
  readonly nameOf: (container: string) => string;
}

/** Ports to publish beside those that a container has. */
export interface AddRequest extends Pick<PublishRequest, "ports" | "nameOf"> {
  readonly also: () => void;
}

/** A process for good: its pid and field 22 of /proc/PID/stat. */
export interface ProcessName {
  readonly pid: number;
  readonly startTime: bigint;
}

/**
 * The published ports of one container, from before its program runs. They end with
 * this program until `hold` has named the container's process, then with that process. A proxy
 * that someone else ends meanwhile is replaced by one that holds the same ports.
 */
export interface Publication extends PortTarget {
  /** In the order in which they were wanted; one for all addresses has an entry for IPv4 and one for IPv6. */
  readonly ports: readonly PublishedPort[];
  /** The container's process, which waits to become the program. */
  hold(process: ProcessName): void;
  /**
   * Writes them down, for the next life of the engine: in the transaction that records the start, or
   * in one of its own with what `also` writes.
   */
  record(also?: () => void): void;
  /**
   * Leads the ports to other addresses of the container, from the next connection on: those that
   * are open stay as they are. Recorded; a crash leaves the old addresses or the new ones.
   */
  move(target: PortTarget): Promise<void>;
  /**
   * Publishes more, all or none; nothing else is interrupted. See `Ports.publish` for its faults.
   * `also` is called in the transaction that records them.
   */
  add(request: AddRequest): Promise<readonly PublishedPort[]>;
  /** Takes some back: nobody new comes in by them, connections that are open stay. `also` as in `add`. */
  remove(ports: readonly PublishedPort[], also: () => void): Promise<void>;
  /**
   * Gives the ports back; settles once they are free. Called again it does nothing. The proxy ends
   * with the container's process; where that goes on, `endsProxy` ends it.
   */
  withdraw(options?: { readonly endsProxy: boolean }): Promise<void>;
}

/**
 * Published ports. Each is held by a socket of a proxy, a process of its own per container,
 * which outlives the engine and ends with the container. Traffic from outside and from the host to its
 * own addresses is translated to the container by one element of an nftables map, so that the
 * container sees the client's address; what comes from containers, over loopback, over IPv6 to a container without it, and
 * everything where the host's firewall filters what comes in, goes through the proxy's socket.
 *
 * `publish` faults: `unavailable` for a port that is taken, with the errno EADDRINUSE and its holder
 * in the message; with another errno for an address that is not the host's or a protocol that
 * the kernel lacks. Nothing is then held.
 */
export interface Ports {
  /** Holds all of the ports, or none; see above for its faults. */
  publish(request: PublishRequest): Promise<Publication>;
  /** The ports of a container; empty for one that has none. */
  of(container: string): readonly PublishedPort[];
  /**
   * The publication of a container that runs on from an earlier life of the engine, with its process. A
   * proxy that has ended meanwhile is replaced.
   */
  adopt(container: string, process: ProcessName): Publication | undefined;
  /** The published ports of a container, with who reaches them and how; empty for one that has none. */
  explain(container: string): Promise<readonly PortExplanation[]>;
  /** What drops the packets that containers send to other machines, by the version of IP: see foreign-firewall.ts. */
  forwardPolicy(version: 4 | 6): Promise<ForwardPolicy | undefined>;
  /** Once what runs is known: withdraws the ports of all other containers. */
  retain(running: ReadonlySet<string>): Promise<void>;
  /** Stops listening; ports stay as they are. */
  close(): Promise<void>;
}
