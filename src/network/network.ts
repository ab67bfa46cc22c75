import { createHash } from "node:crypto";
import { isFault, type Log, silentLog } from "#base";
import { type Fd, Nftables } from "#kernel";
import { AddressPool } from "./address-pool.ts";
import {
  type Bridge,
  type BridgeNames,
  bridgeNames,
  deleteBridge,
  ensureBridge,
} from "./bridge.ts";
import { type Endpoint, makeEndpoint, makeIsolated } from "./endpoint.ts";
import { bridgeRules, keepRules, removeRules } from "./firewall.ts";
import { ensureForwarding, keepForeignOut, passForward, removePass } from "./forwarding.ts";
import { formatSubnet, parseIpv4, parseSubnet } from "./ipv4.ts";
import { ReadyPool } from "./ready-pool.ts";

const ENDPOINTS_READY = 4;
const ISOLATED_READY = 2;
/** How often the packet filter is looked at while endpoints are made. */
const CHECK_MS = 10_000;

export interface NetworkOptions {
  /** Gives the network its id. */
  readonly instanceId: string;
  /** Gives the bridge and the nftables table their names. */
  readonly runRoot: string;
  /** The bridge's network, e.g. "172.20.0.0/16"; one that no route of the host overlaps by default. */
  readonly subnet?: string;
  readonly log?: Log;
}

export interface BridgeDescription {
  readonly bridge: string;
  readonly subnet: string;
  readonly gateway: string;
}

/** An endpoint as it is remembered: `netns` is gone when the engine was restarted meanwhile. */
export type KnownEndpoint = Pick<Endpoint, "address" | "endpointId"> & { readonly netns?: Fd };

/**
 * The default bridge and its address book.
 *
 * What `attach` and `isolated` give was made ahead, so that they cost nothing at a
 * container's start, and is never given twice. An endpoint lives until `release`;
 * its namespace until the last process and descriptor of it is gone. After a crash
 * everything is as before: the bridge keeps its network, namespaces of running
 * containers stay, `adopt` tells which addresses those have.
 */
export interface Network {
  /** 64 hexadecimal digits. */
  readonly id: string;
  describe(): Promise<BridgeDescription>;
  attach(): Promise<Endpoint>;
  isolated(): Promise<Fd>;
  /** Closes the namespace's descriptor and gives the address back; once per endpoint. */
  release(endpoint: KnownEndpoint): void;
  /**
   * Marks the address of a container that runs on from an earlier life of the engine.
   * To be done before the first `attach`; what was made ahead with it is given up.
   */
  adopt(endpoint: KnownEndpoint): void;
  /** With `removeBridge` nothing is left behind; running containers then have no network any more. */
  close(options: { readonly removeBridge: boolean }): Promise<void>;
}

interface Ground {
  readonly bridge: Bridge;
  readonly addresses: AddressPool;
}

class BridgeNetwork implements Network {
  readonly id: string;
  readonly #options: NetworkOptions;
  readonly #adopted = new Set<number>();
  readonly #filter = new Nftables();
  readonly #endpoints: ReadyPool<Endpoint>;
  readonly #isolated: ReadyPool<Fd>;
  #ground: Promise<Ground> | undefined;
  #addresses: AddressPool | undefined;
  readonly #log: Log;
  #checked = 0;
  #turnedOn = false;

  constructor(options: NetworkOptions) {
    this.#options = options;
    this.id = createHash("sha256").update(`network ${options.instanceId}`).digest("hex");
    const { log = silentLog } = options;
    this.#log = log;
    this.#endpoints = new ReadyPool({
      size: ENDPOINTS_READY,
      make: () => this.#make(),
      discard: (endpoint) => this.#discard(endpoint),
      log,
      what: "container networks",
    });
    this.#isolated = new ReadyPool({
      size: ISOLATED_READY,
      make: makeIsolated,
      discard: (netns) => netns.close(),
      log,
      what: "isolated networks",
    });
  }

  async fill(): Promise<void> {
    await Promise.all([this.#endpoints.fill(), this.#isolated.fill()]);
  }

  async describe(): Promise<BridgeDescription> {
    const { bridge, addresses } = await this.#ready();
    return {
      bridge: bridge.name,
      subnet: formatSubnet(bridge.subnet),
      gateway: addresses.gateway,
    };
  }

  attach(): Promise<Endpoint> {
    return this.#endpoints.take();
  }

  isolated(): Promise<Fd> {
    return this.#isolated.take();
  }

  release(endpoint: KnownEndpoint): void {
    endpoint.netns?.close();
    const address = parseIpv4(endpoint.address);
    if (address === undefined) return;
    this.#adopted.delete(address);
    this.#addresses?.release(address);
  }

  adopt(endpoint: KnownEndpoint): void {
    const address = parseIpv4(endpoint.address);
    if (address === undefined) return;
    this.#adopted.add(address);
    this.#addresses?.adopt(address);
    this.#endpoints.evict((ready) => ready.address === endpoint.address);
  }

  async close({ removeBridge }: { readonly removeBridge: boolean }): Promise<void> {
    await Promise.all([this.#endpoints.close(), this.#isolated.close()]);
    if (!removeBridge) return;
    const names = bridgeNames(this.#options.runRoot);
    await removePass(this.#filter, names.table);
    await removeRules(this.#filter, names.table);
    await deleteBridge(names.bridge);
  }

  /** The bridge and its rules, made on first need; a failure is not kept, the next one tries again. */
  #ready(): Promise<Ground> {
    this.#ground ??= this.#prepare().catch((error) => {
      this.#ground = undefined;
      throw error;
    });
    return this.#ground;
  }

  async #prepare(): Promise<Ground> {
    const { runRoot, subnet } = this.#options;
    const names = bridgeNames(runRoot);
    const bridge = await ensureBridge(
      names,
      subnet === undefined ? undefined : parseSubnet(subnet),
    );
    await this.#filter.commit(bridgeRules(names.table, bridge));
    await removePass(this.#filter, names.table);
    await this.#forward(names);
    this.#checked = Date.now();
    const addresses = new AddressPool(bridge.subnet);
    for (const address of this.#adopted) addresses.adopt(address);
    this.#addresses = addresses;
    return { bridge, addresses };
  }

  /** Last, so that nothing is forwarded before the rules stand. */
  async #forward(names: BridgeNames): Promise<void> {
    if (await ensureForwarding(this.#filter)) {
      this.#turnedOn = true;
      this.#log.warn(
        "IPv4 forwarding is on now; what is not forwarded for containers is dropped (the policy of FORWARD)",
      );
    }
    await passForward(this.#filter, names);
  }

  /** Puts back what someone flushed, and passes a Docker that came later. */
  async #keep(bridge: Bridge): Promise<void> {
    const names = bridgeNames(this.#options.runRoot);
    await keepRules(this.#filter, names.table, bridge);
    if (this.#turnedOn) await keepForeignOut(this.#filter);
    await passForward(this.#filter, names);
  }

  /** Without giving back an address that turned out to have an owner. */
  #discard(endpoint: Endpoint): void {
    endpoint.netns.close();
    const address = parseIpv4(endpoint.address) ?? 0;
    if (!this.#adopted.has(address)) this.#addresses?.release(address);
  }

  async #make(): Promise<Endpoint> {
    for (;;) {
      const { bridge, addresses } = await this.#ready();
      const endpoint = await this.#build(bridge, addresses);
      if (!this.#adopted.has(parseIpv4(endpoint.address) ?? 0)) return endpoint;
      // The address was adopted in the meantime.
      endpoint.netns.close();
    }
  }

  async #build(bridge: Bridge, addresses: AddressPool): Promise<Endpoint> {
    if (Date.now() - this.#checked > CHECK_MS) {
      this.#checked = Date.now();
      await this.#keep(bridge);
    }
    const address = addresses.take();
    try {
      return await makeEndpoint({ bridge, address, gateway: addresses.gateway });
    } catch (error) {
      if (!this.#adopted.has(address)) addresses.release(address);
      // Someone deleted the bridge under us: make it again next time.
      if (isFault(error, "not_found") || isFault(error, "invalid")) this.#ground = undefined;
      throw error;
    }
  }
}

/**
 * Opens the network of an instance. The bridge and the first namespaces are made in
 * the background; where that fails, `attach` says why, and `isolated` works all the same.
 */
export async function openNetwork(options: NetworkOptions): Promise<Network> {
  const network = new BridgeNetwork(options);
  void network.fill();
  return network;
}
