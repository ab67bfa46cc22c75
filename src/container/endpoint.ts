import { isIPv4, isIPv6 } from "node:net";
import type { z } from "zod";
import { type Link, parseLink } from "./link.ts";
import { networkModeOf } from "./network-mode.ts";
import { isZero, shapes } from "./option.ts";

const { text, texts, whole, textMap, object, record } = shapes;

/**
 * What a container asks of one network (Docker's EndpointSettings). Values that the engine finds
 * out itself are ignored when they are sent, as Docker does.
 */
const endpointShape = object({
  IPAMConfig: object({ IPv4Address: text, IPv6Address: text, LinkLocalIPs: texts }),
  Links: texts,
  Aliases: texts,
  MacAddress: text,
  DriverOpts: textMap,
  GwPriority: whole,
  NetworkID: text,
  IPAddress: text,
});

export const networkingShape = object({ EndpointsConfig: record(endpointShape.nullish()) });

export type NetworkingBody = z.infer<typeof networkingShape>;
/** As it was sent; `null` and absence mean the same. */
export type EndpointBody = z.infer<typeof endpointShape>;

/** The body of POST /networks/ID/connect. */
export const connectSchema = object({ Container: text, EndpointConfig: endpointShape });

/** What an endpoint is to be like. */
export interface EndpointRequest {
  /** Dotted; "" for any, as are `address6` and `mac`. */
  readonly address: string;
  readonly address6: string;
  readonly mac: string;
  /** The interface's name in the container; "" for the next free one. */
  readonly link: string;
  /** By the last part of net.ipv4.conf.IFNAME. */
  readonly sysctls: Readonly<Record<string, number>>;
  /** Bytes per second, of what it sends and of what it gets; 0 without a limit. */
  readonly rate: number;
  /** Whether it sends under its own addresses alone. */
  readonly checksSources: boolean;
  /** The endpoint with the highest has the default route. */
  readonly gatewayPriority: number;
  readonly aliases: readonly string[];
  /** Names that this container alone has for others of the network. */
  readonly links: readonly Link[];
}

const SYSCTLS = "com.docker.network.endpoint.sysctls";
const IFNAME = "com.docker.network.endpoint.ifname";
/** thimble's own, as "10mbit". */
const RATE = "thimble.rate";
const SPOOF_CHECK = "thimble.spoof_check";

/** The parts of an endpoint's settings that cannot be honoured, as phrases for an error. */
export function refuseEndpoint(name: string, settings: EndpointBody): readonly string[] {
  const { LinkLocalIPs } = settings.IPAMConfig ?? {};
  const asked: readonly (readonly [boolean, string])[] = [
    [isZero(LinkLocalIPs), "link-local addresses on NAME (IPAMConfig)"],
  ];
  return asked.flatMap(([isAbsent, what]) => (isAbsent ? [] : [what.replace("NAME", name)]));
}

/** The parts of NetworkingConfig that cannot be honoured, as phrases for an error. */
export function refuseNetworking({ EndpointsConfig }: NetworkingBody): readonly string[] {
  return Object.entries(EndpointsConfig ?? {}).flatMap(([name, settings]) =>
    settings ? refuseEndpoint(name, settings) : [],
  );
}

/**
 * The networks that a container is created in, by the name or id that was sent, that of its network
 * mode first. As in Docker, NetworkingConfig replaces the mode's network unless it names that too.
 */
export function endpointsOf(
  networkMode: string,
  networking: NetworkingBody | undefined,
): readonly (readonly [network: string, settings: EndpointBody])[] {
  const mode = networkModeOf({ NetworkMode: networkMode });
  if (mode.kind === "container") return [];
  const main = mode.kind === "bridge" ? mode.network : mode.kind;
  const sent = Object.entries(networking?.EndpointsConfig ?? {}).map(
    ([name, settings]) => [name === "default" ? "bridge" : name, settings ?? {}] as const,
  );
  if (sent.length === 0) return [[main, {}]];
  return [...sent.filter(([name]) => name === main), ...sent.filter(([name]) => name !== main)];
}

/** The settings in the engine's form. */
export function readEndpoint(settings: EndpointBody): EndpointRequest {
  const options = settings.DriverOpts ?? {};
  return {
    address: settings.IPAMConfig?.IPv4Address ?? "",
    address6: settings.IPAMConfig?.IPv6Address ?? "",
    mac: (settings.MacAddress ?? "").toLowerCase().replaceAll("-", ":"),
    link: options[IFNAME] ?? "",
    sysctls: Object.fromEntries(
      sysctlsOf(options).flatMap((each) => {
        const [, name = "", value = ""] = sysctlForm.exec(each) ?? [];
        return name === "" ? [] : [[name, Number(value)]];
      }),
    ),
    rate: rateOf(options) ?? 0,
    checksSources: options[SPOOF_CHECK] !== "false",
    gatewayPriority: settings.GwPriority ?? 0,
    aliases: settings.Aliases ?? [],
    links: (settings.Links ?? []).map(parseLink),
  };
}

/** Bits, as tc(8) counts them. */
const rateUnits = { bit: 1, kbit: 1e3, mbit: 1e6, gbit: 1e9 } as const;
const BITS = 8;
/** Bytes per second: a slower one has no room for a frame, a faster one no clock. */
const rates = { least: 1_000, most: 12_500_000_000 } as const;

/** Bytes per second; undefined where no rate is asked for, or where it cannot be read. */
function rateOf(options: Readonly<Record<string, string>>): number | undefined {
  const [, number, unit] =
    /^(\d{1,12}(?:\.\d{1,3})?)([kmg]?bit)$/.exec(options[RATE]?.toLowerCase() ?? "") ?? [];
  if (number === undefined) return undefined;
  const rate = Math.round((Number(number) * rateUnits[unit as keyof typeof rateUnits]) / BITS);
  return rate >= rates.least && rate <= rates.most ? rate : undefined;
}

const sysctlForm = /^net\.ipv4\.conf\.IFNAME\.(\w+)=(-?\d{1,10})$/;

function sysctlsOf(options: Readonly<Record<string, string>>): readonly string[] {
  return (options[SYSCTLS] ?? "").split(",").filter((each) => each !== "");
}

/** Why settings are wrong by themselves, in Docker's words; `known` are the sysctls of interfaces. */
export function endpointFaults(
  settings: EndpointBody,
  known: readonly string[],
): readonly string[] {
  const { address, address6, link } = readEndpoint(settings);
  const faults: string[] = [];
  if (address !== "" && !isIPv4(address)) faults.push(`invalid IPv4 address: ${address}`);
  if (address6 !== "" && (!isIPv6(address6) || address6.includes("%")))
    faults.push(`invalid IPv6 address: ${address6}`);
  if (link !== "" && (!/^[^\s/:%]+$/.test(link) || Buffer.byteLength(link) > 15))
    faults.push(`invalid interface name ${link}: it has 1 to 15 bytes, no white space, / or :`);
  const { [RATE]: rate = "", [SPOOF_CHECK]: check = "true" } = settings.DriverOpts ?? {};
  if (rate !== "" && rateOf({ [RATE]: rate }) === undefined)
    faults.push(`invalid rate ${rate} (${RATE}): it is from 8kbit to 100gbit, as 10mbit`);
  if (check !== "true" && check !== "false")
    faults.push(`invalid value ${check} of ${SPOOF_CHECK}: it is true or false`);
  for (const each of sysctlsOf(settings.DriverOpts ?? {})) {
    const [, name = ""] = sysctlForm.exec(each) ?? [];
    if (known.includes(name)) continue;
    faults.push(
      /^net\.(ipv4|ipv6|mpls)\.\w+\.IFNAME\.\w+=/.test(each)
        ? `unsupported network interface sysctl '${each}'; net.ipv4.conf.IFNAME.NAME=NUMBER is supported`
        : `unrecognised network interface sysctl '${each}'; represent 'net.X.Y.ethN.Z=V' as 'net.X.Y.IFNAME.Z=V', 'X' must be 'ipv4', 'ipv6' or 'mpls'`,
    );
  }
  return faults;
}

/** Whether a text is a MAC address that an interface can have: not that of a group. */
export function isMac(text: string): boolean {
  return /^[0-9a-f][02468ace]([:-][0-9a-f]{2}){5}$/i.test(text);
}
