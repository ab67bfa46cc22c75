import { Fault } from "#base";
import type { ContainerCreateBody, EndpointBody } from "#container";
import type { CreateInput } from "./create-body.ts";

/** What the flags say of one network. */
interface NetworkInput {
  /** A name or id, or a mode: "bridge", "host", "container:web". */
  readonly target: string;
  readonly aliases: readonly string[];
  readonly links: readonly string[];
  readonly options: Readonly<Record<string, string>>;
  readonly linkLocal: readonly string[];
  readonly address: string;
  readonly address6: string;
  readonly mac: string;
  readonly gatewayPriority: number;
}

function emptyInput(target: string): NetworkInput {
  const texts = { address: "", address6: "", mac: "" };
  const lists = { aliases: [], links: [], linkLocal: [] };
  return { target, ...texts, ...lists, options: {}, gatewayPriority: 0 };
}

/** The network mode: the first network that is named. */
export function networkMode({ flags }: CreateInput): string {
  const [first] = flags.network;
  return first === undefined ? "default" : parseNetwork(first).target;
}

/** NetworkingConfig: what the flags say of the endpoint on each network; `invalid` in docker's words. */
export function networkingConfig(input: CreateInput): ContainerCreateBody["NetworkingConfig"] {
  const { network } = input.flags;
  const words = network.length === 0 ? ["default"] : network;
  const inputs = words.map(parseNetwork);
  const endpoints: Record<string, EndpointBody> = {};
  for (const [index, each] of inputs.entries()) {
    const { target } = each;
    const settings = endpointBody(index === 0 ? withOwnFlags(each, input) : each);
    if (endpoints[target] !== undefined)
      throw new Fault("invalid", `network "${target}" is specified multiple times`);
    // One network about which nothing is said is the mode alone.
    if (inputs.length === 1 && Object.keys(settings).length === 0) continue;
    endpoints[target] = settings;
  }
  const kinds = new Set(inputs.map(({ target }) => isUserDefined(target)));
  if (kinds.size > 1)
    throw new Fault(
      "invalid",
      "conflicting options: cannot attach both user-defined and non-user-defined network-modes",
    );
  return { EndpointsConfig: endpoints };
}

function isUserDefined(target: string): boolean {
  return !/^(default|bridge|host|none|container:.*)$/.test(target);
}

/** Flags as `--ip` are about the first network. */
function withOwnFlags(network: NetworkInput, { flags }: CreateInput): NetworkInput {
  const either = <T extends string | readonly string[]>(own: T, other: T, what: string): T => {
    if (own.length > 0 && other.length > 0)
      throw new Fault("invalid", `conflicting options: cannot specify both ${what}`);
    return own.length > 0 ? own : other;
  };
  return {
    ...network,
    aliases: either(
      flags["network-alias"],
      network.aliases,
      "--network-alias and per-network alias",
    ),
    options: { ...network.options, ...ownOptions(flags["network-opt"]) },
    // On the default bridge they are in HostConfig alone.
    links: isUserDefined(network.target) ? flags.link : [],
    address: either(flags.ip ?? "", network.address, "--ip and per-network IPv4 address"),
    linkLocal: either(
      flags["link-local-ip"],
      network.linkLocal,
      "--link-local-ip and per-network link-local IP addresses",
    ),
    address6: either(flags.ip6 ?? "", network.address6, "--ip6 and per-network IPv6 address"),
    mac: either(
      flags["mac-address"] ?? "",
      network.mac,
      "--mac-address and per-network MAC address",
    ),
  };
}

/** The options of `--network-opt`, as the engine has them. */
const networkOptions: Readonly<Record<string, string>> = {
  rate: "thimble.rate",
  spoof_check: "thimble.spoof_check",
};

function ownOptions(words: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    words.map((word) => {
      const [, name = "", value = ""] = /^([^=]+)=(.+)$/.exec(word) ?? [];
      const key = networkOptions[name];
      if (key !== undefined) return [key, value];
      throw new Fault(
        "invalid",
        `invalid argument "${word}" for "--network-opt" flag: there are rate=RATE, as rate=10mbit, and spoof_check=false`,
      );
    }),
  );
}

function endpointBody(network: NetworkInput): EndpointBody {
  const { target, aliases, links, address, address6, linkLocal, mac, options } = network;
  if (!isUserDefined(target)) {
    if (aliases.length > 0)
      throw new Fault(
        "invalid",
        "network-scoped aliases are only supported for user-defined networks",
      );
  }
  if (mac !== "" && !/^([0-9a-f]{2}([:-](?=.)|$)){6}$/i.test(mac))
    throw new Fault("invalid", `${mac} is not a valid mac address`);
  const ipam = {
    ...(address !== "" && { IPv4Address: address }),
    ...(address6 !== "" && { IPv6Address: address6 }),
    ...(linkLocal.length > 0 && { LinkLocalIPs: [...linkLocal] }),
  };
  return {
    ...(Object.keys(ipam).length > 0 && { IPAMConfig: ipam }),
    ...(links.length > 0 && { Links: [...links] }),
    ...(aliases.length > 0 && { Aliases: [...aliases] }),
    ...(mac !== "" && { MacAddress: mac }),
    ...(Object.keys(options).length > 0 && { DriverOpts: { ...options } }),
    ...(network.gatewayPriority !== 0 && { GwPriority: network.gatewayPriority }),
  };
}

/** `--network NAME`, or `name=NAME,alias=A,ip=ADDRESS` and so on. */
function parseNetwork(word: string): NetworkInput {
  if (!/^\w[\w-]*=/.test(word)) return emptyInput(word);
  let result = emptyInput("");
  for (const field of word.split(",")) {
    const equals = field.indexOf("=");
    const [key, value] = [field.slice(0, equals).toLowerCase().trim(), field.slice(equals + 1)];
    if (equals < 0) throw wrong(word, `invalid field ${field}`);
    result = { ...result, ...fieldOf(word, key, { value, before: result }) };
  }
  if (result.target === "") throw wrong(word, "network name/id is not specified");
  return result;
}

function fieldOf(
  word: string,
  key: string,
  { value, before }: { readonly value: string; readonly before: NetworkInput },
): Partial<NetworkInput> {
  switch (key) {
    case "name":
      return { target: value };
    case "alias":
      return { aliases: [...before.aliases, value] };
    case "ip":
      return { address: value };
    case "ip6":
      return { address6: value };
    case "mac-address":
      return { mac: value };
    case "link-local-ip":
      return { linkLocal: [...before.linkLocal, value] };
    case "driver-opt": {
      const [name = "", ...rest] = value.split("=");
      if (rest.length === 0) throw wrong(word, "invalid key value pair format in driver options");
      return { options: { ...before.options, [name]: rest.join("=") } };
    }
    case "gw-priority":
      if (!/^[+-]?\d{1,9}$/.test(value))
        throw wrong(word, `invalid gw-priority (${value}): invalid syntax`);
      return { gatewayPriority: Number(value) };
    default:
      throw wrong(word, `invalid field key ${key}`);
  }
}

function wrong(word: string, why: string): Fault {
  return new Fault("invalid", `invalid argument "${word}" for "--network" flag: ${why}`);
}
