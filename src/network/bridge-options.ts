import { isIPv4 } from "node:net";
import { Fault } from "#base";

/** What the driver options of a network (Docker's `--opt KEY=VALUE`) say about its bridge. */
export interface BridgeOptions {
  /** The interface on the host; absent: a name made from the network's id. */
  readonly bridge?: string;
  /** Bytes; absent: that of the host's way out. */
  readonly mtu?: number;
  /** Whether containers of the network reach each other. */
  readonly connectsContainers: boolean;
  /** Whether what leaves the bridge has the host's address. */
  readonly masquerades: boolean;
  /** The address of the host that published ports are bound to. */
  readonly hostBinding: string;
  /** Of interfaces in containers: "eth" for eth0, eth1 ... */
  readonly linkPrefix: string;
  /** Whether the bridge has the gateway's address. */
  readonly hasAddress: boolean;
  /** Whether containers send under their own addresses alone. */
  readonly checksSources: boolean;
}

const BRIDGE = "com.docker.network.bridge.";
/** The keys that Docker's bridge driver knows; it stores others and gives them no meaning. */
const keys = {
  name: `${BRIDGE}name`,
  icc: `${BRIDGE}enable_icc`,
  masquerade: `${BRIDGE}enable_ip_masquerade`,
  binding: `${BRIDGE}host_binding_ipv4`,
  inhibit: `${BRIDGE}inhibit_ipv4`,
  mtu: "com.docker.network.driver.mtu",
  prefix: "com.docker.network.container_iface_prefix",
  /** thimble's own. */
  spoofCheck: "thimble.spoof_check",
} as const;
/** Options of Docker's that change what is reachable, so that storing them alone would be a false promise. */
const refused: readonly string[] = [
  `${BRIDGE}gateway_mode_ipv4`,
  `${BRIDGE}gateway_mode_ipv6`,
  `${BRIDGE}trusted_host_interfaces`,
];
/** IPv4's smallest (RFC 791) and the largest that a link takes. */
const MIN_MTU = 68;
const MAX_MTU = 65_535;

/** The meaning of driver options; `invalid`, in Docker's words, for a value that has none. */
export function parseBridgeOptions(options: Readonly<Record<string, string>>): BridgeOptions {
  for (const key of refused)
    if (options[key]) throw new Fault("unsupported", `the network option ${key} is not supported`);
  const bridge = options[keys.name];
  const mtu = options[keys.mtu];
  const prefix = options[keys.prefix];
  return {
    ...(bridge ? { bridge: interfaceName(bridge, keys.name) } : {}),
    ...(mtu === undefined ? {} : parseMtu(mtu)),
    connectsContainers: truth(options, keys.icc, true),
    masquerades: truth(options, keys.masquerade, true),
    hostBinding: bindingAddress(options[keys.binding]),
    linkPrefix: prefix ? interfaceName(prefix, keys.prefix, 10) : "eth",
    hasAddress: !truth(options, keys.inhibit, false),
    checksSources: truth(options, keys.spoofCheck, true),
  };
}

function unreadable(key: string, value: string, why: string): Fault {
  return new Fault("invalid", `failed to parse ${key} value: ${value} (${why})`, { about: key });
}

const VERSION = "com.docker.network.enable_";

/**
 * Which versions of IP a network has: as it was asked for, else as Docker's options of drivers say,
 * else IPv4 alone. The options are then of no more account. `invalid`, in Docker's words, for a
 * network of neither.
 */
export function settleVersions<T extends VersionWishes>(
  wished: T,
): T & { readonly hasIpv4: boolean; readonly hasIpv6: boolean } {
  const { [`${VERSION}ipv4`]: ipv4, [`${VERSION}ipv6`]: ipv6, ...options } = wished.options;
  const hasIpv4 = isEnabled(wished.hasIpv4, `${VERSION}ipv4`, ipv4) ?? true;
  const hasIpv6 = isEnabled(wished.hasIpv6, `${VERSION}ipv6`, ipv6) ?? false;
  if (!hasIpv4 && !hasIpv6) throw new Fault("invalid", "IPv4 or IPv6 must be enabled");
  return { ...wished, hasIpv4, hasIpv6, options };
}

interface VersionWishes {
  readonly hasIpv4?: boolean;
  readonly hasIpv6?: boolean;
  readonly options: Readonly<Record<string, string>>;
}

function isEnabled(
  asked: boolean | undefined,
  key: string,
  value: string | undefined,
): boolean | undefined {
  if (asked !== undefined || value === undefined) return asked;
  const option = parseBool(value);
  if (option === undefined)
    throw new Fault("invalid", `driver-opt ${JSON.stringify(key)} is not a valid bool`, {
      about: key,
    });
  return option;
}

/** Go's strconv.ParseBool. */
function parseBool(value: string): boolean | undefined {
  if (["1", "t", "T", "TRUE", "true", "True"].includes(value)) return true;
  if (["0", "f", "F", "FALSE", "false", "False"].includes(value)) return false;
  return undefined;
}

function truth(
  options: Readonly<Record<string, string>>,
  key: string,
  otherwise: boolean,
): boolean {
  const value = options[key];
  if (value === undefined) return otherwise;
  const found = parseBool(value);
  if (found !== undefined) return found;
  throw unreadable(
    key,
    value,
    `strconv.ParseBool: parsing ${JSON.stringify(value)}: invalid syntax`,
  );
}

function parseMtu(text: string): { readonly mtu?: number } {
  if (!/^[+-]?\d{1,9}$/.test(text))
    throw unreadable(
      keys.mtu,
      text,
      `strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  const mtu = Number(text);
  if (mtu < 0) throw new Fault("invalid", `invalid MTU number: ${text}`, { about: keys.mtu });
  if (mtu === 0) return {};
  if (mtu < MIN_MTU || mtu > MAX_MTU)
    throw new Fault(
      "invalid",
      `invalid MTU number: ${text}; a network's is from ${MIN_MTU} to ${MAX_MTU}`,
      { about: keys.mtu },
    );
  return { mtu };
}

/** dev_valid_name() of the kernel, with room for a number behind a prefix. */
function interfaceName(name: string, key: string, longest = 15): string {
  if (/^[^\s/:%]+$/.test(name) && Buffer.byteLength(name) <= longest && !/^\.\.?$/.test(name))
    return name;
  throw unreadable(
    key,
    name,
    `an interface's name has 1 to ${longest} bytes, no white space, / or :`,
  );
}

function bindingAddress(text: string | undefined): string {
  if (text === undefined || text === "") return "0.0.0.0";
  if (!isIPv4(text)) throw unreadable(keys.binding, text, "nil ip");
  return text;
}

/** The options that Docker shows of its default network. */
export function defaultBridgeOptions(bridge: string): Readonly<Record<string, string>> {
  return {
    [`${BRIDGE}default_bridge`]: "true",
    [keys.icc]: "true",
    [keys.masquerade]: "true",
    [keys.binding]: "0.0.0.0",
    [keys.name]: bridge,
    [keys.mtu]: "1500",
  };
}
